"""An evaluation in words and tables: lines for a terminal, rows for a CSV file, and numbers as both print them."""

import csv
import io
import math
from collections.abc import Sequence

from unbraid.evaluation.measures import Measure
from unbraid.evaluation.run import Result
from unbraid.evaluation.summary import AVERAGE, INTERVAL, Cost, Line, Statistic, Summary

DASH = "–"


def number(value: float | None, digits: int, sign: bool = False) -> str:
    """A number for people, a dash where there is none."""
    if value is None or not math.isfinite(value):
        return DASH
    rounded = round(value, digits) + 0.0  # no minus before a zero
    return f"{rounded:{'+' if sign and rounded else ''}.{digits}f}"


def interval(statistic: Statistic, digits: int) -> str:
    """The interval of a mean, for people."""
    if statistic.interval is None:
        return DASH
    low, high = statistic.interval
    return f"{number(low, digits)} to {number(high, digits)}"


def subject(summary: Summary) -> str:
    """What was evaluated on what."""
    setting = summary.setting
    voices = "1 voice" if setting.voices == 1 else f"{setting.voices} voices"
    mixtures = "1 mixture" if summary.mixtures == 1 else f"{summary.mixtures} mixtures"
    noise = f", with {setting.noise}" if setting.noise else ""
    return (
        f"{setting.model} on {setting.dataset}, split {setting.split}: {mixtures} of {voices}, "
        f"{summary.cost.seconds / 60:.1f} min at {setting.sample_rate} Hz{noise}"
    )


def price(cost: Cost, what: str = "separation") -> str:
    """What it cost; `what` is what was timed."""
    memory = memory_words(cost.peak_memory_bytes, "whole process, scoring included")
    return (
        f"real-time factor {cost.real_time_factor:.3f} wall, {cost.cpu_factor:.3f} CPU "
        f"({what} only; {cost.device}, {cost.precision}, {threads_words(cost.threads)}){memory}"
    )


def percent(rate: float) -> str:
    """An error rate for people."""
    return f"{100 * rate:.2f} %"


def threads_words(threads: int | None) -> str:
    """How many threads there were."""
    return "all threads" if threads is None else f"--threads {threads}"


def memory_words(peak_bytes: int | None, what: str = "whole process") -> str:
    """How much memory that took, where it is known, to be put behind a sentence."""
    return "" if peak_bytes is None else f"; peak memory {peak_bytes / 1e6:.0f} MB ({what})"


def left_out(summary: Summary) -> list[str]:
    """Which voices are in no mean, and why."""
    sentences = [
        f"{line.measure.name}: {line.left_out} of {summary.mixtures * summary.setting.voices} voices left out"
        for line in summary.lines
        if line.left_out
    ]
    if sentences:
        sentences.append(
            f"left out is what is silent (references: {summary.silent_references}, estimates: "
            f"{summary.silent_estimates}), is all that sounds in its mixture ({summary.alone_references}), or has too "
            "little sound for the metric"
        )
    return sentences


def lines(summary: Summary) -> list[str]:
    """The whole summary for a terminal."""
    heads = ("metric", "mixture", "estimate", "improvement", "95 % interval", "median", "n")
    rows = [heads, *(_row(line) for line in summary.lines)]
    return [subject(summary), *aligned(rows), AVERAGE, INTERVAL, *left_out(summary), price(summary.cost)]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """A table for a terminal, its first column on the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _row(line: Line) -> tuple[str, ...]:
    digits, gain = line.measure.digits, line.improvement
    return (
        line.measure.title,
        number(line.mixture.mean, digits),
        number(line.estimate.mean, digits),
        number(gain.mean, digits, sign=True),
        interval(gain, digits),
        number(gain.median, digits, sign=True),
        str(gain.n),
    )


def csv_text(results: Sequence[Result], measures: Sequence[Measure]) -> str:
    """A row per mixture; what could not be scored is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    scores = [f"{m.column}{part}" for m in measures for part in ("", "_of_mixture", "_improvement")]
    counts = ["permutation", "silent_references", "silent_estimates", "alone_references", "wall_seconds", "cpu_seconds"]
    writer.writerow(["name", "seconds", *scores, *counts])
    for result in results:
        scored = result.scored
        found = [scored.scores[measure.key] for measure in measures]
        values = [value for s in found for value in (s.estimate, s.mixture, s.improvement)]
        writer.writerow([
            result.name,
            f"{result.seconds:.3f}",
            *(f"{value:.4f}" if math.isfinite(value) else "" for value in values),
            permutation(result),
            scored.silent_references,
            scored.silent_estimates,
            scored.alone_references,
            f"{result.wall_seconds:.4f}",
            f"{result.cpu_seconds:.4f}",
        ])  # fmt: skip
    return out.getvalue()


def permutation(result: Result) -> str:
    """Which stem, counted from 1, follows the first reference, the second, …"""
    return " ".join(str(stem + 1) for stem in result.scored.order)
