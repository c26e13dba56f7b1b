"""`unbraid phonemize`: a line for each text, from wherever it comes, and the sentences for what cannot be."""

import json
import sys
from pathlib import Path

import pytest

import unbraid.cli.phonemize  # noqa: F401
from text_fakes import SURE, speller
from unbraid.files.bounded import MOST_TEXT_BYTES

NO_WORDS = "There are no words in {}; give at least one."


@pytest.fixture
def spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for every model."""
    monkeypatch.setattr("unbraid.tasks.synthesis.phonemizer.Generator", lambda model, **_: speller(str(model)))


def test_a_sentence_is_a_line(unbraid_command, spelling) -> None:
    for words in (["Cats, dogs."], ["cats", "dogs"]):
        outcome = unbraid_command("phonemize", *words)
        assert (outcome.code, outcome.out, outcome.err) == (0, "C A T S | D O G S\n", "")


def test_lines_of_standard_input_and_of_files(unbraid_command, spelling, here: Path) -> None:
    text, lines = "a cat\r\n\nDog's\n", "A | C A T\n\nD O G ' S\n"
    (here / "text.txt").write_text("\ufeff" + text, encoding="utf-8")
    assert unbraid_command("phonemize", "-", stdin=text.encode()).out == lines
    assert unbraid_command("phonemize", "--file", "text.txt").out == lines


def test_more_lines_than_are_read_at_once(unbraid_command, spelling, monkeypatch) -> None:
    monkeypatch.setattr(sys.modules["unbraid.cli.phonemize"], "LINES", 2)
    outcome = unbraid_command("phonemize", "-", stdin=b"a\nb\nc\nd\ne")
    assert outcome.out.split() == ["A", "B", "C", "D", "E"]


def test_alternatives_word_by_word(unbraid_command, spelling) -> None:
    outcome = unbraid_command("phonemize", "ab c", "--alternatives", 1)
    first, second = outcome.out.splitlines()
    assert first.startswith("ab: A B (72.9 %), ")
    assert second.startswith("c: C (81.0 %), ")


def test_json_has_all_there_is(unbraid_command, spelling) -> None:
    told = json.loads(unbraid_command("phonemize", "Ab", "--json", "--alternatives", 2).out)
    assert told["text"] == "Ab"
    (word,) = told["words"]
    assert (word["word"], word["phonemes"]) == ("ab", "A B")
    assert word["probability"] == pytest.approx(SURE**3, abs=1e-5)
    assert len(word["alternatives"]) == 2
    assert word["alternatives"][0].keys() == {"phonemes", "probability"}
    lines = unbraid_command("phonemize", "-", "--json", stdin=b"a\n\nb\n").out.splitlines()
    assert [[word["word"] for word in json.loads(line)["words"]] for line in lines] == [["a"], [], ["b"]]


@pytest.mark.parametrize(
    ("words", "stdin", "message"),
    [
        ([], b"", "Give a text, - for standard input, or --file FILE; one of them."),
        (["cat", "--file", "x"], b"", "Give a text, - for standard input, or --file FILE; one of them."),
        ([""], b"", NO_WORDS.format("this text")),
        (["-"], b"", NO_WORDS.format("standard input")),
        (["-"], b"\n...\n", NO_WORDS.format("standard input")),
        (["-"], b"cat\n\xff\n", "standard input, line 2: this is not text in UTF-8; convert it first."),
        (
            ["-"],
            b"cat\n4 dogs\n",
            "standard input, line 2: g2p cannot read 4 in '4'; it reads '-.abcdefghijklmnopqrstuvwxyz. Write numbers "
            "and signs out as words.",
        ),
    ],
)
def test_what_cannot_be_said(unbraid_command, spelling, words, stdin, message) -> None:
    outcome = unbraid_command("phonemize", *words, stdin=stdin)
    assert (outcome.code, outcome.errors) == (2, [f"error: {message}"])
    told = unbraid_command("phonemize", "--json", *words, stdin=stdin)
    assert json.loads(told.out.splitlines()[-1]) == {"error": message}


@pytest.mark.parametrize("words", [("-",), ("--file", "long.txt")])
def test_a_line_without_end_is_refused(unbraid_command, spelling, here: Path, words) -> None:
    text = b"cat\n" + b"a " * (MOST_TEXT_BYTES // 2 + 1)
    (here / "long.txt").write_bytes(text)
    outcome = unbraid_command("phonemize", *words, stdin=text)
    place = "standard input" if words == ("-",) else "long.txt"
    sentence = f"error: {place}, line 2: it is longer than the limit of 4194304 bytes; break it into lines."
    assert (outcome.code, outcome.errors) == (2, [sentence])


def test_a_file_that_is_not_there(unbraid_command, spelling) -> None:
    outcome = unbraid_command("phonemize", "--file", "none.txt")
    assert outcome.code == 1
    assert outcome.errors == ["error: none.txt: No such file or directory. Check the path and the disk."]


def test_models_that_are_not_there_or_do_something_else(unbraid_command, speech_folder: Path) -> None:
    assert unbraid_command("phonemize", "cat", "-m", "nothing").code == 1
    outcome = unbraid_command("phonemize", "cat", "-m", speech_folder)
    assert outcome.code == 2
    assert outcome.errors == [
        "error: tiny-speech does not write texts step by step; choose an audio Transformer that does."
    ]
