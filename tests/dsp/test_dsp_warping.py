"""The distance of spectrograms that need not keep pace, against the recursion written out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.dsp.warping import warped_distance


def levels(frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, frames)).uniform(-1, 1, (frames, 3)).astype(np.float32)


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 9))
def test_it_is_the_best_of_all_paths(n: int, m: int) -> None:
    one, two = levels(n), levels(m, 1)
    best: dict[tuple[int, int], tuple[float, int]] = {}
    for i in range(n):
        for j in range(m):
            before = [best[k] for k in ((i - 1, j - 1), (i - 1, j), (i, j - 1)) if k in best]
            cost, count = min(before, key=lambda pair: pair[0], default=(0.0, 0))
            best[i, j] = cost + float(np.abs(one[i] - two[j]).mean()), count + 1
    cost, count = best[n - 1, m - 1]
    assert warped_distance(one, two) == pytest.approx(cost / count, rel=1e-5)


@settings(deadline=None)
@given(st.integers(1, 20), st.lists(st.integers(1, 4), min_size=20, max_size=20))
def test_another_pace_is_no_distance(frames: int, repeats: list[int]) -> None:
    slow = np.repeat(levels(frames), repeats[:frames], axis=0)
    assert warped_distance(levels(frames), slow) == warped_distance(slow, levels(frames)) == 0


def test_an_offset_is_a_distance() -> None:
    assert warped_distance(levels(7), levels(7) + 5) >= 3  # levels are between -1 and 1
    assert warped_distance(np.zeros((7, 3)), np.ones((4, 3))) == 1
