"""Scores in NumPy, in dB, over the last axis, and defined for silence."""

from itertools import permutations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
EPS = 1e-12  # scores stay within ±120 dB


def si_sdr(estimate: Array, reference: Array) -> Array:
    """Scale-invariant SDR (Le Roux et al., arXiv 1811.02508), means removed: (…, T) twice -> (…)."""
    s = np.asarray(reference, np.float64) - np.mean(reference, -1, keepdims=True, dtype=np.float64)
    e = np.asarray(estimate, np.float64) - np.mean(estimate, -1, keepdims=True, dtype=np.float64)
    power = np.sum(s * s, -1, keepdims=True)
    target = np.sum(e * s, -1, keepdims=True) / np.where(power > 0, power, 1.0) * s
    noise = np.where(np.any(e != 0, -1), np.sum((e - target) ** 2, -1), power[..., 0])  # a silent estimate misses all
    return ratio_db(np.sum(target**2, -1), noise)


def si_sdr_improvement(estimates: Array, references: Array, mixture: Array) -> float:
    """Mean SI-SDR of estimates (E, T) assigned best to references (S, T), minus the mixture's (T,).

    Surplus estimates count for nothing, missing ones as silence.
    """
    pairwise = si_sdr(as_many(estimates, len(references))[:, None], references[None])  # (estimates, references)
    order = best_order(pairwise)
    after = np.mean([pairwise[i, j] for j, i in enumerate(order)])
    return float(after - np.mean(si_sdr(np.broadcast_to(mixture, references.shape), references)))


def best_permutation(references: Array, estimates: Array) -> list[int]:
    """The order of estimates (S, C, T) that best follows references (S, C, T), by plain correlation.

    One order for all channels; the present one where nothing speaks for another.
    """
    correlation = np.einsum("ict,jct->ij", estimates, references, dtype=np.float64)
    return best_order(correlation)


def as_many(estimates: Array, count: int) -> Array:
    """Estimates (E, T) with silent ones behind them, if there are fewer than so many."""
    return np.pad(estimates, ((0, max(0, count - len(estimates))), (0, 0)))


def best_order(score: Array) -> list[int]:
    """Order of rows that maximises Σ score[order[j], j], of as many rows as columns or more; the identity wins ties."""
    rows, columns = score.shape
    orders = permutations(range(rows), columns)  # the identity comes first, and max keeps the first of equals
    return list(max(orders, key=lambda order: sum(score[i, j] for j, i in enumerate(order))))


def ratio_db(signal: Array, noise: Array) -> Array:
    """10 log10(signal / noise) of energies, within ±120 dB; 0 dB where there is neither."""
    floor = EPS * (signal + noise) + np.finfo(np.float64).tiny
    return 10 * np.log10(np.maximum(signal, floor) / np.maximum(noise, floor))
