"""From scores of many mixtures to a few numbers: mean, median, and how sure the mean is.

The interval is the percentile bootstrap over mixtures (Efron, 1979): the mean of as many mixtures drawn with
replacement, 2000 times from a fixed seed, from its 2.5th to its 97.5th percentile.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from unbraid.evaluation.measures import Measure
from unbraid.evaluation.run import Evaluation, Result

DRAWS, SEED = 2000, 0
INTERVAL = f"95 % confidence interval of the mean: percentile bootstrap over mixtures, {DRAWS} draws, seed {SEED}"
AVERAGE = "best permutation by SI-SDR; mean over the voices of a mixture, then over mixtures"


@dataclass(frozen=True)
class Statistic:
    """A number per mixture, summed up; None where no mixture has one, and no interval for a single mixture."""

    mean: float | None
    median: float | None
    interval: tuple[float, float] | None
    n: int  # mixtures


@dataclass(frozen=True)
class Line:
    """A measure over all mixtures."""

    measure: Measure
    mixture: Statistic
    estimate: Statistic
    improvement: Statistic
    left_out: int  # voices


@dataclass(frozen=True)
class Setting:
    """What was evaluated, and how."""

    model: str
    voices: int
    sample_rate: int  # Hz
    dataset: str
    split: str
    condition: str
    mode: str
    noise: str | None  # in words
    precision: str
    device: str
    threads: int | None


class Engine(Protocol):
    """What a model ran on."""

    @property
    def precision(self) -> str: ...
    @property
    def device(self) -> str: ...
    @property
    def threads(self) -> int | None: ...


class Timed(Protocol):
    """What separation took time for."""

    @property
    def seconds(self) -> float: ...
    @property
    def wall_seconds(self) -> float: ...
    @property
    def cpu_seconds(self) -> float: ...


@dataclass(frozen=True)
class Cost:
    """What an evaluation took, and where."""

    seconds: float  # of audio
    wall_seconds: float  # of separation
    cpu_seconds: float
    peak_memory_bytes: int | None  # None: the system does not tell
    precision: str
    device: str
    threads: int | None  # None: all

    @property
    def real_time_factor(self) -> float:
        return self.wall_seconds / self.seconds

    @property
    def cpu_factor(self) -> float:
        return self.cpu_seconds / self.seconds


@dataclass(frozen=True)
class Summary:
    """Everything that is said about an evaluation."""

    setting: Setting
    lines: tuple[Line, ...]
    mixtures: int  # that were scored
    failed: tuple[str, ...]
    cost: Cost
    silent_references: int
    silent_estimates: int
    alone_references: int


def statistic(values: Sequence[float]) -> Statistic:
    """Sum numbers up; NaN ones are left out."""
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


def summarise(evaluation: Evaluation, setting: Setting, peak_memory_bytes: int | None) -> Summary:
    """Sum an evaluation up."""
    results = evaluation.results
    return Summary(
        setting=setting,
        lines=tuple(_line(measure, results) for measure in evaluation.measures),
        mixtures=len(results),
        failed=tuple(failure.name for failure in evaluation.failures),
        cost=total_cost(results, setting, peak_memory_bytes),
        silent_references=sum(result.scored.silent_references for result in results),
        silent_estimates=sum(result.scored.silent_estimates for result in results),
        alone_references=sum(result.scored.alone_references for result in results),
    )


def total_cost(results: Sequence[Timed], engine: Engine, peak_memory_bytes: int | None) -> Cost:
    """What all results took together."""
    return Cost(
        sum(result.seconds for result in results),
        sum(result.wall_seconds for result in results),
        sum(result.cpu_seconds for result in results),
        peak_memory_bytes, engine.precision, engine.device, engine.threads,
    )  # fmt: skip


def _line(measure: Measure, results: Sequence[Result]) -> Line:
    scores = [result.scored.scores[measure.key] for result in results]
    return Line(
        measure,
        statistic([score.mixture for score in scores]),
        statistic([score.estimate for score in scores]),
        statistic([score.improvement for score in scores]),
        sum(score.left_out for score in scores),
    )


def as_json(summary: Summary) -> dict[str, Any]:
    """The summary as JSON values."""
    setting = summary.setting
    return {
        "model": setting.model,
        "voices": setting.voices,
        "sample_rate": setting.sample_rate,
        "dataset": setting.dataset,
        "split": setting.split,
        "condition": setting.condition,
        "mode": setting.mode,
        "noise": setting.noise,
        "precision": setting.precision,
        "device": setting.device,
        "threads": setting.threads,
        "mixtures": summary.mixtures,
        "failed": list(summary.failed),
        "audio_seconds": round(summary.cost.seconds, 3),
        "scores": [_line_as_json(line) for line in summary.lines],
        "average": AVERAGE,
        "interval": INTERVAL,
        "silent_references": summary.silent_references,
        "silent_estimates": summary.silent_estimates,
        "alone_references": summary.alone_references,
        **price(summary.cost),
    }


def numbers(statistic: Statistic) -> dict[str, Any]:
    """A statistic as JSON values."""
    rounded = {name: None if v is None else round(v, 4) for name, v in
               (("mean", statistic.mean), ("median", statistic.median))}  # fmt: skip
    interval = None if statistic.interval is None else [round(end, 4) for end in statistic.interval]
    return {**rounded, "interval_95": interval, "n": statistic.n}


def price(cost: Cost) -> dict[str, Any]:
    """What an evaluation cost as JSON values."""
    peak = cost.peak_memory_bytes
    return {
        "real_time_factor": {"wall": round(cost.real_time_factor, 4), "cpu": round(cost.cpu_factor, 4)},
        "peak_memory_mb": None if peak is None else round(peak / 1e6, 1),
    }


def _line_as_json(line: Line) -> dict[str, Any]:
    measure = line.measure
    return {
        "metric": measure.name,
        "variant": measure.variant,
        "unit": measure.unit,
        "mixture": numbers(line.mixture),
        "estimate": numbers(line.estimate),
        "improvement": numbers(line.improvement),
        "voices_left_out": line.left_out,
    }
