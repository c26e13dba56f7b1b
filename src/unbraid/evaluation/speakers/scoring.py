"""Error rates of speaker verification from the scores of trials: cosines of pairs of embeddings.

A trial is accepted where its score is above a threshold. Same speaker but rejected: a miss; other speaker but
accepted: a false alarm. The equal error rate is where both are equally frequent. The detection cost of the NIST
speaker recognition evaluations weighs them by how often the same speaker is expected, P, at equal costs:

    cost = P misses + (1 - P) false alarms,   divided by min(P, 1 - P), which is what a fixed answer costs

minDCF is its least value over all thresholds (NIST SRE 2010 plan, section 3).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PRIOR = 0.01  # P

Scores = NDArray[np.floating]


@dataclass(frozen=True)
class Verification:
    """The errors of a set of trials."""

    eer: float  # from 0 to 1
    threshold: float  # at the equal error rate
    min_dcf: float  # at P = 0.01


def verification(same: Scores, other: Scores, prior: float = PRIOR) -> Verification:
    """The errors of trials of the same speaker (n,) and of others (m,), neither empty."""
    scores = np.concatenate((same, other))
    order = np.argsort(scores, kind="stable")
    is_same = (np.arange(len(scores)) < len(same))[order]
    last = np.append(np.diff(scores[order]) > 0, True)  # of equal scores
    misses = np.append(0, np.cumsum(is_same)[last]) / len(same)  # rejected up to each score
    alarms = 1 - np.append(0, np.cumsum(~is_same)[last]) / len(other)
    thresholds = np.append(scores[order][0], scores[order][last])
    at = int(np.argmin(np.abs(misses - alarms)))
    cost = (prior * misses + (1 - prior) * alarms) / min(prior, 1 - prior)
    return Verification(float(misses[at] + alarms[at]) / 2, float(thresholds[at]), float(cost.min()))
