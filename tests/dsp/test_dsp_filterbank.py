"""Log-mel spectrograms for embeddings: filters in front of the microphone are gone, and toolkits' levels are theirs."""

from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from unbraid.dsp.filterbank import FILTERBANKS, centred_levels, hamming_levels, povey_levels, speechbrain_levels
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


@pytest.mark.parametrize(("filterbank", "golden"), [("3d-speaker", "3d_speaker"), ("wespeaker", "wespeaker")])
def test_levels_are_those_of_kaldi(filterbank: str, golden: str, goldens: Path) -> None:
    """Of kaldi-native-fbank, which computes in float32; the input rises from -70 dB."""
    io = safetensors.numpy.load_file(goldens / golden / "io.safetensors")
    found = FILTERBANKS[filterbank](io["audio"], Mel(400, 160, 16), RATE)
    np.testing.assert_allclose(found, io["levels"], atol=1e-4)


def test_kaldis_frames_are_whole_and_have_no_mean() -> None:
    assert povey_levels(hiss(400), MEL, RATE).shape == (1, 24)
    assert povey_levels(hiss(719), MEL, RATE).shape == (2, 24)
    assert povey_levels(hiss(720), MEL, RATE).shape == (3, 24)
    np.testing.assert_allclose(hamming_levels(hiss() + 0.5, MEL, RATE), hamming_levels(hiss(), MEL, RATE), atol=1e-3)


def test_kaldis_levels_are_logarithms_of_powers_with_a_floor() -> None:
    """Half the amplitude is 2 ln 2 less; 16-bit samples are 30 ln 2 more, but for the window."""
    sound = hiss()
    np.testing.assert_allclose(
        povey_levels(sound, MEL, RATE) - povey_levels(sound / 2, MEL, RATE), 2 * np.log(2), atol=1e-5
    )
    more = hamming_levels(sound, MEL, RATE) - povey_levels(sound, MEL, RATE)
    assert np.median(more) == pytest.approx(30 * np.log(2), abs=0.2)
    np.testing.assert_allclose(povey_levels(0 * sound, MEL, RATE), -23 * np.log(2), rtol=1e-6)
