"""Words in the symbols of a vocabulary."""

import pytest

from unbraid.hub.vocabulary import SPECIAL, Vocabulary
from unbraid.tasks.alignment.spelling import Script, Spelled, Speller, known_symbols
from unbraid.tasks.alignment.texts import lines_in

CAPITALS = Vocabulary((*SPECIAL, " ", "'", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
DIGITS = Vocabulary((*SPECIAL, *"0123456789"))
PIECES = Vocabulary((*SPECIAL, "▁", "▁he", "l", "lo", "o", "▁the", "e", "h"))


def spelled(text: str, vocabulary: Vocabulary = CAPITALS) -> list[tuple[str, str]]:
    return [(word.text, "".join(vocabulary.decode(word.symbols))) for word in Speller(vocabulary).words(text)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don’t stop…", [("Don’t", "DON'T"), ("stop…", "STOP")]),
        ("– Hey, rock & Röll [laughs] -", [("– Hey,", "HEY"), ("rock &", "ROCK"), ("Röll [laughs] -", "ROLL")]),
        ("naïve ﬁne ＯＫ", [("naïve", "NAIVE"), ("ﬁne", "FINE"), ("ＯＫ", "OK")]),
        ("room 305!", [("room", "ROOM"), ("305!", "THREEZEROFIVE")]),
        ("' '' \"", []),
    ],
)
def test_letters(text: str, words: list[tuple[str, str]]) -> None:
    assert spelled(text) == words


def test_scripts_without_blanks_are_timed_sign_by_sign() -> None:
    signs = Vocabulary((*SPECIAL, *"我爱你。ァabc"))
    words = Speller(signs).words("我爱，你! abc你")
    assert [(word.text, word.joined) for word in words] == [
        ("我", False), ("爱，", True), ("你!", True), ("abc", False), ("你", True),
    ]  # fmt: skip
    assert [signs.decode(word.symbols) for word in words] == [["我"], ["爱"], ["你"], ["a", "b", "c"], ["你"]]


def test_a_word_may_be_of_any_length() -> None:
    assert len(Speller(PIECES).words("hello" * 100_000)[0].symbols) > 100_000


def test_letters_that_are_unknown_are_told() -> None:
    assert Speller(CAPITALS).words("日本 ok straße") == [
        Spelled("日", (), "日"),
        Spelled("本", (), "本", joined=True),
        Spelled("ok", tuple(CAPITALS.encode("OK"))),
        Spelled("straße", tuple(CAPITALS.encode("STRASSE"))),
    ]


def test_digits_may_be_written_as_words() -> None:
    assert spelled("one, TWO 34", DIGITS) == [("one,", "1"), ("TWO", "2"), ("34", "34")]


def test_the_fewest_pieces() -> None:
    symbols = [[PIECES.symbols[i] for i in word.symbols] for word in Speller(PIECES).words("Hello, the! xyz")]
    assert symbols == [["▁he", "l", "lo"], ["▁the"], []]


def test_a_script_leaves_out_lines_of_signs_alone() -> None:
    script = Script.of(lines_in("♪ ♪\nhello 日\n日本\n"), CAPITALS)
    assert [line.text for line in script.lines] == ["hello 日", "日本"]
    assert script.symbols == [[tuple(CAPITALS.encode("HELLO"))]]
    assert [word.text for word in script.strange] == ["日", "日", "本"]
    assert script.fits(0.5)
    assert not script.fits(0.3)


def test_known_symbols_are_shortened() -> None:
    assert known_symbols(DIGITS) == "0 1 2 3 4 5 6 7 8 9"
    assert known_symbols(CAPITALS, 3) == "' A B …"
