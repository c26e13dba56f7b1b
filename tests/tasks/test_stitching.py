"""Windows joined: nothing is lost or said twice at seams, and pieces end where somebody pauses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.tasks.decoding.ctc import BLANK, greedy
from unbraid.tasks.decoding.search import log_softmax
from unbraid.tasks.transcription.stitching import blanks, joined_steps, joined_words, pieces
from unbraid.tasks.transcription.transcript import Word


def steps(said: list[int], symbols: int = 6) -> np.ndarray:
    return log_softmax(9 * np.eye(symbols)[said])


def windows(log_probs: np.ndarray, length: int, overlap: int) -> list[tuple[int, np.ndarray]]:
    starts = range(0, max(1, len(log_probs) - overlap), length - overlap)
    return [(start, log_probs[start : start + length]) for start in starts]


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=120),
    st.integers(2, 40).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n - 1))),
)
@settings(deadline=None)
def test_windows_that_agree_are_joined_to_what_they_are_of(said: list[int], sizes: tuple[int, int]) -> None:
    whole = steps(said)
    np.testing.assert_array_equal(np.concatenate(list(joined_steps(windows(whole, *sizes)))), whole)


def test_a_last_window_may_reach_back_over_many() -> None:
    whole = steps([0, 2, 0, 3, 0, 4, 0, 5] * 5)
    last = (len(whole) - 20, whole[-20:])
    for some in ([(0, whole[:20]), (15, whole[15:35]), last], [(0, whole[:39]), last]):
        np.testing.assert_array_equal(np.concatenate(list(joined_steps(some))), whole)


def test_a_gap_between_windows_says_nothing() -> None:
    whole = np.concatenate(list(joined_steps([(0, steps([2] * 9)), (10, steps([3] * 10))])))
    assert whole.argmax(1).tolist() == [2] * 9 + [0] + [3] * 10


def test_the_seam_does_not_cut_a_symbol_that_windows_have_at_different_steps() -> None:
    """Just before and just behind the middle of the overlap, or the other way round."""
    before = [0] * 20 + [4] + [0] * 19  # steps 0 … 39, the symbol at 20
    after = [0] * 9 + [4] + [0] * 20 + [5] + [0] * 9  # steps 10 … 49, the symbol at 19
    for ours, theirs in ((before, after), ([*before[1:], 0], [0, *after[:-1]])):
        whole = np.concatenate(list(joined_steps([(0, steps(ours)), (10, steps(theirs))])))
        assert [span.symbol for span in greedy(whole)] == [4, 5]


@pytest.mark.parametrize("cut", [1, 7, 50, 1000])
def test_pieces_end_at_pauses(cut: int) -> None:
    said = [0] * 30 + [2, 0, 3] + [0] * 20 + [4, 4] + [0] * 200 + [5]
    whole = steps(said)
    found = list(pieces((whole[i : i + cut] for i in range(0, len(whole), cut)), [BLANK], 10, 1000))
    texts = [[(first + s.start, s.symbol) for s in greedy(piece)] for first, piece in found]
    assert texts == [[(30, 2), (32, 3)], [(53, 4)], [(255, 5)]]
    assert all(len(piece) <= 15 for _, piece in found)


def test_who_never_pauses_is_cut_at_the_longest_rest() -> None:
    said = ([2, 0, 3, 0, 0, 0, 4, 0, 5, 0] * 30)[:-1]
    found = list(pieces([steps(said)], [BLANK], 10, 100))
    assert len(found) > 2
    assert all(len(piece) <= 110 for _, piece in found)
    assert [s.symbol for _, piece in found for s in greedy(piece)] == [symbol for symbol in said if symbol]
    assert all(piece.argmax(1)[-1] == BLANK for _, piece in found[:-1])


@given(st.lists(st.integers(0, 5), max_size=200), st.integers(1, 30), st.integers(5, 50), st.integers(1, 60))
@settings(deadline=None)
def test_pieces_lose_nothing(said: list[int], pause: int, most: int, chunk: int) -> None:
    whole = steps(said) if said else np.zeros((0, 6))
    found = list(pieces((whole[i : i + chunk] for i in range(0, len(whole), chunk)), [BLANK], pause, most))
    ends = 0
    silent = np.ones(len(whole), bool)
    for first, piece in found:
        assert first >= ends
        ends = first + len(piece)
        np.testing.assert_array_equal(piece, whole[first:ends])
        silent[first:ends] = False
    assert (whole[silent].argmax(1) == BLANK).all() if silent.any() else True


def test_hours_of_nothing_are_no_piece() -> None:
    assert list(pieces((blanks(1000, 6) for _ in range(100)), [BLANK], 10, 100)) == []


def words(text: str, start: float = 0.0, every: float = 1.0) -> list[Word]:
    """A word a second, of 0.6 s; a dot is a rest."""
    return [
        Word(letter, start + every * i, start + every * i + 0.6, 1.0) for i, letter in enumerate(text) if letter != "."
    ]


def joined(*said: tuple[float, float, list[Word]]) -> str:
    return "".join(word.text for word in joined_words(said))


def test_words_are_joined_in_the_run_that_windows_agree_on() -> None:
    assert joined((0, 10, words("abcdefghij")), (6, 16, words("ghijklmnop", 6))) == "abcdefghijklmnop"


def test_a_word_that_is_said_twice_in_a_hurry_is_two() -> None:
    """The second window begins between the two; its first word is the second one, though the first is near as well."""
    twice = [Word("a", 7.0, 7.4, 1.0), Word("a", 7.5, 7.9, 1.0)]
    assert joined((0, 8.2, twice), (7.45, 16, [Word("a", 7.52, 7.92, 1.0), Word("b", 8.5, 8.8, 1.0)])) == "aab"
    three = [*twice, Word("a", 8.0, 8.4, 1.0)]
    assert joined((0, 8.5, three), (7.45, 16, [*three[1:], Word("b", 9.0, 9.4, 1.0)])) == "aaab"


def test_what_is_cut_off_at_ends_of_windows_is_not_believed() -> None:
    assert joined((0, 10, words("abcdefghiX")), (6, 16, words("Yhijklmnop", 6))) == "abcdefghijklmnop"
    assert joined((0, 10, words("aaaaaaaaaX")), (6, 16, words("Yaaabaaaaa", 6))) == "aaaaaaaaaabaaaaa"


def test_without_agreement_the_middle_of_the_overlap_decides() -> None:
    assert joined((0, 10, words("abcdefghij")), (6, 16, words("GHIJklmnop", 6))) == "abcdefghIJklmnop"


def test_where_nobody_speaks_nothing_is_joined() -> None:
    assert joined((0, 10, []), (6, 16, words("ghij", 6)), (12, 22, []), (18, 28, [])) == "ghij"
    assert joined() == joined((0, 10, [])) == ""
    assert joined((0, 10, words("ab")), (10, 20, words("kl", 10))) == "abkl"


def test_a_last_window_that_reaches_far_back_repeats_nothing() -> None:
    text = "abcdefghijklmnopq"
    said = [(s, s + 10, words(text[s : s + 10], s)) for s in (0, 6, 7)]
    assert joined(*said) == text


def test_words_without_times_of_their_own_are_joined_where_they_agree() -> None:
    def untimed(text: str, start: float, end: float) -> tuple[float, float, list[Word]]:
        return start, end, [Word(letter, start, end, 1.0) for letter in text]

    assert joined(untimed("abcde", 0, 10), untimed("defg", 6, 16), untimed("ghi", 12, 22)) == "abcdefghi"
