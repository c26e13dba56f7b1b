"""The scores of an audio-to-audio model: summed up, as JSON, for a terminal, per recording, and as a page."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from unbraid.evaluation.audio.run import LSD, STOI, SoundEvaluation, SoundResult
from unbraid.evaluation.statistics import INTERVAL, Cost, Statistic, statistic, total_cost
from unbraid.tasks.pages import scores_page
from unbraid.tasks.pages.tables import Column, Table, cell, number, text

TITLES = {LSD: ("log-spectral distance of log-mel spectrograms", "dB", 2), STOI: ("STOI (classic, 10 kHz)", "", 3)}


@dataclass(frozen=True)
class SoundSetting:
    """What was evaluated, and how; in the names of the JSON summary."""

    model: str
    dataset: str
    split: str
    noise: str | None  # in words
    compared_to: str  # the baseline
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
        """The change of the mean, relative to the baseline."""
        return None if not self.without.mean or self.model.mean is None else self.model.mean / self.without.mean - 1


@dataclass(frozen=True)
class SoundSummary:
    """The scores of an evaluation, summed up."""

    setting: SoundSetting
    lines: tuple[SoundLine, ...]
    recordings: int  # that did not fail
    failed: tuple[str, ...]
    cost: Cost
    silent: int  # recordings left out for a silent voice
    alone: int  # recordings left out for having no noise

    @property
    def left_out(self) -> list[str]:
        """The recordings that are in no mean, and why."""
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
    return {
        **asdict(summary.setting),
        "recordings": summary.recordings,
        "failed": list(summary.failed),
        "silent_recordings": summary.silent,
        "recordings_without_noise": summary.alone,
        "audio_seconds": round(summary.cost.seconds, 3),
        "scores": [_line_as_json(line) for line in summary.lines],
        "interval": INTERVAL,
        **summary.cost.as_json(),
    }


def _line_as_json(line: SoundLine) -> dict[str, Any]:
    title, unit, _ = TITLES[line.key]
    return {
        "metric": title,
        "unit": unit,
        "without": line.without.as_json(),
        "model": line.model.as_json(),
        "change": line.change.as_json(),
        "change_percent": None if line.share is None else round(100 * line.share, 2),
    }


def lines(summary: SoundSummary) -> list[str]:
    """The summary for a terminal."""
    return [_subject(summary), *_scores(summary).lines(), INTERVAL, *summary.left_out, summary.cost.line("network")]


def _subject(summary: SoundSummary) -> str:
    """The model and the corpus."""
    setting = summary.setting
    noise = f", with {setting.noise}" if setting.noise else ""
    minutes = summary.cost.seconds / 60
    return (
        f"{setting.model} on {setting.dataset}, split {setting.split}: {summary.recordings} recordings, "
        f"{minutes:.1f} min{noise}"
    )


def _scores(summary: SoundSummary) -> Table:
    heads = ("metric", summary.setting.compared_to, "model", "change", "95 % interval", "change in %", "n")
    rows = []
    for line in summary.lines:
        title, unit, digits = TITLES[line.key]
        rows.append([
            text(title + (f", {unit}" if unit else "")),
            cell(line.without.mean, digits),
            cell(line.model.mean, digits),
            cell(line.change.mean, digits, sign=True),
            text(line.change.between(digits)),
            cell(None if line.share is None else 100 * line.share, 1, sign=True),
            text(line.change.n),
        ])  # fmt: skip
    return Table([Column(head, head) for head in heads], rows)


def table(results: Sequence[SoundResult]) -> Table:
    """A row for each recording."""
    keys = [key for key in TITLES if any(key in result.scores for result in results)]
    columns = [Column("name", "recording"), Column("seconds", "length in s")]
    for key in keys:
        columns += [Column(f"{key}_without", f"{key.upper()} without"), Column(key, f"{key.upper()} model")]
    rows = []
    for result in results:
        row = [text(result.name), cell(result.seconds, 2, exact=3)]
        for key in keys:
            pair = result.scores.get(key)  # None: the recording is left out
            both = (math.nan, math.nan) if pair is None else (pair.without, pair.model)
            row += [cell(value, TITLES[key][2]) for value in both]
        rows.append([*row, text(result.state)])
    return Table([*columns, Column("voice", "")], rows)


def page(evaluation: SoundEvaluation, summary: SoundSummary) -> str:
    """The page."""
    setting, small = summary.setting, scores_page.notes(INTERVAL, *summary.left_out)
    return scores_page.scores_page(
        f"{setting.model} on {setting.dataset}, split {setting.split}",
        f"{_subject(summary)}. {summary.cost.line('network')}",
        [_tile(line, setting.compared_to) for line in summary.lines],
        [
            scores_page.section("Scores", _scores(summary).html(), small),
            scores_page.sortable("Every recording", table(evaluation.results)),
            scores_page.failures(evaluation.failures, "recordings"),
        ],
    )


def _tile(line: SoundLine, baseline: str) -> str:
    title, unit, digits = TITLES[line.key]
    value = number(line.model.mean, digits) + (f" {unit}" if unit else "")
    beside = f"{baseline}: {number(line.without.mean, digits)}; n = {line.model.n}"
    return scores_page.tile(line.key.upper(), value, beside, title)
