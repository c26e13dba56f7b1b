"""Texts as what a speaking model reads: sentences, digits, pauses, and what cannot be said."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from text_fakes import LETTERS, speller
from unbraid.errors import UsageError
from unbraid.tasks.synthesis.phonemizer import Phonemizer
from unbraid.tasks.synthesis.text_frontend import Sentence, most_seconds, phonemes_of, sentences_of, vocabulary_of


def texts(text: str, most_words: int = 10) -> list[str]:
    return [sentence.text for sentence in sentences_of(text, most_words)]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Room 305, please.", ["room three zero five, please."]),
        ("Hello world! It's me; don't go?", ["hello world.", "it's me, don't go."]),
        ("3 0, 5", ["three zero, five."]),
        ("3.5", ["three point five."]),
        ("5-6", ["five six."]),
        ("mother-in-law — (yes) “no”…", ["mother-in-law yes no."]),
        ("One:two\nthree", ["one, two three."]),
        ("… , , . hm ,", ["hm."]),
        ("Cafe\u0301", ["café."]),
        ("", []),
        (" ., - ?!", []),
    ],
)
def test_a_text_is_sentences_of_words(text: str, sentences: list[str]) -> None:
    assert texts(text) == sentences


def test_a_long_sentence_is_cut_at_its_last_comma_or_else_between_words() -> None:
    assert texts("a b, c d e f g", 4) == ["a b.", "c d e f.", "g."]
    assert texts("a, b, c d e", 4) == ["a, b.", "c d e."]
    assert texts("a b c d", 4) == ["a b c d."]


@given(st.text(st.sampled_from("ab1,? !"), max_size=60), st.integers(1, 5))
def test_no_word_is_lost_and_no_sentence_too_long(text: str, most: int) -> None:
    said = list(sentences_of(text, most))
    assert all(1 <= len(sentence.words) <= most for sentence in said)
    whole = re.findall(r"[ab]+|1", text)
    assert [word for sentence in said for word in sentence.words] == [w.replace("1", "one") for w in whole]


@pytest.mark.parametrize(
    ("text", "signs"),
    [("5 € + 3", "€, +"), ("a@b", "@"), ("½ 💡 # $ % & =", "½, 💡, #, $, %, …"), ("٣", "٣"), ("a_²", "²")],
)
def test_what_cannot_be_said_is_refused(text: str, signs: str) -> None:
    with pytest.raises(UsageError) as caught:
        texts(text)
    assert str(caught.value) == (
        f"{signs} cannot be said; texts are made of English words, the digits 0 to 9 and punctuation. "
        "Write numbers and signs out as words."
    )


def test_symbols_are_phonemes_with_pauses_between() -> None:
    sentence = Sentence(("ab", "c", "d"), frozenset({1}))
    assert sentence.text == "ab c, d."
    with Phonemizer.over(speller()) as phonemizer:
        phonemes = phonemes_of(sentence.words, phonemizer)
        vocabulary = vocabulary_of(phonemizer)
    assert sentence.symbols(phonemes) == ("A", "B", " ", "C", ",", "D", ".")
    assert vocabulary.unknown(sentence.symbols(phonemes)) == []
    assert set(vocabulary.symbols[4:]) == {*LETTERS.upper(), " ", ",", "."}


def test_a_word_of_strange_letters_is_refused_by_the_phonemizer() -> None:
    with Phonemizer.over(speller()) as phonemizer, pytest.raises(UsageError, match="cannot read п, р, и, в, е, …"):
        phonemes_of(["привет"], phonemizer)


def test_the_limit_grows_with_the_text() -> None:
    assert (most_seconds(0), most_seconds(40)) == (1.0, 11.0)
