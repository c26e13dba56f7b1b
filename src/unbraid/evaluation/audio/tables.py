"""An evaluation of sound made of sound: its numbers, as JSON and for a terminal, a table of all, and a page."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from unbraid.evaluation.audio.run import LSD, STOI, SoundEvaluation, SoundResult
from unbraid.evaluation.page import page, table, tile
from unbraid.evaluation.parts import failures, notes
from unbraid.evaluation.summary import INTERVAL, Cost, Statistic, numbers, statistic, total_cost
from unbraid.evaluation.summary import price as price_values
from unbraid.evaluation.tables import aligned, interval, number, price

TITLES = {LSD: ("log-spectral distance of log-mel spectrograms", "dB", 2), STOI: ("STOI (classic, 10 kHz)", "", 3)}


@dataclass(frozen=True)
class SoundSetting:
    """What was evaluated, and how."""

    model: str
    without: str  # what it is compared to
    dataset: str
    split: str
    noise: str | None  # in words
    precision: str
    device: str
    threads: int | None


@dataclass(frozen=True)
class SoundLine:
    """A measure over all recordings."""

    key: str
    without: Statistic
    model: Statistic
    change: Statistic

    @property
    def share(self) -> float | None:
        """The change of the mean, as a share of what it is without the model."""
        return None if not self.without.mean or self.model.mean is None else self.model.mean / self.without.mean - 1


@dataclass(frozen=True)
class SoundSummary:
    """Everything that is said about an evaluation of sounds."""

    setting: SoundSetting
    lines: tuple[SoundLine, ...]
    recordings: int  # that did not fail
    failed: tuple[str, ...]
    cost: Cost
    silent: int  # recordings that are left out, for there is no voice
    alone: int  # and for there is nothing but the voice

    @property
    def left_out(self) -> list[str]:
        """Which recordings are in no mean, and why."""
        if not (count := self.silent + self.alone):
            return []
        why = f"{self.silent} with a silent voice, {self.alone} with nothing but the voice"
        return [f"{count} of {self.recordings} recordings left out ({why})"]


def summarise_sounds(evaluation: SoundEvaluation, setting: SoundSetting, peak_memory_bytes: int | None) -> SoundSummary:
    """Sum an evaluation up."""
    results = evaluation.results
    lines = tuple(_line(key, results) for key in TITLES if any(key in result.scores for result in results))
    failed = tuple(failure.name for failure in evaluation.failures)
    silent, alone = (sum(result.state == state for result in results) for state in ("silent", "alone"))
    cost = total_cost(results, setting, peak_memory_bytes)
    return SoundSummary(setting, lines, len(results), failed, cost, silent, alone)


def _line(key: str, results: Sequence[SoundResult]) -> SoundLine:
    pairs = [result.scores[key] for result in results if key in result.scores]
    return SoundLine(
        key,
        statistic([pair.without for pair in pairs]),
        statistic([pair.model for pair in pairs]),
        statistic([pair.model - pair.without for pair in pairs]),
    )


def sounds_as_json(summary: SoundSummary) -> dict[str, Any]:
    """The summary as JSON values."""
    setting = summary.setting
    return {
        "model": setting.model,
        "dataset": setting.dataset,
        "split": setting.split,
        "noise": setting.noise,
        "compared_to": setting.without,
        "precision": setting.precision,
        "device": setting.device,
        "threads": setting.threads,
        "recordings": summary.recordings,
        "failed": list(summary.failed),
        "silent_recordings": summary.silent,
        "recordings_without_noise": summary.alone,
        "audio_seconds": round(summary.cost.seconds, 3),
        "scores": [_line_as_json(line) for line in summary.lines],
        "interval": INTERVAL,
        **price_values(summary.cost),
    }


def _line_as_json(line: SoundLine) -> dict[str, Any]:
    title, unit, _ = TITLES[line.key]
    return {
        "metric": title,
        "unit": unit,
        "without": numbers(line.without),
        "model": numbers(line.model),
        "change": numbers(line.change),
        "change_percent": None if line.share is None else round(100 * line.share, 2),
    }


def subject(summary: SoundSummary) -> str:
    """What was evaluated on what."""
    setting = summary.setting
    noise = f", with {setting.noise}" if setting.noise else ""
    minutes = summary.cost.seconds / 60
    return (
        f"{setting.model} on {setting.dataset}, split {setting.split}: {summary.recordings} recordings, "
        f"{minutes:.1f} min{noise}"
    )


def lines(summary: SoundSummary) -> list[str]:
    """The whole summary for a terminal."""
    return [
        subject(summary),
        *aligned([_heads(summary), *map(_row, summary.lines)]),
        INTERVAL,
        *summary.left_out,
        price(summary.cost, "network"),
    ]


def _heads(summary: SoundSummary) -> tuple[str, ...]:
    return ("metric", summary.setting.without, "model", "change", "95 % interval", "change in %", "n")


def _row(line: SoundLine) -> tuple[str, ...]:
    title, unit, digits = TITLES[line.key]
    return (
        title + (f", {unit}" if unit else ""),
        number(line.without.mean, digits),
        number(line.model.mean, digits),
        number(line.change.mean, digits, sign=True),
        interval(line.change, digits),
        number(None if line.share is None else 100 * line.share, 1, sign=True),
        str(line.change.n),
    )


def csv_text(results: Sequence[SoundResult]) -> str:
    """A row for each recording."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    keys = [key for key in TITLES if any(key in result.scores for result in results)]
    writer.writerow(["name", "seconds", *(f"{key}{part}" for key in keys for part in ("_without", "")), "voice"])
    for result in results:
        values = [f"{value:.4f}" if math.isfinite(value) else "" for key in keys for value in _pair(result, key)]
        writer.writerow([result.name, f"{result.seconds:.3f}", *values, result.state])
    return out.getvalue()


def sounds_report_html(evaluation: SoundEvaluation, summary: SoundSummary) -> str:
    """The whole report."""
    title = f"{summary.setting.model} on {summary.setting.dataset}, split {summary.setting.split}"
    rows = [[(cell, cell) for cell in _row(line)] for line in summary.lines]
    sections = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="dim">{escape(subject(summary))}. {escape(price(summary.cost, "network"))}.</p>',
        f'<div class="tiles">{"".join(_tile(line, summary) for line in summary.lines)}</div>',
        "<h2>Scores</h2>" + table(list(_heads(summary)), rows) + notes([INTERVAL, *summary.left_out]),
        _recordings(evaluation.results),
        failures(evaluation.failures, "recordings"),
    ]
    return page(f"{title} · unbraid evaluate", "\n".join(filter(None, sections)))


def _tile(line: SoundLine, summary: SoundSummary) -> str:
    title, unit, digits = TITLES[line.key]
    value = number(line.model.mean, digits) + (f" {unit}" if unit else "")
    beside = f"{summary.setting.without}: {number(line.without.mean, digits)}; n = {line.model.n}"
    return tile(line.key.upper(), value, beside, title)


def _pair(result: SoundResult, key: str) -> tuple[float, float]:
    """A measure without the model and with it; NaN where the recording is left out."""
    pair = result.scores.get(key)
    return (math.nan, math.nan) if pair is None else (pair.without, pair.model)


def _recordings(results: Sequence[SoundResult]) -> str:
    if not results:
        return ""
    keys = [key for key in TITLES if any(key in result.scores for result in results)]
    heads = ["recording", "length in s", *(f"{key.upper()} {part}" for key in keys for part in ("without", "model"))]
    rows = []
    for result in results:
        values = [(value, TITLES[key][2]) for key in keys for value in _pair(result, key)]
        cells = [result.name, number(result.seconds, 2), *(number(value, digits) for value, digits in values)]
        rows.append([(cell, cell) for cell in cells])
    note = '<p class="note">A click on a heading sorts by it.</p>'
    return f"<h2>Every recording</h2>{note}{table(heads, rows, 'sortable')}"
