"""Log-mel spectrograms for embeddings: filters in front of the microphone are gone, and SpeechBrain's levels are dB."""

import numpy as np
import pytest

from unbraid.dsp.filterbank import FILTERBANKS, centred_levels, speechbrain_levels
from unbraid.dsp.framing import Mel

MEL = Mel(400, 160, 24)
RATE = 16000


def hiss(samples: int = 16000) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)


@pytest.mark.parametrize("filterbank", FILTERBANKS)
def test_means_over_time_are_gone_and_gains_with_them(filterbank: str) -> None:
    levels = centred_levels(hiss(), MEL, RATE, filterbank)
    assert levels.dtype == np.float32
    assert np.abs(levels.mean(0)).max() < 1e-4
    softer = centred_levels(0.1 * hiss(), MEL, RATE, filterbank)
    np.testing.assert_allclose(softer, levels, atol=1e-3)


@pytest.mark.parametrize("filterbank", FILTERBANKS)
def test_a_batch_is_each_alone(filterbank: str) -> None:
    both = np.stack((hiss(), np.roll(hiss(), 99) * np.linspace(0, 1, 16000, dtype=np.float32)))
    together = centred_levels(both, MEL, RATE, filterbank)
    for one, levels in zip(both, together, strict=True):
        np.testing.assert_allclose(centred_levels(one, MEL, RATE, filterbank), levels, atol=1e-4)


def test_frames_lie_around_their_samples_and_end_with_the_last() -> None:
    assert speechbrain_levels(hiss(1600), MEL, RATE).shape == (11, 24)
    click = np.zeros(4800, np.float32)
    click[1600] = 1
    levels = speechbrain_levels(click, MEL, RATE).mean(1)
    assert levels.argmax() == 10
    np.testing.assert_allclose(levels[9], levels[11], atol=1e-3)  # as far before as after


def test_nothing_is_further_than_80_db_below_the_loudest_or_below_the_floor() -> None:
    sound = np.concatenate((np.zeros(8000, np.float32), hiss(8000)))
    levels = speechbrain_levels(sound, MEL, RATE)
    assert levels.max() - levels.min() == pytest.approx(80, abs=1e-3)
    np.testing.assert_allclose(speechbrain_levels(np.zeros(800, np.float32), MEL, RATE), -100, atol=1e-4)


def test_a_tone_lies_in_the_band_of_its_frequency() -> None:
    """Twice the amplitude is 6 dB more."""
    time = np.arange(RATE) / RATE
    tone = np.sin(2 * np.pi * 1000 * time).astype(np.float32)
    levels = speechbrain_levels(tone, MEL, RATE)[50]
    mel = 2595 * np.log10(1 + np.array([1000, 8000]) / 700)
    assert levels.argmax() == round(mel[0] / mel[1] * 25) - 1
    assert speechbrain_levels(2 * tone, MEL, RATE)[50].max() - levels.max() == pytest.approx(6.02, abs=0.01)
