"""The scores of speech separation over a corpus: summed up, as JSON, for a terminal, per mixture, and as a page."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unbraid.evaluation.measures import Measure
from unbraid.evaluation.report import Report, Setting, total_cost
from unbraid.evaluation.speech.counting import counting_of
from unbraid.evaluation.speech.run import MixtureCase, MixtureResult, SpeechEvaluation
from unbraid.evaluation.statistics import GAINS, INTERVAL, Gain, gain_of, many
from unbraid.tasks.pages import plots, scores_page
from unbraid.tasks.pages.tables import Column, Table, cell, number, text

AVERAGE = "best permutation by SI-SDR; mean over the voices of a mixture, then over mixtures"


COUNTS = ("silent_references", "silent_estimates", "alone_references")  # of a mixture


@dataclass(frozen=True)
class MeasureGain:
    """A measure over all mixtures."""

    measure: Measure
    gain: Gain
    left_out: int  # voices


def report(evaluation: SpeechEvaluation, setting: Setting) -> Report:
    """Sum an evaluation up."""
    results, request, spec = evaluation.results, setting.request, setting.spec
    found, cost, wanted = measure_gains(evaluation), total_cost(results, setting), request.wanted(spec)
    counts = {key: sum(getattr(result.scored, key) for result in results) for key in COUNTS}
    noise = f", with {request.noise_words()}" if request.noise else ""
    subject = (
        f"{setting.title}: {many(len(results), 'mixture')} of {many(wanted.sources, 'voice')}, "
        f"{cost.length} at {spec.sample_rate} Hz{noise}"
    )
    rows = [[text(each.measure.title), *each.gain.cells(each.measure.digits)] for each in found]
    scores = Table([Column("metric", "metric"), *GAINS], rows)
    counting = counting_of([r.voices_found for r in results], [r.others_db for r in results], wanted.sources)
    notes = [AVERAGE, INTERVAL, *_left_out(found, counts, len(results) * wanted.sources)]
    if counting:
        notes += counting.lines()
    values = {
        **setting.as_json(evaluation.failures),
        "voices": wanted.sources,
        "sample_rate": spec.sample_rate,
        "condition": wanted.condition,
        "mode": wanted.mode,
        "noise": request.noise_words(),
        "mixtures": len(results),
        "scores": [_as_json(each) for each in found],
        "average": AVERAGE,
        "interval": INTERVAL,
        **counts,
        **(counting.as_json() if counting else {}),
        **cost.as_json(),
    }
    variants = "; ".join(f"{measure.name}: {measure.variant}" for measure in evaluation.measures)
    note = f"{variants}. Permutation: which stem follows reference 1, 2, … {scores_page.SORTABLE}"
    mixtures = table(results, evaluation.measures)
    page = scores_page.scores_page(
        setting.title,
        subject,
        [*map(_tile, found), *(counting.tiles() if counting else []), *cost.tiles()],
        [
            scores_page.section("Scores", scores.html(), scores_page.notes(*notes)),
            _plots(evaluation),
            _cases(evaluation, spec.sample_rate),
            scores_page.sortable("Every mixture", mixtures, note, "sortable wrap"),
            scores_page.failures(evaluation.failures, "mixtures"),
        ],
    )
    return Report(values, [subject, *scores.lines(), *notes, cost.line()], "mixtures", mixtures, page)


def measure_gains(evaluation: SpeechEvaluation) -> list[MeasureGain]:
    """Each measure over all mixtures."""
    found = []
    for measure in evaluation.measures:
        scores = [result.scored.scores[measure.key] for result in evaluation.results]
        gain = gain_of([(score.mixture, score.estimate) for score in scores])
        found.append(MeasureGain(measure, gain, sum(score.left_out for score in scores)))
    return found


def _as_json(found: MeasureGain) -> dict[str, Any]:
    measure = found.measure
    return {
        **{"metric": measure.name, "variant": measure.variant, "unit": measure.unit},
        **found.gain.as_json(),
        "voices_left_out": found.left_out,
    }


def _left_out(found: Sequence[MeasureGain], counts: Mapping[str, int], voices: int) -> list[str]:
    """The voices that are in no mean, and why."""
    sentences = [f"{each.measure.name}: {each.left_out} of {voices} voices left out" for each in found if each.left_out]
    if sentences:
        silent, mute, alone = (counts[key] for key in COUNTS)
        sentences.append(
            f"left out is what is silent (references: {silent}, estimates: {mute}), is all that sounds in its mixture "
            f"({alone}), or has too little sound for the metric"
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
    counted = any(result.voices_found is not None for result in results)
    columns += [Column("permutation", "permutation"), *(Column(key, "") for key in COUNTS)]
    columns += [Column("voices_found", "voices found")] if counted else []
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
        row += [text(getattr(scored, key)) for key in COUNTS]
        row += [text(result.voices_found)] if counted else []
        rows.append([*row, cell(result.wall_seconds, 2), cell(result.cpu_seconds, 2)])
    return Table(columns, rows)


def _tile(found: MeasureGain) -> str:
    measure = found.measure
    return found.gain.tile(measure.improvement, measure.unit, measure.digits, measure.variant)


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
    return scores_page.cases(intro, [_case(case, evaluation, sample_rate) for case in evaluation.worst.cases])


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
