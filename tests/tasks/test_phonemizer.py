"""Words out of sentences and how they are said, with a stand-in for the network that spells."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import unbraid.tasks.speech_api
import unbraid.tasks.synthesis.phonemizer
from side_fakes import WRITERS, side_spec
from text_fakes import LETTERS, SURE, FakeDecoder, FakeEncoder, speller
from unbraid.errors import ModelNotFound, UsageError
from unbraid.tasks.decoding.generator import Generator
from unbraid.tasks.synthesis.phonemizer import Phonemizer, words_of


@pytest.fixture
def phonemizer() -> Phonemizer:
    return Phonemizer.over(speller())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The cat, the dog.", ["the", "cat", "the", "dog"]),
        ("“Don’t!” she said – ‘now’.", ["don't", "she", "said", "now"]),
        ("'cause the boys' well-known u.s. team", ["'cause", "the", "boys'", "well-known", "u.s.", "team"]),
        ("at 'ten' a.m.", ["at", "ten", "a.m."]),
        ("either/or…\n(maybe)\t - -- '", ["either", "or", "maybe"]),
        ("  \n", []),
    ],
)
def test_sentences_are_taken_apart(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@given(st.text())
def test_words_are_lower_case_and_never_empty(text: str) -> None:
    assert all(word and word == word.lower() and not any(c.isspace() for c in word) for word in words_of(text))


def test_words_are_said_one_by_one(phonemizer: Phonemizer) -> None:
    first, second, third = phonemizer("Cat, dogs: CAT!")
    assert (first.text, str(first.best), str(second.best)) == ("cat", "C A T", "D O G S")
    assert third is first
    assert first.best.probability == pytest.approx(SURE**4, rel=1e-5)  # its end included
    assert len(first.pronunciations) == 1


@given(st.lists(st.text(alphabet=LETTERS[3:], min_size=1, max_size=9), min_size=1, max_size=5))
def test_a_word_is_said_alike_in_any_company(words: list[str]) -> None:
    phonemizer = Phonemizer.over(speller())
    together = phonemizer(" ".join(words))
    assert [str(word.best) for word in together] == [" ".join(word.upper()) for word in words]


def test_alternatives_come_behind_the_likeliest(phonemizer: Phonemizer) -> None:
    (word,) = phonemizer("at", alternatives=6)
    assert len(word.pronunciations) == 7
    chances = [way.probability for way in word.pronunciations]
    assert chances == sorted(chances, reverse=True)
    assert len({way.phonemes for way in word.pronunciations}) == 7
    assert all(way.phonemes for way in word.pronunciations)  # nobody says nothing


def test_accents_that_the_model_lacks_are_taken_off(phonemizer: Phonemizer) -> None:
    assert [word.text for word in phonemizer("Café naïve Ångström")] == ["cafe", "naive", "angstrom"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "There are no words in this text; give at least one."),
        (" … !? ", "There are no words in this text; give at least one."),
        (
            "a" * 1234,
            "aaaaaaaaaaaaaaaaaaaa… has 1,234 letters, and a word has at most 100; put blanks between words.",
        ),
        (
            "the 3rd",
            "speller cannot read 3 in '3rd'; it reads '-.abcdefghijklmnopqrstuvwxyz. Write numbers and signs out as "
            "words.",
        ),
        (
            "straße",
            "speller cannot read ß in 'straße'; it reads '-.abcdefghijklmnopqrstuvwxyz. Write numbers and signs out "
            "as words.",
        ),
        (
            "1234567",
            "speller cannot read 1, 2, 3, 4, 5, … in '1234567'; it reads '-.abcdefghijklmnopqrstuvwxyz. Write numbers "
            "and signs out as words.",
        ),
    ],
)
def test_what_cannot_be_read_is_said(phonemizer: Phonemizer, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        phonemizer(text)
    assert str(caught.value) == message


def test_fewer_than_no_alternatives(phonemizer: Phonemizer) -> None:
    with pytest.raises(UsageError, match=r"^Alternatives are counted from 0 up, got -1\.$"):
        phonemizer("cat", alternatives=-1)


def test_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unbraid.tasks.synthesis.phonemizer, "Generator", lambda model, **_: speller(str(model)))
    assert unbraid.phonemize("cat") == "C A T"
    assert unbraid.phonemize("A cat.", model="mine") == "A | C A T"


def test_models_that_are_not_there_or_do_something_else(speech_folder: Path) -> None:
    with pytest.raises(ModelNotFound):
        Phonemizer(speech_folder / "none")
    with pytest.raises(UsageError) as caught:
        Phonemizer(speech_folder)
    message = "tiny-speech does not write texts step by step; choose an audio Transformer that does."
    assert str(caught.value) == message


def test_a_model_that_hears_is_told() -> None:
    deaf = Generator.over(FakeEncoder(), FakeDecoder(), side_spec(WRITERS["waveform to text"]))
    with pytest.raises(UsageError) as caught:
        Phonemizer.over(deaf)
    assert (
        str(caught.value)
        == "The task of tiny-sides is transcription, not phonemes; choose another of `unbraid models`."
    )
