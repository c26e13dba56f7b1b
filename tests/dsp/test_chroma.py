"""Chroma: notes are in their pitch classes and registers, out-of-tune recordings are brought in tune."""

import numpy as np
import pytest

from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.chroma import SAMPLE_RATE, Chroma


def tones(pitches: list[float], seconds: float = 3.0, harmonics: int = 4) -> FloatArray:
    """Sustained notes (1, T) with a few harmonics."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    sound = np.zeros(len(time))
    for pitch in pitches:
        hertz = 440 * 2 ** ((pitch - 69) / 12)
        sound += sum(0.1 / k * np.sin(2 * np.pi * k * hertz * time) for k in range(1, harmonics + 1))
    return np.asarray(sound[None], np.float32)


def chroma(signals: FloatArray, block: int = 10_000) -> tuple[FloatArray, float]:
    stream = Chroma(len(signals))
    for start in range(0, signals.shape[1], block):
        stream.add(signals[:, start : start + block])
    return stream.finish()


@pytest.mark.parametrize("root", [48, 53, 58, 61])
def test_a_triad_is_in_its_pitch_classes(root: int) -> None:
    found, _ = chroma(tones([root + 12, root + 16, root + 19]))
    treble = found[5:-5, 0, 1].mean(0)
    assert set(np.argsort(treble)[-3:].tolist()) == {root % 12, (root + 4) % 12, (root + 7) % 12}


def test_registers() -> None:
    found, _ = chroma(np.concatenate((tones([36], harmonics=1), tones([79], harmonics=1))))
    middle = found[5:-5].mean(0)  # (S, R, 12)
    assert middle[0, 0].argmax() == 0
    assert middle[0, 0].max() > 10 * middle[0, 1].max()
    assert middle[1, 1].argmax() == 7
    assert middle[1, 1].max() > 10 * middle[1, 0].max()


@pytest.mark.parametrize("cents", [-40, -15, 0, 25, 45])
def test_tuning(cents: float) -> None:
    found, tuning = chroma(tones([60 + cents / 100, 64 + cents / 100, 67 + cents / 100]))
    assert tuning == pytest.approx(cents, abs=4)
    assert set(np.argsort(found[5:-5, 0, 1].mean(0))[-3:].tolist()) == {0, 4, 7}


def test_blocks_do_not_matter() -> None:
    sound = tones([57, 60, 64])
    np.testing.assert_allclose(chroma(sound, 999)[0], chroma(sound, 10**6)[0], atol=1e-3)


@pytest.mark.parametrize("samples", [0, 1, 3000])
def test_silence(samples: int) -> None:
    found, tuning = chroma(np.zeros((4, samples), np.float32))
    assert found.shape == (-(-samples // 1600), 4, 2, 12)
    assert not found.any()
    assert tuning == 0
