"""BSS Eval 4: what each of its four scores is blind to, what it sees, and museval's own numbers."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from unbraid.evaluation.bss4 import NAMES, Frames, bss_eval_4

RATE, TAPS = 2000, 32  # samples a frame, of the filters
SDR, ISR, SIR, SAR = range(4)


def coloured(sources: int = 3, samples: int = 5 * RATE + 300, seed: int = 0) -> np.ndarray:
    """Stereo sources, all different, with unlike channels, in steps of 16 bits: (S, 2, T)."""
    random = np.random.default_rng(seed)
    waves = random.normal(0, 0.1, (sources, 2, samples))
    for source in range(sources):
        waves[source, 1] = 0.5 * waves[source, 0] + np.roll(waves[source, 1], source)
    smooth = waves + 0.6 * np.roll(waves, 1, -1) + 0.3 * np.roll(waves, 2, -1)
    return np.round(smooth * 2**15) / 2**15


def framed(references: np.ndarray, estimates: np.ndarray) -> Frames:
    def frames() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, references.shape[-1], RATE):
            piece = slice(start, start + RATE)
            yield references[..., piece], estimates[..., piece]

    return frames


def medians(references: np.ndarray, estimates: np.ndarray) -> np.ndarray:
    return np.nanmedian(bss_eval_4(framed(references, estimates), TAPS), axis=-1)  # (4, S)


def test_each_score_sees_its_own_fault() -> None:
    s = coloured()
    quieter = medians(s, 0.5 * s)
    assert quieter[SDR] == pytest.approx(20 * np.log10(2), abs=1e-3)
    assert quieter[ISR] == pytest.approx(20 * np.log10(2), abs=1e-3)
    assert (quieter[SIR] > 40).all()
    assert (quieter[SAR] > 40).all()

    leaky = medians(s, s + 0.1 * s[[1, 2, 0]])
    level = 20 + 10 * np.log10(np.mean(s**2, (1, 2)) / np.mean(s[[1, 2, 0]] ** 2, (1, 2)))
    assert leaky[SDR] == pytest.approx(level, abs=0.2)
    assert leaky[SIR] == pytest.approx(level, abs=0.5)
    assert (leaky[ISR] > 30).all()
    assert (leaky[SAR] > 40).all()

    noise = 0.1 * coloured(seed=9)
    hissing = medians(s, s + noise)
    assert hissing[SDR] == pytest.approx(20, abs=0.3)
    assert hissing[SAR] == pytest.approx(20, abs=0.6)
    assert (hissing[SIR] > 30).all()


def test_a_silent_frame_has_no_score_and_a_short_last_one_is_not_scored() -> None:
    references, estimates = coloured(), coloured(seed=1)
    references[1, :, RATE : 2 * RATE] = 0
    estimates[2, :, 3 * RATE : 4 * RATE] = 0
    scores = bss_eval_4(framed(references, estimates), TAPS)
    assert scores.shape == (4, 3, 5)
    assert np.isnan(scores).all((0, 1)).tolist() == [False, True, False, True, False]


def test_a_song_shorter_than_a_frame_is_one_frame() -> None:
    s = coloured(samples=700)
    assert bss_eval_4(framed(s, s), TAPS).shape == (4, 3, 1)


def test_an_estimate_that_is_silent_all_through_spoils_no_other() -> None:
    s = coloured()
    estimates = s + 0.1 * coloured(seed=1)
    whole = bss_eval_4(framed(s, estimates), TAPS)
    estimates[1] = 0
    scores = bss_eval_4(framed(s, estimates), TAPS)
    assert np.isnan(scores[:, 1]).all()
    np.testing.assert_allclose(scores[:, [0, 2]], whole[:, [0, 2]], atol=1e-6)


def test_channels_that_are_alike_or_silent_can_be_solved() -> None:
    s = coloured(2)
    for right in (s[:, 0], 0 * s[:, 0], -s[:, 0]):
        references = np.stack((s[:, 0], right), axis=1)
        scores = medians(references, references + 0.1 * references[::-1])
        assert np.isfinite(scores).all()
        assert scores[SDR] == pytest.approx(20, abs=1.5)


def test_nothing_in_a_band_is_no_trouble() -> None:
    """Lossy files hold nothing above a cut-off: there filters of any gain would fit."""
    s = coloured()
    spectra = np.fft.rfft(s)
    spectra[..., spectra.shape[-1] // 2 :] = 0
    smooth = np.fft.irfft(spectra, s.shape[-1])
    scores = medians(smooth, smooth + 0.1 * smooth[[1, 2, 0]])
    assert (scores[SIR] > 10).all()
    assert (scores[SAR] > 20).all()


@pytest.fixture(scope="module")
def peer() -> ModuleType:
    """museval's metrics, from their file: the package itself wants FFmpeg's programs when it is imported."""
    found = importlib.util.find_spec("museval")
    if found is None or found.origin is None:
        pytest.skip("museval is not installed (pip install museval)")
    pytest.importorskip("scipy")
    spec = importlib.util.spec_from_file_location("museval_metrics", Path(found.origin).with_name("metrics.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def leaking() -> tuple[np.ndarray, np.ndarray]:
    """References, one of them with a silent frame, and estimates with leaks, noise and a filter."""
    references = coloured()
    mixing = np.array([[1, 0.2, 0.1], [0.1, 1, 0.3], [0.05, 0.1, 0.8]])
    estimates = np.einsum("ij,jct->ict", mixing, references) + 0.01 * coloured(seed=5)
    references[0, :, 2 * RATE : 3 * RATE] = 0
    return references, 0.8 * estimates + 0.1 * np.roll(estimates, 1, -1)


def test_scores_are_what_museval_gave() -> None:
    """Medians of museval 0.4.1 (museval.metrics.bss_eval, frames of RATE samples, TAPS taps), noted down."""
    theirs = [
        [11.8026, 9.9804, 9.4389],
        [15.3368, 15.5189, 9.7945],
        [12.5120, 10.1079, 17.1024],
        [26.2115, 39.0282, 37.5632],
    ]
    np.testing.assert_allclose(medians(*leaking()), theirs, atol=1e-3)


def test_scores_are_musevals(peer: ModuleType) -> None:
    references, estimates = leaking()
    swapped = (x.transpose(0, 2, 1) for x in (references, estimates))
    theirs = dict(zip(NAMES, peer.bss_eval(*swapped, RATE, RATE, filters_len=TAPS)[:4], strict=True))
    ours = bss_eval_4(framed(references, estimates), TAPS)
    for name, scores in zip(NAMES, ours, strict=True):
        np.testing.assert_allclose(scores, theirs[name], atol=1e-3, err_msg=name)
