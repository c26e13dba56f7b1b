"""SDR as BSS Eval 3 defines it for sources: the reference, filtered with the best 512 taps, counts as the target.

    SDR = 10 log10(‖h ∗ s‖² / ‖ŝ − h ∗ s‖²), h the filter that brings s closest to ŝ          Vincent et al., 2006

With both signals of unit energy, r the autocorrelation of s, R = Toeplitz(r) and c its correlation with ŝ, the best
filter is h = R⁻¹ c, and ‖h ∗ s‖² = cᵀ h is all it takes (Scheibler, "SDR - Medium Rare with Fast Computations",
arXiv 2110.06440). This is the SDR that mir_eval and fast_bss_eval print, up to rounding, and needs NumPy only.
"""

import numpy as np

from unbraid.dsp.metrics import EPS, Array

TAPS = 512
_RIDGE = 1e-11  # of the reference's energy, so that a tone's Toeplitz matrix can be solved too


def bss_sdr(estimates: Array, reference: Array, taps: int = TAPS) -> Array:
    """SDR in dB of estimates (N, T) of one reference (T,): (N,); within ±120 dB, and neither may be silent."""
    e, s = _unit(estimates), _unit(reference)
    size = 1 << (s.shape[-1] + taps - 1).bit_length()  # lags up to `taps` do not wrap around
    spectrum = np.fft.rfft(s, size)
    autocorrelation = np.fft.irfft(np.abs(spectrum) ** 2, size)[:taps]
    correlation = np.fft.irfft(spectrum.conj() * np.fft.rfft(e, size), size)[:, :taps]  # (N, taps)
    autocorrelation[0] += _RIDGE
    lags = np.arange(taps)
    toeplitz = autocorrelation[np.abs(lags[:, None] - lags)]  # (taps, taps)
    filters = np.linalg.solve(toeplitz, correlation.T).T  # (N, taps)
    target = np.clip(np.sum(correlation * filters, -1), EPS, 1 - EPS)
    return np.asarray(10 * np.log10(target / (1 - target)))


def _unit(x: Array) -> Array:
    x = np.asarray(x, np.float64)
    return np.asarray(x / np.sqrt(np.sum(x * x, -1, keepdims=True)))
