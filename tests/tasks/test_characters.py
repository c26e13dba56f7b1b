"""The text front end of voices that read characters."""

import string

import pytest

from unbraid.errors import UsageError
from unbraid.hub.vocabulary import SPECIAL, Vocabulary
from unbraid.tasks.synthesis.characters import BLANK, MOST_CHARACTERS, sentences_of

SYMBOLS = Vocabulary((*SPECIAL, BLANK, *string.ascii_letters, *"'\"().,;:?!-"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Good morning.", ["Good morning."]),
        ("  Good\n morning. How are you?  Fine!", ["Good morning.", "How are you?", "Fine!"]),
        ('"Come in," he said. "Sit down."', ['"Come in," he said.', '"Sit down."']),
        ("Room 305, please", ["Room three zero five, please"]),
        ("It is 3.5 m", ["It is three point five m"]),
        ("Wait … now", ["Wait, now"]),
        ("don’t", ["don't"]),
    ],
)
def test_sentences(text: str, wanted: list[str]) -> None:
    assert sentences_of(text, SYMBOLS, "voice") == wanted


def test_long_sentences_are_split_at_commas_or_between_words() -> None:
    words = " ".join(["word"] * 100)
    parts = sentences_of(words, SYMBOLS, "voice")
    assert len(parts) == 3 and max(map(len, parts)) <= MOST_CHARACTERS and " ".join(parts) == words
    first, second = sentences_of("a" * 50 + ", " + "b" * 180 + ".", SYMBOLS, "voice")
    assert (first, second) == ("a" * 50 + ",", "b" * 180 + ".")
    assert sentences_of("a" * 450, SYMBOLS, "voice") == ["a" * 200, "a" * 200, "a" * 50]


def test_a_model_that_knows_digits_reads_them() -> None:
    symbols = Vocabulary((*SYMBOLS.symbols, *string.digits))
    assert sentences_of("Room 305.", symbols, "voice") == ["Room 305."]


def test_letters_that_are_known_in_one_case_only() -> None:
    symbols = Vocabulary((*SPECIAL, BLANK, *string.ascii_lowercase, "."))
    assert sentences_of("Good Morning.", symbols, "voice") == ["good morning."]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("5 € & more", "voice cannot read €, &; write numbers and signs out as words."),
        ("да", "voice cannot read д, а; write numbers and signs out as words."),
        ("", "There are no words in this text; give at least one."),
        (" ... ", "There are no words in this text; give at least one."),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        sentences_of(text, SYMBOLS, "voice")
    assert str(caught.value) == told
