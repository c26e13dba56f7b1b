"""Multichannel Wiener filter by expectation maximisation over whole files, in several passes and constant memory.

Duong, Vincent, Gribonval, "Under-determined reverberant audio source separation using a full-rank spatial covariance
model" (IEEE TASLP 18(7), 2010), in the form that Spleeter runs (norbert). Source j at frame n and bin f is Gaussian
with covariance v_j(n, f) R_j(f); the filter is y_j = v_j R_j (Σ v_i R_i + √ε I)⁻¹ x. R_j sums over the whole file, so
each iteration is a pass that accumulates sums, and a last pass filters:

    spatial = []
    for _ in range(iterations):
        sums = Sums()
        for mixture, magnitudes in segments():
            sums.add(estimate(magnitudes, mixture, spatial, peak), mixture)
        peak = sums.peak
        spatial.append(sums.spatial())

Axes: S sources, B items, C = 2 channels, N frames, F bins.
"""

from dataclasses import dataclass, field

import numpy as np

from unbraid.dsp.arrays import ComplexArray, FloatArray

EPS = float(np.finfo(np.float32).eps)
HEADROOM = 10.0  # the mixture is scaled so that its largest magnitude is at most this
Spatial = ComplexArray  # (S, B, F, C, C)


@dataclass
class Sums:
    """Sums over one pass through a file: Σ y yᴴ and Σ v of each source, and the largest |x|."""

    outer: np.ndarray | float = 0.0  # (S, B, F, C, C) complex128
    power: np.ndarray | float = 0.0  # (S, B, F) float64
    peak: float = field(default=0.0)

    def add(self, estimates: ComplexArray, mixture: ComplexArray) -> None:
        """Take in a segment: estimates (S, B, C, N, F) of the sources in a mixture (B, C, N, F)."""
        y = estimates.transpose(0, 1, 4, 2, 3)  # (S, B, F, C, N)
        self.outer = self.outer + (y @ y.conj().swapaxes(-1, -2)).astype(np.complex128)
        self.power = self.power + _power(estimates).sum(-2, dtype=np.float64)
        self.peak = max(self.peak, float(np.abs(mixture).max(initial=0.0)))

    def spatial(self) -> Spatial:
        """R (S, B, F, C, C), unscaled sums brought to the filter's scale first (ε is not scale-free)."""
        square = mixture_scale(self.peak) ** 2
        power = np.asarray(self.power)[..., None, None] / square + EPS
        return (self.outer / square / power).astype(np.complex64)


def mixture_scale(peak: float) -> float:
    """The divisor of the mixture during filtering."""
    return max(1.0, peak / HEADROOM)


def initial(magnitudes: FloatArray, mixture: ComplexArray) -> ComplexArray:
    """Sources (S, B, C, N, F) by soft masks of the magnitudes, which are not squared here."""
    return (magnitudes / (EPS + magnitudes.sum(0))) * mixture


def wiener(estimates: ComplexArray, mixture: ComplexArray, spatial: Spatial, peak: float) -> ComplexArray:
    """One filtering: estimates (S, B, C, N, F) refined with the spatial covariances of all their frames."""
    scale = mixture_scale(peak)
    v = _power(estimates / np.float32(scale))  # (S, B, N, F)
    r = spatial[:, :, None]  # (S, B, 1, F, C, C)
    mix = (v[..., None, None] * r).sum(0)  # (B, N, F, C, C)
    a, d = mix[..., 0, 0] + np.sqrt(EPS), mix[..., 1, 1] + np.sqrt(EPS)
    b, c = mix[..., 0, 1], mix[..., 1, 0]
    determinant = a * d - b * c
    left, right = mixture[:, 0], mixture[:, 1]  # (B, N, F)
    z0 = (d * left - b * right) / determinant
    z1 = (a * right - c * left) / determinant
    out = np.empty_like(estimates)
    for channel in range(2):
        out[:, :, channel] = v * (r[..., channel, 0] * z0 + r[..., channel, 1] * z1)
    return out


def estimate(magnitudes: FloatArray, mixture: ComplexArray, spatial: list[Spatial], peak: float) -> ComplexArray:
    """The sources after as many iterations as there are spatial covariances."""
    y = initial(magnitudes, mixture)
    for covariances in spatial:
        y = wiener(y, mixture, covariances, peak)
    return y


def _power(estimates: ComplexArray) -> FloatArray:
    """Mean power over channels: (S, B, C, N, F) -> (S, B, N, F)."""
    return (estimates.real**2 + estimates.imag**2).mean(2)
