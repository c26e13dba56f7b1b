"""What texts are cut into, and that words come back."""

import pickle
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbraid.errors import RuntimeUnavailable
from unbraid.hub.vocabulary import SPECIAL, UNKNOWN, Vocabulary
from unbraid.tasks.decoding.ctc import Span
from unbraid.tasks.transcription.transcript import words_of
from unbraid.training.data.tokenizer import NAMES, check_units, units_of

TEXTS = ["the cat sat on the mat", "the hat that the cat had", "a cat at the mat", "three"]
words = st.lists(st.text("thecasonmdr", min_size=1, max_size=6), min_size=1, max_size=5)


def run_side(numbers: list[int], vocabulary: Vocabulary) -> tuple[str, ...]:
    """The words as whoever runs a model has them."""
    spans = [Span(number, i, i + 1, -0.1) for i, number in enumerate(numbers)]
    return tuple(word.text for word in words_of(spans, vocabulary, 0.02))


def test_characters_words_and_what_is_chosen_by_itself() -> None:
    assert units_of("characters", ["3 5", "7"]).vocabulary.symbols == (*SPECIAL, " ", "3", "5", "7")
    assert units_of("auto", ["3 5", "7"]).vocabulary.symbols == (*SPECIAL, "3", "5", "7")
    assert units_of("words", ["on off", "on"]).vocabulary.symbols == (*SPECIAL, "off", "on")
    assert units_of("auto", ["ab", "c"]).vocabulary.symbols == (*SPECIAL, " ", "a", "b", "c")


@pytest.mark.parametrize("name", ["characters", "words", "auto", "bpe-30"])
def test_a_text_comes_back(name: str) -> None:
    if name.startswith("bpe"):
        pytest.importorskip("tokenizers")
    units = units_of(name, TEXTS)
    for text in TEXTS:
        numbers = units.encode(text)
        assert UNKNOWN not in numbers
        assert units.words(numbers) == tuple(text.split())
        assert run_side(numbers, units.vocabulary) == tuple(text.split())


@given(words)
def test_pieces_write_words_that_nobody_has_trained_on(words: list[str]) -> None:
    pytest.importorskip("tokenizers")
    units = units_of("bpe-30", TEXTS)
    numbers = units.encode(" ".join(words))
    assert units.words(numbers) == run_side(numbers, units.vocabulary) == tuple(words)


def test_pieces_begin_words_and_are_frequent() -> None:
    pytest.importorskip("tokenizers")
    units = units_of("bpe-40", TEXTS)
    symbols = units.vocabulary.symbols
    assert symbols[: len(SPECIAL)] == SPECIAL
    assert len(symbols) <= len(SPECIAL) + 40
    assert {"▁the", "▁cat"} <= set(symbols)
    assert [symbols[number] for number in units.encode("the cat")] == ["▁the", "▁cat"]
    assert units_of("bpe-40", TEXTS).vocabulary == units.vocabulary
    assert len(units_of("bpe-1", TEXTS).vocabulary) > len(SPECIAL) + 10  # every character is one
    assert units.words([UNKNOWN]) == ()
    assert units.encode("the ż")[-1] == UNKNOWN


def test_a_word_may_begin_in_the_middle_and_one_without_letters_is_none() -> None:
    """As where a window begins."""
    vocabulary = Vocabulary((*SPECIAL, "▁", "▁the", "ca", "t"))
    found = words_of([Span(n, i, i + 1, 0.0) for i, n in enumerate((6, 7, 4, 4, 6, 7, 5, 4))], vocabulary, 0.5)
    assert [word.text for word in found] == ["cat", "cat", "the"]
    assert [(word.start, word.end) for word in found] == [(0, 1), (1.5, 3), (3, 3.5)]


@pytest.mark.parametrize("name", ["characters", "words", "bpe-20"])
def test_processes_that_prepare_batches_are_given_them(name: str) -> None:
    if name.startswith("bpe"):
        pytest.importorskip("tokenizers")
    units = units_of(name, TEXTS)
    assert pickle.loads(pickle.dumps(units)).encode("the cat") == units.encode("the cat")


@pytest.mark.parametrize("name", ["letters", "bpe", "bpe-", "bpe-0", "bpe-5x", ""])
def test_other_units_are_refused(name: str) -> None:
    with pytest.raises(ValueError) as caught:
        check_units(name)
    assert str(caught.value) == f"units are {NAMES}; got {name!r}."


def test_pieces_need_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(RuntimeUnavailable) as caught:
        units_of("bpe-500", TEXTS)
    assert str(caught.value) == (
        "Pieces of words need tokenizers, which is not installed; get it with `pip install 'unbraid[transformer]'`, or "
        "set data.units to characters."
    )
