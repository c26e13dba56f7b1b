"""Whisper's spectrogram: its bands, its range, and transformers' own."""

import numpy as np
import pytest

from unbraid.dsp.framing import Mel
from unbraid.dsp.slaney_mel import slaney_filters
from unbraid.dsp.whisper_mel import whisper_mel

RATE, BANDS = 16000, (80, 128)


def mel(bins: int) -> Mel:
    return Mel(400, 160, bins, form="whisper")


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)


@pytest.mark.parametrize("bins", BANDS)
def test_a_tone_is_loudest_in_the_band_that_has_it(bins: int) -> None:
    for hertz in (400.0, 1000.0, 3000.0):
        tone = np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE).astype(np.float32)
        band = int(whisper_mel(tone, mel(bins), RATE)[50].argmax())
        assert slaney_filters(mel(bins), RATE)[band, round(hertz / 40)] > 0


@pytest.mark.parametrize("bins", BANDS)
def test_bands_have_equal_areas(bins: int) -> None:
    wide = slaney_filters(mel(bins), RATE)[bins // 2 :]  # low ones are narrower than a few bins
    np.testing.assert_allclose(wide.sum(1) * 40, 1, atol=0.1)


def test_levels_lie_within_eight_decades_of_the_loudest() -> None:
    audio = noise(1) * np.linspace(1, 0, RATE, dtype=np.float32) ** 20
    levels = whisper_mel(audio, mel(80), RATE)
    assert levels.shape == (100, 80)
    assert levels.dtype == np.float32
    assert levels.max() - levels.min() == pytest.approx(2.0)
    louder = whisper_mel(10 * audio, mel(80), RATE)
    np.testing.assert_allclose(louder - levels, 0.5, atol=1e-4)  # 100 times the power: 2 decades


@pytest.mark.parametrize("bins", BANDS)
def test_it_is_that_of_transformers(bins: int) -> None:
    transformers = pytest.importorskip("transformers")
    audio = np.pad(noise(12.3), (0, round(17.7 * RATE)))
    theirs = transformers.WhisperFeatureExtractor(feature_size=bins)(audio, sampling_rate=RATE, return_tensors="np")
    np.testing.assert_allclose(whisper_mel(audio, mel(bins), RATE), theirs.input_features[0].T, rtol=0, atol=1e-5)
