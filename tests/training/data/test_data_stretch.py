"""Pitch and tempo change, each without the other."""

import sys

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("python_stretch", reason="python-stretch is not installed: pitch and tempo are not tested")

from unbraid.errors import RuntimeUnavailable
from unbraid.training.data.stretch import stretched

RATE = 44100


def tone(hertz: float, seconds: float = 2.0) -> np.ndarray:
    """Stereo, the right channel half as loud."""
    wave = 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)
    return np.stack((wave, wave / 2)).astype(np.float32)


def peak_hertz(audio: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)), 1 << 19))
    return float(np.argmax(spectrum) * RATE / (1 << 19))


@pytest.mark.parametrize("semitones", [-5.0, -0.5, 3.0, 12.0])
def test_a_shifted_tone_is_higher_and_lasts_as_long(semitones: float) -> None:
    found = stretched(tone(440), semitones, 1.0, RATE)
    assert found.dtype == np.float32
    assert found.shape == (2, 2 * RATE)
    assert peak_hertz(found[0]) == pytest.approx(440 * 2 ** (semitones / 12), rel=0.1 / 12 * np.log(2))  # 10 cents
    middle = found[:, RATE // 4 : -RATE // 4]
    level, right = np.sqrt(np.mean(middle**2, axis=1))
    assert level == pytest.approx(0.3 / np.sqrt(2), rel=0.1)
    assert right == pytest.approx(level / 2, rel=0.05)  # the stereo picture stays


@pytest.mark.parametrize("tempo", [0.8, 1.25])
def test_clicks_come_sooner_or_later_and_a_tone_stays(tempo: float) -> None:
    clicks = np.zeros((2, 2 * RATE), np.float32)
    clicks[:, RATE // 4 :: RATE // 2] = 1
    found = stretched(clicks, 0.0, tempo, RATE)
    assert found.shape[1] == pytest.approx(2 * RATE / tempo, abs=1)
    for number in range(4):
        at = round((0.25 + 0.5 * number) * RATE / tempo)
        near = np.sum(found[0, at - RATE // 100 : at + RATE // 100] ** 2)
        around = np.sum(found[0, max(0, at - RATE // 8) : at + RATE // 8] ** 2)
        assert near > 0.8 * around
    assert peak_hertz(stretched(tone(440), 0.0, tempo, RATE)[0]) == pytest.approx(440, rel=1e-3)


def test_neither_changes_nothing_much() -> None:
    audio = tone(440)
    np.testing.assert_allclose(stretched(audio, 0.0, 1.0, RATE)[:, 4410:-8820], audio[:, 4410:-8820], atol=0.02)


def test_the_same_becomes_the_same() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (2, RATE)).astype(np.float32)
    np.testing.assert_array_equal(stretched(noise, 2.0, 0.9, RATE), stretched(noise, 2.0, 0.9, RATE))


@pytest.mark.parametrize("samples", [1, 100, 5000])
@pytest.mark.parametrize("rate", [8000, 44100])
def test_short_pieces(samples: int, rate: int) -> None:
    found = stretched(tone(440)[:, :samples], 1.0, 0.9, rate)
    assert found.shape[1] == pytest.approx(samples / 0.9, abs=1)
    assert np.isfinite(found).all()


def test_silence_stays_silence() -> None:
    assert not stretched(np.zeros((2, RATE), np.float32), 2.0, 1.1, RATE).any()


def test_without_python_stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "python_stretch", None)
    with pytest.raises(RuntimeUnavailable) as caught:
        stretched(tone(440), 1.0, 1.0, RATE)
    assert str(caught.value) == (
        "Changes of pitch and tempo need python-stretch: `pip install python-stretch`, or set stretch_probability to 0."
    )
