"""SDR, ISR, SIR and SAR as BSS Eval 4 defines them for the images of sources, as `museval` gives them for SiSEC 2018.

An estimate ŝ_j (C channels) is split by two projections, each the least squares fit of filters of 512 taps over the
whole song: P_j ŝ on all channels of its own reference s_j, and P ŝ on those of all references. Then, in every frame of
a second and over all channels (Stöter, Liutkus and Ito, "The 2018 Signal Separation Evaluation Campaign", 1804.06267),

    SDR = ‖s‖² / ‖ŝ − s‖²    ISR = ‖s‖² / ‖P_j ŝ − s‖²    SIR = ‖P_j ŝ‖² / ‖P ŝ − P_j ŝ‖²    SAR = ‖P ŝ‖² / ‖ŝ − P ŝ‖²

in dB. A frame in which any reference or estimate is silent has no scores; a last frame that is not full is not scored.
References are rounded to 16 bits, as those of SiSEC are: on ones that have nothing at all in some band (lossy files),
filters could have any gain there, and what the edges of a frame put into that band would decide the scores.
The song is gone through twice, frame by frame: for the correlations that the filters follow from, then for the scores.
So memory is that of the filters' equations, whatever the length, and NumPy will do. `museval` itself holds spectra of
the whole song (gigabytes), and cannot be imported where FFmpeg's programs are absent.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from unbraid.dsp.metrics import Array, ratio_db

TAPS = 512
NAMES = ("SDR", "ISR", "SIR", "SAR")
_STEPS = 2**15  # of 16 bits, up to full scale
_RIDGE = 1e-11  # of each channel's energy: channels that are alike can be solved too

Spectra = NDArray[np.complex128]
Frames = Callable[[], Iterable[tuple[Array, Array]]]  # references (S, C, n), estimates (S, C, n); all but the last full


@dataclass(frozen=True)
class _Correlations:
    """Of references (S, C) with each other and with estimates, at delays of 0 … taps − 1."""

    references: Array  # (M, M, taps): Σ x_i[t − lag] x_j[t]; M = S·C
    estimates: Array  # (M, M, taps): Σ x_i[t − lag] ŝ_k[t]
    channels: int  # C


def bss_eval_4(frames: Frames, taps: int = TAPS) -> Array:
    """Scores in dB (4, S, N) of N frames, in the order of NAMES; NaN where there are none. `frames` is called twice.

    A reference must not be silent all through; an estimate may be, and then has no scores, nor spoils those of others.
    """
    found = _correlate(_rounded(frames()), taps)
    size = 0
    scores: list[Array] = []
    mute = ~np.any(found.estimates, (0, 2)).reshape(-1, found.channels).any(1)  # (S,) estimates
    for references, estimates in _rounded(frames()):  # (S, C, n) both
        samples = references.shape[-1]
        if not scores:
            full, size = samples, _fft_size(samples, taps)
            own, every = (np.fft.rfft(filters, size) for filters in _filters(found))  # (…, F)
        if samples < full:
            break
        scores.append(_frame_scores(references, estimates, mute, (own, every), taps))
    return np.stack(scores, axis=-1)


def _rounded(frames: Iterable[tuple[Array, Array]]) -> Iterator[tuple[Array, Array]]:
    """References in 16 bits, and estimates as they are, both in float64."""
    for references, estimates in frames:
        yield np.round(np.asarray(references, np.float64) * _STEPS) / _STEPS, np.asarray(estimates, np.float64)


def _fft_size(samples: int, taps: int) -> int:
    return 1 << (samples + taps - 2).bit_length()  # the least power of two with room for a filtered frame


def _correlate(frames: Iterable[tuple[Array, Array]], taps: int) -> _Correlations:
    """Go through a song once. A frame is correlated with itself and the taps − 1 samples before it."""
    past: Array | None = None
    for references, estimates in frames:
        channels, samples = references.shape[1:]
        x, y = (each.reshape(-1, samples) for each in (references, estimates))  # (M, n)
        if past is None:
            size, past = _fft_size(samples, taps), np.zeros((len(x), taps - 1))
            sums = np.zeros((2, len(x), len(x), size // 2 + 1), np.complex128)
        heard = np.hstack((past, x))
        delayed = np.fft.rfft(heard, size).conj()[:, None]  # (M, 1, F)
        for total, now in zip(sums, (x, y), strict=True):
            total += delayed * np.fft.rfft(np.pad(now, ((0, 0), (taps - 1, 0))), size)
        past = heard[:, heard.shape[1] - (taps - 1) :]
    both = [np.stack([np.fft.irfft(row, size)[..., :taps] for row in total]) for total in sums]
    return _Correlations(both[0], both[1], channels)


def _filters(found: _Correlations) -> tuple[Array, Array]:
    """The filters that bring references closest to estimates: own (S, C, C, taps), every (M, M, taps); out last."""
    count, step = len(found.references), found.channels
    own = []
    for start in range(0, count, step):
        source = slice(start, start + step)
        own.append(_solve(found.references[source, source], found.estimates[source, source]))
    return np.stack(own), _solve(found.references, found.estimates)


def _solve(references: Array, estimates: Array) -> Array:
    """Least squares: correlations (M, M, taps) and (M, K, taps) -> filters (M, K, taps)."""
    count, _, taps = references.shape
    lags = np.arange(taps)
    delay = lags[:, None] - lags + taps - 1  # of one tap behind another; taps - 1 is none
    matrix = np.empty((count, taps, count, taps))
    for i, j in product(range(count), repeat=2):
        both = np.concatenate((references[j, i, :0:-1], references[i, j]))  # delays 1 - taps … taps - 1
        matrix[i, :, j] = both[delay]
    energy = references[range(count), range(count), 0]
    square = matrix.reshape(count * taps, count * taps)
    square[np.diag_indices_from(square)] += np.repeat(np.where(energy > 0, _RIDGE * energy, 1.0), taps)
    wanted = estimates.transpose(0, 2, 1).reshape(count * taps, -1)  # (M·taps, K)
    return np.asarray(np.linalg.solve(square, wanted).reshape(count, taps, -1).transpose(0, 2, 1))


def _frame_scores(
    references: Array, estimates: Array, mute: Array, filters: tuple[Spectra, Spectra], taps: int
) -> Array:
    """(4, S) of one frame (S, C, n) twice; `mute` are the estimates that are silent in all frames."""
    heard_references, heard_estimates = (np.any(each, (-2, -1)) for each in (references, estimates))
    if not (heard_references.all() and (heard_estimates | mute).all()):
        return np.full((4, len(references)), np.nan)
    samples = references.shape[-1]
    own, every = filters  # (S, C, C, F), (M, M, F)
    length, size = samples + taps - 1, 2 * (every.shape[-1] - 1)
    spectra = np.fft.rfft(references, size)  # (S, C, F)
    near = np.fft.irfft(np.einsum("scf,sckf->skf", spectra, own), size)[..., :length]  # P_j ŝ
    mixed = np.einsum("mf,mkf->kf", spectra.reshape(-1, spectra.shape[-1]), every)
    far = np.fft.irfft(mixed, size)[..., :length].reshape(near.shape)  # P ŝ
    s, e = (np.pad(x, ((0, 0), (0, 0), (0, taps - 1))) for x in (references, estimates))
    pairs = ((s, e - s), (s, near - s), (near, far - near), (far, e - far))
    scores = np.stack([ratio_db(np.sum(a**2, (1, 2)), np.sum(b**2, (1, 2))) for a, b in pairs])
    return np.where(mute, np.nan, scores)
