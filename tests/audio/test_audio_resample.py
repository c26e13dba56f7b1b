"""Resampling by physics: what both rates hold survives in place, what the lower cannot hold dies, lengths are exact."""

import numpy as np
import pytest
from audio_signals import noise
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.audio import Resampler, resample, resampled_length

PAIRS = [(44100, 16000), (16000, 44100), (44100, 8000), (8000, 48000), (48000, 44100), (192000, 11025)]
RATES = st.sampled_from([8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000, 192000])


def tone(hertz: float, rate: int, seconds: float = 1.0) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate).astype(np.float32)[None]


def inner(audio: np.ndarray, rate: int) -> np.ndarray:
    """Without the tenth of a second at each end."""
    return audio[:, rate // 10 : -(rate // 10)]


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_a_tone_in_band_keeps_gain_and_phase(old: int, new: int) -> None:
    hertz = 0.4 * min(old, new)
    error = inner(resample(tone(hertz, old), old, new) - tone(hertz, new)[:, : resampled_length(old, old, new)], new)
    assert np.abs(error).max() < 2e-3  # flat to 0.01 dB
    error = inner(resample(tone(440, old), old, new) - tone(440, new), new)
    assert np.abs(error).max() < 2e-4


@pytest.mark.parametrize(("old", "new"), [pair for pair in PAIRS if pair[1] < pair[0]])
def test_a_tone_above_the_new_band_dies(old: int, new: int) -> None:
    for hertz in (0.502 * new, min(0.7 * new, 0.49 * old)):
        assert np.abs(inner(resample(tone(hertz, old), old, new), new)).max() < 1e-5  # -100 dB


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_constants_stay(old: int, new: int) -> None:
    flat = resample(np.full((2, old), 0.5, np.float32), old, new)
    assert np.abs(inner(flat, new) - 0.5).max() < 1e-4


def in_blocks(audio: np.ndarray, old: int, new: int, size: int) -> np.ndarray:
    resampler = Resampler(old, new, audio.shape[0])
    parts = [resampler(audio[:, start : start + size]) for start in range(0, audio.shape[1], size)]
    return np.concatenate([*parts, resampler.finish()], axis=1)


@settings(max_examples=60, deadline=None)
@given(old=RATES, new=RATES, frames=st.integers(1, 20000), size=st.integers(50, 8000), channels=st.integers(1, 4))
def test_blocks_equal_the_whole_and_lengths_are_exact(
    old: int, new: int, frames: int, size: int, channels: int
) -> None:
    audio = noise(channels, frames)
    before = audio.copy()
    whole = resample(audio, old, new)
    assert whole.shape == (channels, resampled_length(frames, old, new))
    assert whole.dtype == np.float32
    assert np.abs(in_blocks(audio, old, new, size) - whole).max() < 1e-6
    np.testing.assert_array_equal(audio, before)
    back = resample(whole, new, old)[:, :frames]
    assert back.shape == audio.shape


@given(frames=st.integers(1, 1 << 34), old=RATES, new=RATES)
def test_the_length_rule_never_loses_the_way_back(frames: int, old: int, new: int) -> None:
    there = resampled_length(frames, old, new)
    assert there >= 1
    assert there - 1 < frames * new / old * (1 + 1e-12)
    assert frames <= resampled_length(there, new, old)


@pytest.mark.parametrize(("old", "new"), [(16000, 44100), (44100, 16000), (48000, 44100)])
def test_there_and_back_is_the_same_below_both_bands(old: int, new: int) -> None:
    audio = tone(0.1 * min(old, new), old)
    back = resample(resample(audio, old, new), new, old)[:, : audio.shape[1]]
    assert np.abs(inner(back - audio, old)).max() < 1e-3


def test_no_input_gives_no_output() -> None:
    assert Resampler(8000, 16000, 2).finish().shape == (2, 0)
    assert resample(np.zeros((1, 1), np.float32), 192000, 8000).shape == (1, 1)
