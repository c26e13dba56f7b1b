"""Scores by their definitions, to compare those of evaluations with."""

import numpy as np

from unbraid.dsp.metrics import Array, ratio_db


def sdr(estimate: Array, reference: Array) -> Array:
    """Plain SDR, 10 log10(Σ s² / Σ (s − ŝ)²), over channels and samples together (uSDR): (…, C, T) twice -> (…)."""
    s, e = np.asarray(reference, np.float64), np.asarray(estimate, np.float64)
    return ratio_db(np.sum(s * s, (-2, -1)), np.sum((s - e) ** 2, (-2, -1)))
