"""The scores of speech separation over a corpus: summed up, as JSON, for a terminal, per mixture, and as a page."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from unbraid.evaluation.measures import Measure
from unbraid.evaluation.speech.run import MixtureCase, MixtureResult, SpeechEvaluation
from unbraid.evaluation.statistics import (
    GAINS,
    INTERVAL,
    Cost,
    Statistic,
    gain_cells,
    gain_tile,
    many,
    statistic,
    total_cost,
)
from unbraid.tasks.pages import plots, scores_page
from unbraid.tasks.pages.tables import Column, Table, cell, number, text

AVERAGE = "best permutation by SI-SDR; mean over the voices of a mixture, then over mixtures"


@dataclass(frozen=True)
class SpeechSetting:
    """What was evaluated, and how; in the names of the JSON summary."""

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


@dataclass(frozen=True)
class MeasureLine:
    """A measure over all mixtures."""

    measure: Measure
    mixture: Statistic
    estimate: Statistic
    improvement: Statistic
    left_out: int  # voices


@dataclass(frozen=True)
class SpeechSummary:
    """The scores of an evaluation, summed up."""

    setting: SpeechSetting
    lines: tuple[MeasureLine, ...]
    mixtures: int  # that were scored
    failed: tuple[str, ...]
    cost: Cost
    silent_references: int
    silent_estimates: int
    alone_references: int


def summarise(evaluation: SpeechEvaluation, setting: SpeechSetting, peak_memory_bytes: int | None) -> SpeechSummary:
    """Sum an evaluation up."""
    results = evaluation.results
    return SpeechSummary(
        setting=setting,
        lines=tuple(_line(measure, results) for measure in evaluation.measures),
        mixtures=len(results),
        failed=tuple(failure.name for failure in evaluation.failures),
        cost=total_cost(results, setting, peak_memory_bytes),
        silent_references=sum(result.scored.silent_references for result in results),
        silent_estimates=sum(result.scored.silent_estimates for result in results),
        alone_references=sum(result.scored.alone_references for result in results),
    )


def _line(measure: Measure, results: Sequence[MixtureResult]) -> MeasureLine:
    scores = [result.scored.scores[measure.key] for result in results]
    return MeasureLine(
        measure,
        statistic([score.mixture for score in scores]),
        statistic([score.estimate for score in scores]),
        statistic([score.improvement for score in scores]),
        sum(score.left_out for score in scores),
    )


def as_json(summary: SpeechSummary) -> dict[str, Any]:
    """The summary as JSON values."""
    return {
        **asdict(summary.setting),
        "mixtures": summary.mixtures,
        "failed": list(summary.failed),
        "audio_seconds": round(summary.cost.seconds, 3),
        "scores": [_line_as_json(line) for line in summary.lines],
        "average": AVERAGE,
        "interval": INTERVAL,
        "silent_references": summary.silent_references,
        "silent_estimates": summary.silent_estimates,
        "alone_references": summary.alone_references,
        **summary.cost.as_json(),
    }


def _line_as_json(line: MeasureLine) -> dict[str, Any]:
    return {
        "metric": line.measure.name,
        "variant": line.measure.variant,
        "unit": line.measure.unit,
        "mixture": line.mixture.as_json(),
        "estimate": line.estimate.as_json(),
        "improvement": line.improvement.as_json(),
        "voices_left_out": line.left_out,
    }


def lines(summary: SpeechSummary) -> list[str]:
    """The summary for a terminal."""
    scores = _scores(summary).lines()
    return [_subject(summary), *scores, AVERAGE, INTERVAL, *_left_out(summary), summary.cost.line()]


def _scores(summary: SpeechSummary) -> Table:
    rows = [
        [text(line.measure.title), *gain_cells(line.mixture, line.estimate, line.improvement, line.measure.digits)]
        for line in summary.lines
    ]
    return Table([Column("metric", "metric"), *GAINS], rows)


def _subject(summary: SpeechSummary) -> str:
    """The model and the corpus."""
    setting = summary.setting
    noise = f", with {setting.noise}" if setting.noise else ""
    return (
        f"{setting.model} on {setting.dataset}, split {setting.split}: {many(summary.mixtures, 'mixture')} of "
        f"{many(setting.voices, 'voice')}, {summary.cost.seconds / 60:.1f} min at {setting.sample_rate} Hz{noise}"
    )


def _left_out(summary: SpeechSummary) -> list[str]:
    """The voices that are in no mean, and why."""
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


def table(results: Sequence[MixtureResult], measures: Sequence[Measure]) -> Table:
    """A row for each mixture."""
    columns = [Column("name", "mixture"), Column("seconds", "length in s")]
    for m in measures:
        unit = f", {m.unit}" if m.unit else ""
        columns += [
            Column(m.column, ""),
            Column(f"{m.column}_of_mixture", f"{m.name} of mixture{unit}"),
            Column("", f"{m.name}{unit}"),
            Column(f"{m.column}_improvement", f"{m.improvement}{unit}"),
        ]
    counts = ("silent_references", "silent_estimates", "alone_references")
    columns += [Column("permutation", "permutation"), *(Column(key, "") for key in counts)]
    columns += [Column("wall_seconds", "wall time in s"), Column("cpu_seconds", "")]
    rows = []
    for result in results:
        scored = result.scored
        row = [text(result.name), cell(result.seconds, 2, exact=3)]
        for m in measures:
            score = scored.scores[m.key]
            estimate = cell(score.estimate, m.digits)
            row += [estimate, cell(score.mixture, m.digits), estimate, cell(score.improvement, m.digits, sign=True)]
        row += [text(" ".join(str(stem + 1) for stem in scored.order))]
        row += [text(count) for count in (scored.silent_references, scored.silent_estimates, scored.alone_references)]
        rows.append([*row, cell(result.wall_seconds, 2), cell(result.cpu_seconds, 2)])
    return Table(columns, rows)


def page(evaluation: SpeechEvaluation, summary: SpeechSummary) -> str:
    """The page."""
    title = f"{summary.setting.model} on {summary.setting.dataset}, split {summary.setting.split}"
    variants = "; ".join(f"{measure.name}: {measure.variant}" for measure in evaluation.measures)
    note = f"{variants}. Permutation: which stem follows reference 1, 2, … {scores_page.SORTABLE}"
    small = scores_page.notes(AVERAGE, INTERVAL, *_left_out(summary))
    mixtures = table(evaluation.results, evaluation.measures)
    return scores_page.scores_page(
        title,
        _subject(summary),
        [*map(_tile, summary.lines), *summary.cost.tiles()],
        [
            scores_page.section("Scores", _scores(summary).html(), small),
            _plots(evaluation),
            _cases(evaluation, summary.setting.sample_rate),
            scores_page.sortable("Every mixture", mixtures, note, "sortable wrap"),
            scores_page.failures(evaluation.failures, "mixtures"),
        ],
    )


def _tile(line: MeasureLine) -> str:
    measure = line.measure
    return gain_tile(measure.improvement, line.improvement, measure.unit, measure.digits, measure.variant)


def _plots(evaluation: SpeechEvaluation) -> str:
    if not plots.available():
        return scores_page.notes(scores_page.WITHOUT)
    measure = evaluation.measures[0]
    scores = [result.scored.scores[measure.key] for result in evaluation.results]
    gains, before = [score.improvement for score in scores], [score.mixture for score in scores]
    if not any(map(math.isfinite, gains)):
        return ""
    unit, name = f" in {measure.unit}" if measure.unit else "", measure.improvement
    label = f"{name}{unit}\n({measure.variant})"
    spread = plots.histogram(gains, f"Distribution of {name}", label, "mixtures")
    title = f"{name} against the mixture's own {measure.name}"
    against = plots.scatter(before, gains, title, (f"{measure.name} of the mixture{unit}", label))
    described = ((spread, f"Histogram of {name}"), (against, f"{name} against {measure.name}"))
    return scores_page.figures("All mixtures", *described)


def _cases(evaluation: SpeechEvaluation, sample_rate: int) -> str:
    measure = evaluation.measures[0]
    intro = (
        f"By {measure.improvement} ({measure.variant}), the worst one first. Estimates are in the order of the "
        "references; all sounds of a case have one gain, so their levels compare."
    )
    return scores_page.cases(intro, [_case(case, evaluation, sample_rate) for case in evaluation.worst])


def _case(case: MixtureCase, evaluation: SpeechEvaluation, sample_rate: int) -> str:
    measure, scores = evaluation.measures[0], case.result.scored.scores
    unit = f" {measure.unit}" if measure.unit else ""
    gain = number(scores[measure.key].improvement, measure.digits, sign=True)
    facts = [
        f"{m.name} {number(scores[m.key].mixture, m.digits)} → {number(scores[m.key].estimate, m.digits)}"
        for m in evaluation.measures
    ]
    signals = {"mixture": case.mixture}
    signals |= {f"reference {i}": reference for i, reference in enumerate(case.references, 1)}
    signals |= {f"estimate {i}": estimate for i, estimate in enumerate(case.estimates, 1)}
    return scores_page.case(
        f"{case.result.name}: {measure.improvement} {gain}{unit}",
        facts,
        {name: signal[None] for name, signal in signals.items()},
        sample_rate,
        list(zip(case.references, case.estimates, strict=True)),
    )
