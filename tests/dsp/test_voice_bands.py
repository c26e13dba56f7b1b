"""Features of separated voices depend on who is louder where, on no level and on no sample rate."""

from itertools import pairwise

import numpy as np
import pytest

from engine_fakes import noise
from unbraid.dsp.voice_bands import BANDS, CONTEXT, EDGES_HZ, FLOOR, above_crossover, voice_features


def tone(hertz: float, rate: int, seconds: float = 1.0) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate).astype(np.float32)


@pytest.mark.parametrize("rate", [11025, 16000, 44100, 48000])
def test_what_is_above_4_khz_passes_and_what_is_below_dies(rate: int) -> None:
    middle = slice(rate // 10, -rate // 10)
    for hertz, passes in ((100, False), (3000, False), (4800, True), (5400, True)):
        heard = above_crossover(tone(hertz, rate), rate)[middle]
        if passes:
            np.testing.assert_allclose(heard, tone(hertz, rate)[middle], atol=2e-3)  # in phase
        else:
            assert np.abs(heard).max() < 2e-3


@pytest.mark.parametrize("rate", [16000, 22050, 44100, 48000])
def test_a_tone_is_in_its_band_at_every_rate(rate: int) -> None:
    cell = rate // 100
    for band, edges in enumerate(pairwise(EDGES_HZ)):
        audio = np.stack((tone(sum(edges) / 2, rate), np.zeros(rate, np.float32)))[:, None]
        features = voice_features(audio, rate, cell)
        assert features.shape == (2, 1, -(-rate // cell), 2 * BANDS)
        loud, silent = features[:, 0, 10:-10].mean(1)
        assert loud[:BANDS].argmax() == band
        assert loud[band] > -0.2  # nearly all of the power
        np.testing.assert_allclose(loud[BANDS:], np.log10(FLOOR), atol=1e-5)  # nobody else
        np.testing.assert_allclose(silent[BANDS:], loud[:BANDS], atol=1e-5)


def test_features_do_not_depend_on_the_level() -> None:
    stems = noise(2, 8000)[:, None]
    loud, soft = (voice_features(stems * gain, 16000, 160) for gain in (1.0, 1e-3))
    np.testing.assert_allclose(loud, soft, atol=1e-4)


def test_a_cell_depends_on_its_context_only() -> None:
    stems = noise(2, 32_000)[:, None]
    changed = stems.copy()
    changed[..., 16_000:] = 0
    before = 100 - CONTEXT
    whole, half = (voice_features(audio, 16000, 160)[..., :before, :] for audio in (stems, changed))
    np.testing.assert_allclose(whole, half, atol=1e-6)


def test_silence_is_at_the_floor() -> None:
    features = voice_features(np.zeros((3, 2, 4000), np.float32), 16000, 160)
    np.testing.assert_allclose(features, np.log10(FLOOR), atol=1e-6)
