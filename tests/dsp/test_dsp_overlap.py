"""Windows cover the input exactly, and joining what is the same twice changes nothing."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_fakes import noise
from unbraid.dsp.overlap import Joiner, windows


def cut(audio: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (audio[..., i : i + size] for i in range(0, audio.shape[-1], size))


sizes = st.tuples(st.integers(1, 60), st.integers(0, 30)).filter(lambda pair: 2 * pair[1] <= pair[0])


@given(samples=st.integers(1, 400), block=st.integers(1, 150), size=sizes)
@settings(max_examples=150, deadline=None)
def test_windows_cover_everything_once_and_are_full(samples: int, block: int, size: tuple[int, int]) -> None:
    window, overlap = size
    x = np.arange(samples, dtype=np.float32)[None]
    end = 0
    for i, (piece, new) in enumerate(windows(cut(x, block), window, overlap)):
        end += new
        assert 1 <= new <= (window if i == 0 else window - overlap)
        np.testing.assert_array_equal(piece, x[:, max(0, end - window) : end])
        assert piece.shape[1] == min(window, samples)
    assert end == samples


@given(samples=st.integers(1, 400), block=st.integers(1, 150), size=sizes)
@settings(max_examples=150, deadline=None)
def test_joining_windows_of_one_signal_gives_the_signal(samples: int, block: int, size: tuple[int, int]) -> None:
    window, overlap = size
    x = noise(2, samples)
    joiner = Joiner(overlap)
    pieces = []
    for piece, new in windows(cut(x, block), window, overlap):
        if (pair := joiner.overlap(piece, new)) is not None:
            assert pair[0].shape == pair[1].shape == (2, min(overlap, samples))
            np.testing.assert_array_equal(pair[0], pair[1])
        pieces.append(joiner.add(piece, new))
    if (rest := joiner.finish()) is not None:
        pieces.append(rest)
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), x)


def test_no_longer_than_a_window_comes_as_it_is() -> None:
    for samples in (1, 29, 30):
        x = noise(1, samples)
        ((piece, new),) = windows(cut(x, 7), 30, 10)
        assert new == samples
        np.testing.assert_array_equal(piece, x)


def test_neighbours_are_faded_into_each_other() -> None:
    """From one constant to another: monotone, from end to end, and no sample out of the overlap is touched."""
    joiner = Joiner(8)
    first = joiner.add(np.zeros((1, 20), np.float32), 20)
    joined = np.concatenate((first, joiner.add(np.ones((1, 20), np.float32), 12), joiner.finish()), axis=1)[0]
    assert len(joined) == 32
    assert not joined[:12].any()
    assert (joined[20:] == 1).all()
    assert (np.diff(joined[11:21]) > 0).all()
    np.testing.assert_allclose(joined[12:20] + joined[19:11:-1], 1, atol=1e-6)  # the two weights add up to one


def test_nothing_in_nothing_out() -> None:
    assert list(windows(iter([]), 10, 2)) == []
    assert Joiner(3).finish() is None


@pytest.mark.parametrize("overlap", [-1, 10, 11])
def test_an_overlap_that_is_no_overlap_is_refused(overlap: int) -> None:
    with pytest.raises(ValueError, match=rf"^overlap \({overlap}\) must be at least 0 and less than the window \(10\)"):
        list(windows(iter([]), 10, overlap))
