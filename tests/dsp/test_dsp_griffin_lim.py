"""Griffin & Lim's algorithm: a spectrogram becomes sound that has it, and magnitudes are found again in bands."""

import numpy as np
import pytest

from unbraid.dsp.griffin_lim import griffin_lim, linear_magnitudes
from unbraid.dsp.mel import mel_filters, mel_levels, to_db
from unbraid.hub.spec import Mel

MEL = Mel(256, 80, 64)


def voice(seconds: float = 1.0) -> np.ndarray:
    """Something with a pitch that rises, its harmonics, and a pause."""
    time = np.arange(round(8000 * seconds)) / 8000
    phase = 2 * np.pi * (120 * time + 40 * time**2)
    sound = sum(np.sin(k * phase) / k for k in range(1, 12)) * (0.1 + 0.1 * np.sin(2 * np.pi * 3 * time))
    return (0.3 * sound * (time < 0.8)).astype(np.float32)


def distance(one: np.ndarray, two: np.ndarray) -> float:
    return float(np.sqrt(np.mean((to_db(one) - to_db(two)) ** 2)))


def test_what_comes_out_has_the_spectrogram_the_better_the_longer_it_takes() -> None:
    levels = mel_levels(voice(), MEL, 8000)
    distances = [distance(mel_levels(griffin_lim(levels, MEL, 8000, n), MEL, 8000), levels) for n in (0, 4, 32)]
    assert distances[0] > 1.3 * distances[1] > 1.3 * distances[2]
    assert distances[2] < 4


def test_momentum_gets_there_sooner_and_a_good_start_sooner_still() -> None:
    levels = mel_levels(voice(), MEL, 8000)

    def left(**how: object) -> float:
        return distance(mel_levels(griffin_lim(levels, MEL, 8000, 8, **how), MEL, 8000), levels)  # type: ignore[arg-type]

    assert left(momentum=0.99, start=voice()) < left(momentum=0.99) < left()


def test_a_start_without_iterations_is_what_comes_out() -> None:
    levels = mel_levels(voice(), MEL, 8000)
    np.testing.assert_array_equal(griffin_lim(levels, MEL, 8000, 0, start=voice()), voice())


def test_a_tone_comes_back_as_it_was_but_for_its_phase() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 500 * np.arange(8000) / 8000)
    found = griffin_lim(mel_levels(tone, MEL, 8000), MEL, 8000)
    spectrum = np.abs(np.fft.rfft(found[1000:7000] * np.hanning(6000)))
    assert np.argmax(spectrum) * 8000 / 6000 == pytest.approx(500, abs=2)
    assert found[1000:7000].std() == pytest.approx(tone.std(), rel=0.1)


def test_magnitudes_fit_their_bands_and_none_is_negative() -> None:
    levels = mel_levels(voice(), MEL, 8000)
    magnitudes = linear_magnitudes(levels, MEL, 8000)
    assert magnitudes.min() >= 0
    bands = 20 * np.log10(magnitudes @ mel_filters(MEL, 8000).T + 1e-9)
    loud = levels > 0
    np.testing.assert_allclose(bands[loud], to_db(levels)[loud], atol=0.5)


@pytest.mark.parametrize("frames", [0, 1, 2, 7])
def test_as_long_as_its_frames_and_always_the_same(frames: int) -> None:
    levels = np.full((frames, 64), -0.5, np.float32)
    sound = griffin_lim(levels, MEL, 8000, 2)
    assert (sound.shape, sound.dtype) == ((80 * frames,), np.float32)
    np.testing.assert_array_equal(sound, griffin_lim(levels, MEL, 8000, 2))


def test_silence_stays_silence() -> None:
    assert np.abs(griffin_lim(np.full((20, 64), -1.0, np.float32), MEL, 8000)).max() < 5e-3
