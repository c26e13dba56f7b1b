"""Score the stems of one song as they come, piece by piece, so that memory does not grow with the song.

uSDR = 10 log10(Σ s² / Σ (s − ŝ)²) over the whole song and both channels, in dB; its improvement is the
difference to the mixture's. A stem that is absent or silent in a song, or the only one in it, is left out and counted.
A silent estimate scores 0 dB, by definition.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from unbraid.dsp.metrics import ratio_db

Array = NDArray[np.float32]
SILENT_POWER = 1e-7  # of a stem, mean over the song: -70 dBFS

StemState = Literal["scored", "absent", "silent", "alone"]


@dataclass(frozen=True)
class Scale:
    """A score by its name and its variant."""

    name: str
    variant: str
    column: str  # in tables for machines


USDR = Scale("uSDR", "10 log10(Σ s² / Σ (s − ŝ)²), whole song, all channels", "usdr_db")
_BSS = "BSS Eval 4 as museval, 512 taps, median over frames of 1 s"
BSS = tuple(Scale(name, _BSS, f"bss_eval_4_{name.lower()}_db") for name in ("SDR", "ISR", "SIR", "SAR"))


@dataclass(frozen=True)
class StemScore:
    """The scores of one stem of one song, NaN where there is none."""

    stem: str
    state: StemState  # of the reference
    mixture: float = math.nan  # uSDR
    estimate: float = math.nan
    is_mute: bool = False  # the estimate
    bss: Mapping[str, float] = field(default_factory=dict)  # by name; empty where not asked for

    @property
    def improvement(self) -> float:
        """The gain over the mixture."""
        return self.estimate - self.mixture


@dataclass(frozen=True)
class StemExcerpt:
    """A piece of a song: mixture, reference and estimate of a stem."""

    start_seconds: float
    mixture: Array  # (C, n)
    reference: Array
    estimate: Array


class StemSums:
    """Energies of a stem, of the errors of estimate and mixture, and the worst excerpt."""

    def __init__(self, stem: str) -> None:
        self.stem = stem
        self.excerpt: StemExcerpt | None = None  # where the error is loudest
        self._samples, self._signal, self._error, self._rest, self._estimate = 0, 0.0, 0.0, 0.0, 0.0
        self._loudest = -1.0

    def add(self, excerpt: StemExcerpt) -> None:
        """Add the next piece."""
        error = _energy(excerpt.reference - excerpt.estimate)
        self._samples += excerpt.reference.size
        self._signal += _energy(excerpt.reference)
        self._estimate += _energy(excerpt.estimate)
        self._rest += _energy(excerpt.reference - excerpt.mixture)
        self._error += error
        if error > self._loudest:
            self._loudest, self.excerpt = error, excerpt

    @property
    def is_silent(self) -> bool:
        """Whether the stem is silent in the song."""
        return self._signal < SILENT_POWER * max(1, self._samples)

    def score(self, bss: Mapping[str, float]) -> StemScore:
        """The scores of the stem."""
        mute = self._estimate < SILENT_POWER * max(1, self._samples)
        if self.is_silent:
            return StemScore(self.stem, "silent", is_mute=mute)
        if self._rest < SILENT_POWER * max(1, self._samples):
            return StemScore(self.stem, "alone", is_mute=mute)
        before, after = ratio_db(np.array(self._signal), np.array([self._rest, self._error]))
        return StemScore(self.stem, "scored", float(before), float(after), mute, bss)


def _energy(signal: Array) -> float:
    return float(np.sum(np.square(signal, dtype=np.float64)))
