"""Statistics of many scores: mean, median, the confidence interval of the mean; and gains over a baseline.

The interval is the percentile bootstrap over items (Efron, 1979): the mean of as many items drawn with replacement,
2000 times from a fixed seed, from its 2.5th to its 97.5th percentile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from unbraid.tasks.pages.scores_page import tile
from unbraid.tasks.pages.tables import DASH, Cell, Column, cell, number, text

DRAWS, SEED = 2000, 0
INTERVAL = f"95 % confidence interval of the mean: percentile bootstrap over mixtures, {DRAWS} draws, seed {SEED}"
_MEANS = ("mixture", "estimate", "improvement")
GAINS = [
    *(Column(key, f"{key}, mean") for key in _MEANS),
    *(Column(key, key) for key in ("95 % interval", "median", "n")),
]


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


def statistic(values: ArrayLike) -> Statistic:
    """Mean, median and interval of numbers; NaN ones are left out."""
    every = np.asarray(values, np.float64)
    known = every[np.isfinite(every)]
    if not known.size:
        return Statistic(None, None, None, 0)
    interval = None
    if known.size > 1:
        random = np.random.default_rng(SEED)
        means = [random.choice(known, known.size).mean() for _ in range(DRAWS)]
        low, high = np.percentile(means, (2.5, 97.5))
        interval = (float(low), float(high))
    return Statistic(float(known.mean()), float(np.median(known)), interval, known.size)


@dataclass(frozen=True)
class Gain:
    """The scores of the mixture and of the estimate, and what is gained, over all items."""

    mixture: Statistic
    estimate: Statistic
    improvement: Statistic

    def as_json(self) -> dict[str, Any]:
        """The statistics as JSON values."""
        return {name: getattr(self, name).as_json() for name in _MEANS}

    def cells(self, digits: int) -> list[Cell]:
        """The cells of a row below GAINS."""
        gain = self.improvement
        return [
            cell(self.mixture.mean, digits),
            cell(self.estimate.mean, digits),
            cell(gain.mean, digits, sign=True),
            text(gain.between(digits)),
            cell(gain.median, digits, sign=True),
            text(gain.n),
        ]

    def tile(self, name: str, unit: str, digits: int, *notes: str) -> str:
        """A headline number: the mean improvement and its interval."""
        gain = self.improvement
        shown = number(gain.mean, digits, sign=True) + (f" {unit}" if unit and gain.mean is not None else "")
        return tile(name, shown, f"95 % interval {gain.between(digits)}; n = {gain.n}", *notes)


def gain_of(pairs: Sequence[tuple[float, float]]) -> Gain:
    """The gain over the scores (mixture, estimate) of each item."""
    mixture, estimate = np.array(pairs, np.float64).reshape(-1, 2).T
    return Gain(statistic(mixture), statistic(estimate), statistic(estimate - mixture))


def many(count: int, noun: str) -> str:
    """A count with its noun: 1 song, 2 songs."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
