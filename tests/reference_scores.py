"""Scores by their definitions, to compare those of evaluations with."""

import numpy as np

from unbraid.dsp.metrics import Array, as_many, best_order, ratio_db, si_sdr


def sdr(estimate: Array, reference: Array) -> Array:
    """Plain SDR, 10 log10(Σ s² / Σ (s − ŝ)²), over channels and samples together (uSDR): (…, C, T) twice -> (…)."""
    s, e = np.asarray(reference, np.float64), np.asarray(estimate, np.float64)
    return ratio_db(np.sum(s * s, (-2, -1)), np.sum((s - e) ** 2, (-2, -1)))


def si_sdr_improvement(estimates: Array, references: Array, mixture: Array) -> float:
    """Mean SI-SDR of estimates (E, T) assigned best to references (S, T), minus the mixture's (T,).

    Surplus estimates count for nothing, missing ones as silence.
    """
    pairwise = si_sdr(as_many(estimates, len(references))[:, None], references[None])  # (estimates, references)
    order = best_order(pairwise)
    after = np.mean([pairwise[i, j] for j, i in enumerate(order)])
    return float(after - np.mean(si_sdr(np.broadcast_to(mixture, references.shape), references)))
