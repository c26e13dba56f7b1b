"""Batches of text: alike in length, a function of (seed, position), padded behind what counts."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.errors import UsageError
from unbraid.hub.vocabulary import BEGIN, END, PADDING
from unbraid.training.data.text import TextPair, bunched, text_batch


def pairs(count: int) -> list[TextPair]:
    """Pairs that can be told apart, of lengths 1 to 9."""
    random = np.random.default_rng(0)
    lengths = random.integers(1, 10, (count, 2))
    return [TextPair([k + 4] * a, ([k + 4] * b,)) for k, (a, b) in enumerate(lengths)]


@given(st.integers(1, 50), st.integers(1, 12), st.integers(0, 3))
@settings(max_examples=30)
def test_every_round_has_each_pair_once_at_most_in_bunches_of_like_length(count: int, bunch: int, turn: int) -> None:
    data = bunched(pairs(count), bunch=bunch, seed=7)
    size = min(bunch, count)
    assert data.round_items == count // size * size
    start = turn * data.round_items
    found = [data[position] for position in range(start, start + data.round_items)]
    assert len({pair.source[0] for pair in found}) == len(found)
    bunches = [found[k : k + size] for k in range(0, len(found), size)]
    spans = sorted((min(s), max(s)) for some in bunches for s in [[len(pair.source) for pair in some]])
    assert all(longest <= shortest for (_, longest), (shortest, _) in itertools.pairwise(spans))


def test_a_position_is_a_pair_whoever_asks_and_when() -> None:
    one, two = (bunched(pairs(40), bunch=8, seed=1) for _ in range(2))
    expected = [one[position] for position in range(120)]
    assert [two[position] for position in reversed(range(120))] == expected[::-1]
    assert [one[position] for position in range(40)] != [one[position] for position in range(40, 80)]
    other = bunched(pairs(40), bunch=8, seed=2)
    assert [other[position] for position in range(40)] != expected[:40]


def test_nothing_to_train_on() -> None:
    with pytest.raises(UsageError, match=r"^There is no text to train on\.$"):
        bunched([], bunch=4, seed=0)


def test_a_batch_has_ends_and_padding() -> None:
    batch = text_batch([TextPair([5, 6, 7], ([8], [8, 9])), TextPair([4], ([9, 9],))])
    assert batch.source.tolist() == [[5, 6, 7, END], [4, END, PADDING, PADDING]]
    assert batch.lengths.tolist() == [4, 2]
    assert batch.target.tolist() == [[BEGIN, 8, END, PADDING], [BEGIN, 9, 9, END]]
    assert batch.answers == [[[8], [8, 9]], [[9, 9]]]
