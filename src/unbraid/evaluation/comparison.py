"""A paired comparison of two models on the same items: the difference, its confidence interval, and a test.

The difference is that of the two means (or pooled error rates). Its interval is the percentile bootstrap over items
(Efron, 1979). The test is a permutation test (Fisher, 1935): if both models were equally good, their scores of an item
could be exchanged; p is the share of random exchanges whose difference is at least as large, the actual one included.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unbraid.errors import UsageError
from unbraid.evaluation.scores import SCALES, Fractions, ItemScores, Scale, paired
from unbraid.evaluation.statistics import DRAWS, SEED, many
from unbraid.tasks.pages.tables import Column, Table, cell, number, text

EXCHANGES = 9999  # of the test
SIGNIFICANT = 0.05
TOGETHER = 1 << 22  # numbers at a time
METHOD = (
    f"95 % interval: percentile bootstrap over items, {DRAWS} draws; p: two-sided permutation test, {EXCHANGES} random "
    f"exchanges; seed {SEED}"
)


@dataclass(frozen=True)
class Difference:
    """How much better the first of two models is by one measure; a lower error is better, too."""

    scale: Scale
    means: tuple[float, float]  # of A and B
    gain: float  # above zero: A is better
    interval: tuple[float, float] | None  # None for a single item
    p: float
    better: int  # items on which A is better
    worse: int
    items: int
    left_out: int  # items that only one of both has a score of

    @property
    def is_clear(self) -> bool:
        """Whether the difference is beyond chance at the level of 5 %."""
        return self.p < SIGNIFICANT

    def as_json(self) -> dict[str, Any]:
        """The comparison as JSON values."""
        return {
            "metric": self.scale.name,
            "unit": self.scale.unit,
            "lower_is_better": self.scale.is_error,
            "mean_a": round(self.means[0], 4),
            "mean_b": round(self.means[1], 4),
            "a_better_by": round(self.gain, 4),
            "interval_95": None if self.interval is None else [round(end, 4) for end in self.interval],
            "p": round(self.p, 6),
            "a_better_on": self.better,
            "b_better_on": self.worse,
            "items": self.items,
            "left_out": self.left_out,
        }


def compare(a: ItemScores, b: ItemScores) -> list[Difference]:
    """The differences by every measure that both have, the main one first.

    Raises:
        UsageError: they have no item and measure in common.
    """
    shared = [scale for scale in SCALES if a.has(scale) and b.has(scale)]
    found = [difference for scale in shared if (difference := _difference(a, b, scale)) is not None]
    if not found:
        raise UsageError(
            f"{a.name} and {b.name} have no scored item in common; compare them on the same data, with the same "
            "options."
        )
    return found


def _difference(a: ItemScores, b: ItemScores, scale: Scale) -> Difference | None:
    names, fractions = paired(a, b, scale)
    if not names:
        return None
    sign = -1 if scale.is_error else 1
    each = sign * (fractions[:, 0, 0] / fractions[:, 0, 1] - fractions[:, 1, 0] / fractions[:, 1, 1])  # (n,)
    every = {row[0] for row in (*a.rows, *b.rows)}
    mean_a, mean_b = _means(fractions)
    interval = None if len(names) < 2 else _interval(fractions, sign)
    return Difference(
        scale,
        (float(mean_a), float(mean_b)),
        sign * float(mean_a - mean_b),
        interval,
        _p_value(fractions),
        int((each > 0).sum()),
        int((each < 0).sum()),
        len(names),
        len(every) - len(names),
    )


def _means(fractions: Fractions) -> Fractions:
    """Pooled scores of both models: (…, n, 2, 2) -> (…, 2)."""
    total = fractions.sum(-3)
    means: Fractions = total[..., 0] / total[..., 1]
    return means


def _interval(fractions: Fractions, sign: int) -> tuple[float, float]:
    """The bootstrap interval of the difference of (n, 2, 2)."""
    random, n = np.random.default_rng(SEED), len(fractions)
    means = np.array([_means(fractions[random.integers(0, n, n)]) for _ in range(DRAWS)])  # (draws, 2)
    low, high = np.percentile(sign * (means[:, 0] - means[:, 1]), (2.5, 97.5))
    return float(low), float(high)


def _p_value(fractions: Fractions) -> float:
    """The two-sided p of the difference of (n, 2, 2), whose models are exchanged item by item."""
    random, n = np.random.default_rng(SEED), len(fractions)
    total, change = fractions.sum(0), fractions[:, ::-1] - fractions  # (2, 2), (n, 2, 2)
    actual = abs(float(np.subtract(*(total[:, 0] / total[:, 1]))))
    reached, done = 1, 0
    while done < EXCHANGES:
        count = min(EXCHANGES - done, max(1, TOGETHER // n))
        exchanged = random.integers(0, 2, (count, n)).astype(np.float64)
        sums = total + np.tensordot(exchanged, change, 1)  # (count, 2, 2)
        means = sums[..., 0] / sums[..., 1]
        reached += int((np.abs(means[:, 0] - means[:, 1]) >= actual * (1 - 1e-9)).sum())
        done += count
    return reached / (EXCHANGES + 1)


def verdict(found: Difference, a: str, b: str) -> str:
    """One sentence: which of two models is better, by how much, and how sure that is."""
    scale, digits = found.scale, 2 if found.scale.unit else 3
    if not found.better and not found.worse:
        return f"{a} and {b} score the same in {scale.name} on each of {many(found.items, 'item')}."
    unit = f" {scale.unit}" if scale.unit else ""
    first, second, sign, better = (a, b, 1, found.better) if found.gain >= 0 else (b, a, -1, found.worse)
    if found.interval is None:
        interval = "no interval of a single item"
    else:
        low, high = sorted(sign * end for end in found.interval)
        interval = f"95 % interval {number(low, digits)} to {number(high, digits)}"
    p = "p < 0.001" if found.p < 0.001 else f"p = {found.p:.3f}"
    facts = f"{interval}, {p}, better on {better} of {many(found.items, 'item')}"
    amount = f"{number(abs(found.gain), digits)}{unit} better than {second} in {scale.name}"
    if found.is_clear:
        return f"{first} is {amount} ({facts})."
    return f"No clear difference: {first} is {amount}, which may be chance ({facts})."


def summary(found: Sequence[Difference], a: str, b: str) -> Table:
    """A row for each measure."""
    heads = ("metric", a, b, "A better by", "95 % interval", "p", "A better on", "B better on", "items")
    rows = []
    for each in found:
        digits = 2 if each.scale.unit else 3
        unit = f", {each.scale.unit}" if each.scale.unit else ""
        ends = each.interval and " to ".join(number(end, digits, sign=True) for end in each.interval)
        rows.append([
            text(each.scale.name + unit),
            *(cell(mean, digits) for mean in each.means),
            cell(each.gain, digits, sign=True),
            text(ends or "–"),
            text(f"{each.p:.4f}"),
            *(text(count) for count in (each.better, each.worse, each.items)),
        ])  # fmt: skip
    return Table([Column(head, head) for head in heads], rows)


def items_table(found: Sequence[Difference], a: ItemScores, b: ItemScores) -> Table:
    """A row for each item: its scores by both models and the difference A - B, by every measure."""
    names: dict[str, dict[str, Fractions]] = {}
    for each in found:
        for name, fractions in zip(*paired(a, b, each.scale), strict=True):
            names.setdefault(name, {})[each.scale.key] = fractions[:, 0] / fractions[:, 1]
    columns = [Column("name", "item")]
    for each in found:
        key = each.scale.name.lower().replace(" ", "_").replace("-", "_")
        columns += [Column(f"{key}_{which}", "") for which in ("a", "b", "difference")]
    rows = []
    for name, scores in names.items():
        row = [text(name)]
        for each in found:
            both = scores.get(each.scale.key)
            values = (None,) * 3 if both is None else (both[0], both[1], both[0] - both[1])
            row += [cell(value, 4) for value in values]
        rows.append(row)
    return Table(columns, rows)
