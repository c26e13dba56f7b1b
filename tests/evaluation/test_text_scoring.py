"""Edits and error rates: what they are on words whose answer is known, and what any distance must be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbraid.evaluation.text.scoring import Distance, closest, edit_distance, symbol_error_rate, text_error_rate

TEXTS = st.text(alphabet="abc", max_size=6)


@pytest.mark.parametrize(
    ("one", "two", "edits"), [("", "", 0), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("abc", "", 3), ("", "ab", 2)]
)
def test_known_distances(one: str, two: str, edits: int) -> None:
    assert edit_distance(one, two) == edits


@given(TEXTS, TEXTS, TEXTS)
def test_it_is_a_distance(one: str, two: str, three: str) -> None:
    there = edit_distance(one, two)
    assert there == edit_distance(two, one)
    assert (there == 0) == (one == two)
    assert there <= edit_distance(one, three) + edit_distance(three, two)
    assert abs(len(one) - len(two)) <= there <= max(len(one), len(two))


def test_the_closest_answer_counts() -> None:
    assert closest("abc", ["xyz", "abcd", "ab"]) == Distance(1, 4)  # the first of equally close ones
    assert closest(("K", "AE", "T"), [("K", "AA", "T"), ("K", "AE", "T")]) == Distance(0, 3)


def test_rates() -> None:
    distances = [Distance(0, 3), Distance(2, 5), Distance(4, 2)]
    assert symbol_error_rate(distances) == 0.6
    assert text_error_rate(distances) == pytest.approx(2 / 3)
    assert symbol_error_rate([]) == text_error_rate([]) == 0
