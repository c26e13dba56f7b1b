"""Counting voices by the levels of outputs over time."""

import numpy as np
import pytest

from unbraid.tasks.separation.counting import FRAME_SECONDS, Activity, Levels

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


def seen(powers: np.ndarray, size: int = 1000) -> Activity:
    """What was seen of powers (S, N), so many frames at a time."""
    activity = Activity(len(powers))
    for i in range(0, powers.shape[-1], size):
        activity.add(powers[:, i : i + size])
    return activity


@pytest.mark.parametrize(
    ("powers", "expected"),
    [
        (talk((1, 0, 10)), [1]),
        (talk((2, 0, 5), (0, 5, 10)), [2, 0]),
        (talk((0, 4, 10), (1, 2, 10), (2, 0, 10)), [2, 1, 0]),
        (talk((0, 0, 10), (1, 3, 3.4)), [0]),  # a word is none
        (talk((0, 0, 10), (1, 3, 4)), [0, 1]),
        (talk((0, 0, 1), (1, 1, 1.4), seconds=2), [0, 1]),  # but may be in a short recording
        (np.zeros((3, 50), np.float32), [0]),
        (np.zeros((3, 0), np.float32), [0]),
    ],
)
def test_voices_are_outputs_that_are_active_long_enough(powers: np.ndarray, expected: list[int]) -> None:
    for scale in (1.0, 1e-6, 1e4):  # whatever the level of the recording
        for size in (1, 7, 1000):
            assert seen(np.float32(scale) * powers, size).voices() == expected


def test_what_goes_astray_in_a_long_recording_is_no_voice() -> None:
    powers = talk((0, 0, 1000), seconds=1000)
    powers[:, ::25] = powers[[1, 0, 2]][:, ::25]  # one frame in 25 comes out on the other output
    assert seen(powers).voices() == [0]


def test_noise_in_a_long_pause_is_no_voice() -> None:
    powers = talk((0, 0, 3), seconds=300) + np.float32(1e-3)
    assert seen(powers).voices() == [0]


def test_the_outputs_that_are_active_longest_are_kept() -> None:
    activity = seen(talk((2, 0, 1), (0, 1, 8), (1, 8, 10)))
    assert activity.longest(1) == [0]
    assert activity.longest(2) == [0, 1]
    assert activity.longest(3) == [2, 0, 1]
    assert seen(np.zeros((3, 4), np.float32)).longest(2) == [0, 1]


def test_of_those_that_begin_together_the_louder_one_comes_first() -> None:
    powers = talk((0, 0, 10), (1, 0, 10))
    powers[1] *= 1.5
    assert seen(powers).voices() == [1, 0]


@pytest.mark.parametrize("sizes", [(7000,), (1, 799, 0, 800, 3000, 2400), (13,) * 538 + (6,)])
def test_levels_do_not_depend_on_blocks(sizes: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    stems = random.normal(size=(3, 2, 7000)).astype(np.float32)
    levels = Levels(8000)
    found = [levels.add(stems[..., end - size : end]) for size, end in zip(sizes, np.cumsum(sizes), strict=True)]
    expected = np.square(stems[..., :6400]).reshape(3, 2, 8, 800).mean((1, 3))
    np.testing.assert_allclose(np.concatenate(found, -1), expected, rtol=1e-5)
    np.testing.assert_allclose(levels.finish(), np.square(stems[..., 6400:]).mean((1, 2))[:, None], rtol=1e-5)


def test_no_frame_is_left_where_all_are_complete() -> None:
    levels = Levels(8000)
    assert levels.add(np.ones((2, 1, 800), np.float32)).shape == (2, 1)
    assert levels.finish().shape[-1] == 0
