"""Statistics of many scores: mean, median, the confidence interval of the mean; and the cost of an evaluation.

The interval is the percentile bootstrap over items (Efron, 1979): the mean of as many items drawn with replacement,
2000 times from a fixed seed, from its 2.5th to its 97.5th percentile.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from unbraid.evaluation.run import TimedResult
from unbraid.tasks.pages.scores_page import tile
from unbraid.tasks.pages.tables import DASH, Cell, Column, cell, number, text

DRAWS, SEED = 2000, 0
INTERVAL = f"95 % confidence interval of the mean: percentile bootstrap over mixtures, {DRAWS} draws, seed {SEED}"
GAINS = (
    Column("mixture", "mixture, mean"),
    Column("estimate", "estimate, mean"),
    Column("improvement", "improvement, mean"),
    Column("95 % interval", "95 % interval"),
    Column("median", "median"),
    Column("n", "n"),
)


@dataclass(frozen=True)
class Statistic:
    """The mean and median of a number per item; None where no item has one, and no interval for a single item."""

    mean: float | None
    median: float | None
    interval: tuple[float, float] | None
    n: int  # items

    def between(self, digits: int) -> str:
        """The interval for people."""
        if self.interval is None:
            return DASH
        low, high = self.interval
        return f"{number(low, digits)} to {number(high, digits)}"

    def as_json(self) -> dict[str, Any]:
        """The statistic as JSON values."""
        mean, median = (None if value is None else round(value, 4) for value in (self.mean, self.median))
        interval = None if self.interval is None else [round(end, 4) for end in self.interval]
        return {"mean": mean, "median": median, "interval_95": interval, "n": self.n}


def statistic(values: Sequence[float]) -> Statistic:
    """Mean, median and interval of numbers; NaN ones are left out."""
    known = np.array([value for value in values if math.isfinite(value)])
    if not known.size:
        return Statistic(None, None, None, 0)
    interval = None
    if known.size > 1:
        random = np.random.default_rng(SEED)
        means = [random.choice(known, known.size).mean() for _ in range(DRAWS)]
        low, high = np.percentile(means, (2.5, 97.5))
        interval = (float(low), float(high))
    return Statistic(float(known.mean()), float(np.median(known)), interval, known.size)


def gain_cells(mixture: Statistic, estimate: Statistic, gain: Statistic, digits: int) -> list[Cell]:
    """The cells of a row below GAINS."""
    return [
        cell(mixture.mean, digits),
        cell(estimate.mean, digits),
        cell(gain.mean, digits, sign=True),
        text(gain.between(digits)),
        cell(gain.median, digits, sign=True),
        text(gain.n),
    ]


def gain_tile(name: str, gain: Statistic, unit: str, digits: int, *notes: str) -> str:
    """A headline number: the mean improvement and its interval."""
    shown = number(gain.mean, digits, sign=True) + (f" {unit}" if unit and gain.mean is not None else "")
    return tile(name, shown, f"95 % interval {gain.between(digits)}; n = {gain.n}", *notes)


class Execution(Protocol):
    """How a model was executed."""

    @property
    def precision(self) -> str:
        """float32 or int8."""
        ...

    @property
    def device(self) -> str:
        """The device, such as cpu."""
        ...

    @property
    def threads(self) -> int | None:
        """CPU threads; None: all."""
        ...


@dataclass(frozen=True)
class Cost:
    """Time and memory of an evaluation."""

    seconds: float  # of audio
    wall_seconds: float  # of the model
    cpu_seconds: float
    peak_memory_bytes: int | None  # None: the system does not tell
    execution: Execution

    @property
    def real_time_factor(self) -> float:
        """Wall-clock time per second of audio."""
        return self.wall_seconds / self.seconds

    @property
    def cpu_factor(self) -> float:
        """CPU time per second of audio."""
        return self.cpu_seconds / self.seconds

    def as_json(self) -> dict[str, Any]:
        """The cost as JSON values."""
        return {
            "real_time_factor": {"wall": round(self.real_time_factor, 4), "cpu": round(self.cpu_factor, 4)},
            "peak_memory_mb": megabytes(self.peak_memory_bytes),
        }

    def line(self, timed: str = "separation") -> str:
        """The cost as a sentence; TIMED is the part of the work that was timed."""
        how = self.execution
        return (
            f"real-time factor {self.real_time_factor:.3f} wall, {self.cpu_factor:.3f} CPU "
            f"({timed} only; {how.device}, {how.precision}, {threads_words(how.threads)})"
            f"{memory_words(self.peak_memory_bytes, 'whole process, scoring included')}"
        )

    def tiles(self) -> list[str]:
        """The cost as headline numbers."""
        peak, how = self.peak_memory_bytes, self.execution
        factor = f"{self.cpu_factor:.3f} in CPU time; {how.device}, {how.precision}"
        memory = DASH if peak is None else f"{peak / 1e6:.0f} MB"
        return [
            tile("Real-time factor, wall clock", f"{self.real_time_factor:.3f}", factor, "separation only"),
            tile("Peak memory", memory, "of the whole process, scoring included"),
        ]


def total_cost(results: Sequence[TimedResult], execution: Execution, peak_memory_bytes: int | None) -> Cost:
    """The cost of all results together."""
    return Cost(
        sum(result.seconds for result in results),
        sum(result.wall_seconds for result in results),
        sum(result.cpu_seconds for result in results),
        peak_memory_bytes,
        execution,
    )


def threads_words(threads: int | None) -> str:
    """The number of CPU threads, for people."""
    return "all threads" if threads is None else f"--threads {threads}"


def memory_words(peak_bytes: int | None, what: str = "whole process") -> str:
    """The peak memory, where it is known, to end a sentence with."""
    return "" if peak_bytes is None else f"; peak memory {peak_bytes / 1e6:.0f} MB ({what})"


def megabytes(peak_bytes: int | None) -> float | None:
    """The peak memory in JSON."""
    return None if peak_bytes is None else round(peak_bytes / 1e6, 1)


def many(count: int, noun: str) -> str:
    """A count with its noun: 1 song, 2 songs."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
