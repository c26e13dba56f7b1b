"""The log-mel spectrogram: where frames lie, what levels mean, and what silence is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.dsp.mel import from_db, mel_filters, mel_frames, mel_levels, to_db
from unbraid.hub.spec import Mel

RATE = 8000
MEL = Mel()


@given(st.integers(0, 700), st.sampled_from([Mel(), Mel(64, 64, 8), Mel(400, 160, 80)]))
@settings(max_examples=40)
def test_there_is_a_frame_for_every_hop_begun(samples: int, mel: Mel) -> None:
    levels = mel_levels(np.ones(samples, np.float32), mel, RATE)
    assert levels.dtype == np.float32
    assert levels.shape == (mel_frames(samples, mel), mel.bins) == (-(-samples // mel.hop_samples), mel.bins)


def test_a_click_is_loudest_in_the_frame_around_it() -> None:
    for frame in (0, 7, 49):
        audio = np.zeros(50 * MEL.hop_samples, np.float32)
        audio[frame * MEL.hop_samples + MEL.hop_samples // 2] = 1
        assert mel_levels(audio, MEL, RATE).mean(1).argmax() == frame


@pytest.mark.parametrize("hertz", [250.0, 1000.0, 3000.0])
def test_a_tone_is_in_the_band_around_its_frequency_at_about_its_level(hertz: float) -> None:
    tone = np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE).astype(np.float32)
    decibels = to_db(mel_levels(tone, MEL, RATE))[50]
    centres = mel_filters(MEL, RATE) @ (np.arange(129) * RATE / 256)
    nearest = int(np.abs(centres - hertz).argmin())
    assert abs(int(decibels.argmax()) - nearest) <= 1
    assert -8 < decibels.max() <= 0.1  # a wide band holds bins beside the tone, too
    softer = to_db(mel_levels(0.1 * tone, MEL, RATE))[50]
    assert decibels.max() - softer.max() == pytest.approx(20, abs=0.01)


def test_silence_is_the_floor_and_levels_are_decibels() -> None:
    assert (mel_levels(np.zeros(800, np.float32), MEL, RATE) == -1).all()
    assert from_db(np.array([0.0, -40.0, -80.0, -200.0])).tolist() == [1, 0, -1, -1]
    assert to_db(np.array([1, 0, -1])).tolist() == [0, -40, -80]


@pytest.mark.parametrize("mel", [Mel(), Mel(256, 80, 128), Mel(1024, 256, 80)])
def test_every_band_averages_and_none_is_empty(mel: Mel) -> None:
    filters = mel_filters(mel, RATE)
    assert filters.min() >= 0
    assert filters.sum(1) == pytest.approx(np.ones(mel.bins), abs=1e-5)
    assert (np.diff(filters.argmax(1)) >= 0).all()


def test_noise_is_about_as_loud_in_all_bands() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 5 * RATE).astype(np.float32)
    means = to_db(mel_levels(noise, MEL, RATE)).mean(0)
    assert means.max() - means.min() < 3


def test_axes_before_time_stay() -> None:
    audio = np.random.default_rng(0).normal(0, 0.1, (2, 3, 900)).astype(np.float32)
    levels = mel_levels(audio, MEL, RATE)
    assert levels.shape == (2, 3, 12, 64)
    assert levels[1, 2] == pytest.approx(mel_levels(audio[1, 2], MEL, RATE), abs=1e-5)


def test_normalized_levels_are_the_same_however_soft_a_recording_is() -> None:
    loud = np.random.default_rng(0).standard_normal(4000).astype(np.float32)
    normalized = Mel(normalized=True)
    assert mel_levels(loud, normalized, RATE).max() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(
        mel_levels(0.01 * loud, normalized, RATE), mel_levels(loud, normalized, RATE), rtol=0, atol=1e-5
    )
    silent = mel_levels(1e-6 * loud, normalized, RATE)
    assert to_db(silent.max()) < -50  # what nobody can hear is not made as loud as speech


def test_recordings_side_by_side_are_normalized_each_on_its_own() -> None:
    both = np.random.default_rng(0).standard_normal((2, 1, 800)).astype(np.float32) * np.float32([[[1]], [[0.01]]])
    levels = mel_levels(both, Mel(normalized=True), RATE)
    assert levels.max((-2, -1)) == pytest.approx(np.ones((2, 1)), abs=1e-6)


@pytest.mark.parametrize("mel", [MEL, Mel(normalized=True)])
def test_noise_is_taken_off_and_words_are_not(mel: Mel) -> None:
    words = tones_with_pauses()
    noise = 0.01 * np.random.default_rng(0).standard_normal(len(words)).astype(np.float32)
    gated = np.where(words == 0, 0, words + noise).astype(np.float32)  # noise is heard with words alone
    for noisy in (words + noise, gated):
        bare, heard = (to_db(mel_levels(noisy, mel, RATE, without_noise=is_asked)) for is_asked in (False, True))
        loud = bare > bare.max() - 20
        assert np.abs(bare - heard)[loud].max() < 0.1
        assert np.median((bare - heard)[loud.any(1)][:, -8:]) == pytest.approx(10, abs=0.5)  # the most


def test_nothing_is_taken_off_where_there_is_no_noise() -> None:
    words = np.stack((tones_with_pauses(), np.zeros(RATE, np.float32)))
    bare, heard = (to_db(mel_levels(words, MEL, RATE, without_noise=is_asked)) for is_asked in (False, True))
    assert np.median(np.abs(heard - bare)[bare > bare.max() - 40]) < 0.01
    assert (heard[1] == -80).all()
    assert mel_levels(words[:, :0], MEL, RATE, without_noise=True).shape == (2, 0, 64)


def tones_with_pauses() -> np.ndarray:
    """A second with 0.1 s of 300, 1000, 2000 and 300 Hz at -6 dB, and pauses between them."""
    time = np.arange(RATE) / RATE
    hertz = np.array([0, 300, 0, 0, 1000, 0, 2000, 0, 300, 0])[(time * 10).astype(int)]
    return (0.5 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)
