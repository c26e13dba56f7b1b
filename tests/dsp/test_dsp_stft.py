"""The short-time Fourier transform: framing facts, energy, and the way there and back."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_fakes import noise, snr
from unbraid.dsp.stft import analysis, frame_count, hann, istft, stft, synthesis

FRAME, HOP = 64, 16


def cut(audio: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (audio[..., i : i + size] for i in range(0, audio.shape[-1], size))


def spectrum(audio: np.ndarray, segment: int = 1000, block: int = 10**6) -> np.ndarray:
    return np.concatenate(list(analysis(cut(audio, block), FRAME, HOP, segment)), axis=-2)


def test_the_window_is_a_periodic_hann_whose_squares_add_up_to_a_constant() -> None:
    window = hann(FRAME)
    assert window[0] == 0
    assert window[FRAME // 2] == 1
    np.testing.assert_allclose(window[1:], window[:0:-1], atol=1e-7)  # periodic: symmetric without the first
    np.testing.assert_allclose(np.sum((window**2).reshape(4, HOP), axis=0), 1.5, rtol=1e-6)


def test_frames_are_those_of_a_literal_sum() -> None:
    x = noise(1, 200)[0].astype(np.float64)
    found = stft(x.astype(np.float32), FRAME, HOP)
    assert found.shape == ((200 - FRAME) // HOP + 1, FRAME // 2 + 1)
    k, n = np.arange(FRAME // 2 + 1)[:, None], np.arange(FRAME)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * n / FRAME)
    for i, frame in enumerate(found):
        expected = (x[i * HOP : i * HOP + FRAME] * window * np.exp(-2j * np.pi * k * n / FRAME)).sum(1)
        np.testing.assert_allclose(frame, expected, atol=1e-5)


def test_many_frames_are_transformed_as_few_are() -> None:
    x = noise(2, 300 * HOP)
    found = stft(x, FRAME, HOP)
    for i in (0, 63, 64, 65, 128, found.shape[-2] - 1):
        np.testing.assert_array_equal(found[:, i : i + 1], stft(x[:, i * HOP : i * HOP + FRAME], FRAME, HOP))


@pytest.mark.parametrize("samples", [1, 15, 16, 17, 63, 64, 65, 1000])
def test_one_frame_of_zeros_leads_and_the_end_is_filled(samples: int) -> None:
    """Spleeter's: ceil((n + frame) / hop) frames, the first one wholly before the input."""
    x = noise(2, samples)
    found = spectrum(x)
    assert found.dtype == np.complex64
    assert found.shape == (2, frame_count(samples, FRAME, HOP), FRAME // 2 + 1)
    assert found.shape[1] == -(-(samples + FRAME) // HOP)
    assert not found[:, 0].any()
    padded = np.pad(x, ((0, 0), (FRAME, FRAME)))
    np.testing.assert_array_equal(found[:, 1], stft(padded[:, HOP : HOP + FRAME], FRAME, HOP)[:, 0])


def test_parseval() -> None:
    """Every sample is under windows whose squares add up to 3/2, so Σ |X|² is 3/2 · frame · Σ x²."""
    x = noise(1, 5000)[0]
    power = np.abs(spectrum(x)) ** 2
    power[:, 1:-1] *= 2  # bins that stand for two
    np.testing.assert_allclose(power.sum(), 1.5 * FRAME * np.sum(x.astype(np.float64) ** 2), rtol=1e-4)


def test_a_tone_is_in_its_bin() -> None:
    bin_ = 9
    x = np.sin(2 * np.pi * bin_ / FRAME * np.arange(4000)).astype(np.float32)
    power = (np.abs(spectrum(x)) ** 2)[10:-10]
    assert (power.argmax(-1) == bin_).all()
    assert power[:, bin_ - 1 : bin_ + 2].sum() > 0.9999 * power.sum()


@given(
    samples=st.integers(1, 700),
    block=st.integers(1, 300),
    segment=st.integers(1, 40),
    shape=st.sampled_from([(), (2, 2)]),
)
@settings(max_examples=60, deadline=None)
def test_there_and_back_in_any_blocks_and_segments(samples: int, block: int, segment: int, shape: tuple) -> None:
    x = np.random.default_rng(0).normal(size=(*shape, samples)).astype(np.float32)
    spectra = list(analysis(cut(x, block), FRAME, HOP, segment))
    assert all(s.shape[-2] == segment for s in spectra[:-1])
    assert 1 <= spectra[-1].shape[-2] <= segment
    np.testing.assert_array_equal(np.concatenate(spectra, axis=-2), spectrum(x))
    y = np.concatenate(list(synthesis(iter(spectra), FRAME, HOP)), axis=-1)
    assert y.shape[-1] >= samples
    assert y.dtype == np.float32
    assert snr(x, y[..., :samples]) > 110


def test_whole_inverse() -> None:
    x = noise(1, 40 * HOP)[0]
    back = istft(stft(np.pad(x, FRAME), FRAME, HOP), FRAME, HOP)
    assert snr(x, back[FRAME : FRAME + len(x)]) > 120


def test_nothing_in_nothing_out() -> None:
    assert list(analysis(iter([]), FRAME, HOP, 4)) == []
    assert list(synthesis(iter([]), FRAME, HOP)) == []
