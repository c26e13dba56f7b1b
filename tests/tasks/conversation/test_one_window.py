"""The people of a recording of one window: outputs that are active for long enough, by their powers in frames."""

import numpy as np
import pytest

from unbraid.tasks.conversation.activity import FRAME_SECONDS, active
from unbraid.tasks.conversation.one_window import voices_of
from voice_fakes import RATE, by_band, counting, voices

LEAK_DB = -20.0


def frames(seconds: float) -> int:
    return round(seconds / FRAME_SECONDS)


def talk(*turns: tuple[int, float, float], outputs: int = 3, seconds: float = 10.0) -> np.ndarray:
    """Powers (S, N) of turns (output, from, to) in seconds, each of which leaks to all other outputs."""
    powers = np.zeros((outputs, frames(seconds)), np.float32)
    for output, begin, end in turns:
        here = slice(frames(begin), frames(end))
        leak = np.full(outputs, 10 ** (LEAK_DB / 10))
        leak[output] = 1.0
        powers[:, here] = np.maximum(powers[:, here], leak[:, None])
    return powers


def found(powers: np.ndarray, fewest: int = 1, most: int = 20) -> list[int]:
    return voices_of(active(powers), powers, (fewest, most))


@pytest.mark.parametrize(
    ("powers", "expected"),
    [
        (talk((1, 0, 10)), [1]),
        (talk((2, 0, 5), (0, 5, 10)), [0, 2]),
        (talk((0, 4, 10), (1, 2, 10), (2, 0, 10)), [0, 1, 2]),
        (talk((0, 0, 10), (1, 3, 3.4)), [0]),  # a word is none
        (talk((0, 0, 10), (1, 3, 4)), [0, 1]),
        (talk((0, 0, 1), (1, 1, 1.4), seconds=2), [0, 1]),  # but may be in a short recording
        (np.zeros((3, 50), np.float32), [0]),
    ],
)
def test_voices_are_outputs_that_are_active_long_enough(powers: np.ndarray, expected: list[int]) -> None:
    for scale in (1.0, 1e-6, 1e4):  # whatever the level of the recording
        assert found(np.float32(scale) * powers) == expected


def test_the_outputs_that_are_active_longest_are_kept() -> None:
    powers = talk((2, 0, 1), (0, 1, 8), (1, 8, 10))
    assert found(powers, most=1) == [0]
    assert found(powers, most=2) == [0, 1]
    assert found(talk((0, 0, 10)), fewest=2) in ([0, 1], [0, 2])


def test_tracks_of_one_window_add_up_to_the_recording() -> None:
    """A person is heard from beginning to end, also where somebody else is much louder."""
    mixture = voices((0, 0, 0.9), (2, 0.2, 0.9), seconds=1.0).sum(0)
    mixture += 1e-3 * np.random.default_rng(0).normal(size=mixture.shape).astype(np.float32)
    tracks = counting()(mixture, RATE)
    assert list(tracks) == ["speaker1", "speaker2"]
    np.testing.assert_allclose(sum(tracks.values()), mixture, atol=1e-6)
    low = by_band(mixture)[:, 0]
    assert np.abs(tracks["speaker1"] - low).max() < 0.15 * np.abs(low).max()
