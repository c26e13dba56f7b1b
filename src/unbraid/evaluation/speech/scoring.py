"""Score one mixture: its estimates in their best order against the references, beside the mixture itself.

The order is chosen once, by SI-SDR, and kept for every measure. A voice counts in a measure where both its estimate and
the mixture can be scored; voices with a silent reference or estimate, or without anything else in the mixture, are left
out and counted, as in the scores of music. The scores are averaged over the other voices.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unbraid.dsp.metrics import Array, as_many, best_order, si_sdr
from unbraid.evaluation.measures import Measure

SILENCE_RMS = 1e-5  # -100 dBFS, means removed: of an estimate or a mixture
SILENT_POWER = 1e-7  # -70 dBFS, means removed: of a reference, and of all else in a mixture


@dataclass(frozen=True)
class Score:
    """A measure of one mixture, means over the voices that could be scored; NaN where none could."""

    mixture: float
    estimate: float
    left_out: int  # voices

    @property
    def improvement(self) -> float:
        """The gain over the mixture."""
        return self.estimate - self.mixture


@dataclass(frozen=True)
class Scored:
    """The scores of one mixture by the measures' keys, and the estimate (counted from 0) of each reference."""

    scores: dict[str, Score]
    order: tuple[int, ...]
    silent_references: int
    silent_estimates: int
    alone_references: int = 0  # nothing else sounds in the mixture


def score_mixture(estimates: Array, references: Array, mixture: Array, measures: Sequence[Measure]) -> Scored:
    """Score estimates (E, T) of references (S, T) in a mixture (T,); missing estimates count as silence."""
    estimates = as_many(estimates, len(references))
    order = best_order(si_sdr(estimates[:, None], references[None]))
    pairs = list(zip(estimates[order], references, strict=True))
    mute = is_silent(mixture)
    silent, alone = [is_quiet(s) for s in references], [is_alone(s, mixture) for s in references]
    left_out = [mute or is_silent(e) or quiet or only for (e, _), quiet, only in zip(pairs, silent, alone, strict=True)]
    heard = [pair for pair, out in zip(pairs, left_out, strict=True) if not out]
    return Scored(
        {measure.key: _score(measure, heard, mixture, len(pairs)) for measure in measures},
        tuple(order),
        sum(silent),
        sum(is_silent(e) for e, _ in pairs),
        sum(alone),
    )


def is_silent(signal: Array) -> bool:
    """Whether a signal (T,) is below -100 dBFS."""
    return signal.size == 0 or float(np.std(signal, dtype=np.float64)) < SILENCE_RMS


def is_quiet(reference: Array) -> bool:
    """Whether a reference (T,) is below -70 dBFS, the noise of a recording without a voice."""
    return reference.size == 0 or float(np.var(reference, dtype=np.float64)) < SILENT_POWER


def is_alone(reference: Array, mixture: Array) -> bool:
    """Whether a mixture (T,) holds nothing but a reference (T,), at whatever level."""
    s, x = (signal - signal.mean(dtype=np.float64) for signal in (reference, mixture))
    power = float(s @ s)
    if is_quiet(reference) or not power:
        return False
    return float(np.mean(np.square(x - (x @ s) / power * s))) < SILENT_POWER


def _score(measure: Measure, heard: Sequence[tuple[Array, Array]], mixture: Array, voices: int) -> Score:
    values = [measure.score(np.stack((mixture, estimate)), reference) for estimate, reference in heard]  # each (2,)
    values = [pair for pair in values if np.all(np.isfinite(pair))]
    if not values:
        return Score(math.nan, math.nan, voices)
    before, after = np.mean(values, axis=0)
    return Score(float(before), float(after), voices - len(values))
