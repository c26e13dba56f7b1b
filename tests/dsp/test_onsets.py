"""Onsets: rises count, level and vibrato do not, and blocks do not matter."""

import numpy as np
import pytest

from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.onsets import FRAMES_PER_SECOND, SAMPLE_RATE, Onsets


def onsets(signals: FloatArray, block: int = 8000) -> FloatArray:
    stream = Onsets(len(signals))
    for start in range(0, signals.shape[1], block):
        stream.add(signals[:, start : start + block])
    return stream.finish()


def clicks(times: list[float], seconds: float = 4.0) -> FloatArray:
    """Decaying bursts of noise (1, T)."""
    random = np.random.default_rng(0)
    signal = np.zeros((1, round(seconds * SAMPLE_RATE)), np.float32)
    for time in times:
        start = round(time * SAMPLE_RATE)
        burst = random.standard_normal(1600) * np.exp(-np.arange(1600) / 300)
        signal[0, start : start + 1600] += 0.3 * burst.astype(np.float32)
    return signal


def test_a_burst_is_an_onset_at_its_time() -> None:
    times = [1.0, 1.73, 2.9]
    strengths = onsets(clicks(times))[:, 0].sum(-1)  # (N,)
    assert len(strengths) == 4 * FRAMES_PER_SECOND
    for time in times:
        around = strengths[round((time - 0.1) * FRAMES_PER_SECOND) : round((time + 0.1) * FRAMES_PER_SECOND)]
        assert abs(around.argmax() / FRAMES_PER_SECOND - 0.1) <= 0.04  # a window is 64 ms long
    quiet = np.delete(strengths, [k for t in times for k in range(round(100 * t) - 6, round(100 * t) + 7)])
    assert quiet.max() < 0.2 * strengths.max()


def test_blocks_do_not_matter() -> None:
    signal = clicks([0.5, 2.0])
    np.testing.assert_allclose(onsets(signal, 777), onsets(signal, 100_000), atol=1e-4)


def test_level_does_not_matter() -> None:
    signal = clicks([0.5, 2.0, 3.0])
    signal[0, : 2 * SAMPLE_RATE] *= 2
    after = slice(250, None)  # the loudest sound so far rises from silence, which has a level
    np.testing.assert_allclose(onsets(signal)[after], onsets(0.4 * signal)[after], atol=2e-3)


def test_a_faint_stem_beside_a_loud_one_has_no_onsets() -> None:
    loud = np.concatenate((np.zeros((1, SAMPLE_RATE), np.float32), clicks([0.0], 3.0)), 1)
    loud[0] += 0.5 * np.sin(2 * np.pi * 220 * np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
    faint = 1e-2 * clicks([2.0])
    both = onsets(np.concatenate((loud, faint)))
    assert both[150:250, 1].max() < 1e-6
    assert onsets(faint)[150:250, 0].max() > 0.5


def test_vibrato_is_no_onset() -> None:
    time = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
    hertz = 880 * 2 ** (0.5 / 12 * np.sin(2 * np.pi * 5.5 * time))
    tone = (0.3 * np.sin(2 * np.pi * np.cumsum(hertz) / SAMPLE_RATE)).astype(np.float32)[None]
    assert onsets(tone)[50:-50].max() < 0.15 * onsets(clicks([2.0])).max()


@pytest.mark.parametrize("samples", [0, 1, 100, 16000])
def test_short_and_silent(samples: int) -> None:
    found = onsets(np.zeros((2, samples), np.float32))
    assert found.shape == (-(-samples // 160), 2, 3)
    assert not found.any()
