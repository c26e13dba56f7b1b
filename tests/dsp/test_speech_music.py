"""Features of speech and music: each tells the one thing that it was made for, at any level."""

import numpy as np
import pytest

from unbraid.dsp.speech_music import SAMPLE_RATE, passage_features

TIME = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
NOISE = np.random.default_rng(0).standard_normal(len(TIME))
LOW_FRAMES, SYLLABLES, SLOW_CHANGE, PULSE, PERIODIC, STEADY, IN_TUNE = 0, 6, 14, 16, 18, 24, 25  # places of features


def chord(*hertz: float) -> np.ndarray:
    return sum(np.sin(2 * np.pi * k * f * TIME) / k for f in hertz for k in (1, 2, 3))


def glides() -> np.ndarray:
    """A voice whose pitch goes up and down as in speech, an octave within a second."""
    phase = 2 * np.pi * np.cumsum(150 * 2 ** (0.5 * np.sin(2 * np.pi * 1.3 * TIME))) / SAMPLE_RATE
    return sum(np.sin(k * phase) / k for k in range(1, 12))


def of(audio: np.ndarray) -> np.ndarray:
    return passage_features((0.1 * audio / np.abs(audio).max()).astype(np.float32))


@pytest.mark.parametrize("audio", [chord(220.0, 277.2, 329.6), glides() * (np.sin(2 * np.pi * 2 * TIME) > 0)])
def test_levels_do_not_matter(audio):
    soft = passage_features((0.001 * audio).astype(np.float32))
    assert soft == pytest.approx(passage_features((0.3 * audio).astype(np.float32)), abs=0.02)


def test_syllables_are_heard_four_times_a_second():
    syllables = NOISE * (1 + np.sin(2 * np.pi * 4.5 * TIME))
    assert of(syllables)[SYLLABLES] > 3 * of(NOISE)[SYLLABLES]


def test_pauses_are_frames_of_low_energy():
    assert of(NOISE * (np.sin(2 * np.pi * 1.5 * TIME) > 0))[LOW_FRAMES] > 0.4
    assert of(NOISE)[LOW_FRAMES] < 0.05


def test_beats_are_a_pulse():
    beats = NOISE * np.exp(-20 * (TIME % 0.5))
    assert of(beats)[PULSE] > 0.5 > of(NOISE)[PULSE]


def test_notes_are_steady_and_voices_glide():
    notes, voice = of(chord(220.0, 277.2, 329.6)), of(glides())
    assert notes[STEADY] > 0.9
    assert voice[STEADY] < 0.6
    assert min(notes[PERIODIC], voice[PERIODIC]) > of(NOISE)[PERIODIC]


def test_the_tempered_scale_is_in_tune_with_itself():
    scale = [220 * 2 ** (k / 12) for k in (0, 3, 7, 10)]
    assert of(chord(*scale))[IN_TUNE] > 0.6 > of(glides())[IN_TUNE]


@pytest.mark.parametrize("seconds", [1, 1.7, 4])
def test_all_are_finite_whatever_is_heard(seconds):
    for audio in (NOISE, np.ones(len(TIME)), np.eye(1, len(TIME), 999)[0], chord(100.0)):
        features = of(audio[: int(seconds * SAMPLE_RATE)])
        assert features.shape == (39,)
        assert np.isfinite(features).all()
