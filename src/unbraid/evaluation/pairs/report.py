"""The scores of one's own pairs: summed up, as JSON, for a terminal, per pair, and as a page."""

import re
from collections.abc import Sequence

from unbraid.evaluation.pairs.run import PairResult, measure_of
from unbraid.evaluation.report import Report, Setting
from unbraid.evaluation.run import Evaluation
from unbraid.evaluation.statistics import many, statistic
from unbraid.evaluation.text.scoring import symbol_error_rate, text_error_rate
from unbraid.tasks.pages import scores_page
from unbraid.tasks.pages.tables import Column, Table, cell, number, percent, text


def report(evaluation: Evaluation[PairResult], setting: Setting) -> Report:
    """Sum an evaluation up."""
    results, failures = evaluation.results, evaluation.failures
    measure = measure_of(setting.spec)
    scores = _rates(results) if setting.spec.geometry.writes == "text" else _means(results, measure)
    subject = f"{setting.title}: {many(len(results), 'pair')}"
    page = scores_page.scores_page(
        setting.title,
        f"{subject} ({setting.device}, {setting.threads}){setting.memory()}",
        [scores_page.tile(name, shown) for name, (_, shown) in scores.items()],
        [scores_page.sortable("Every pair", table(results, measure)), scores_page.failures(failures, "pairs")],
    )
    values = {
        **setting.as_json(failures),
        "pairs": len(results),
        **{name.replace(" ", "_").replace("-", "_").lower(): value for name, (value, _) in scores.items()},
    }
    lines = [subject, *(f"{name}: {shown}" for name, (_, shown) in scores.items())]
    return Report(values, lines, "pairs", table(results, measure), page)


def table(results: Sequence[PairResult], measure: str) -> Table:
    """A row for each pair; sounds have a column that is called like their measure."""
    if any(result.distance for result in results):
        columns = [Column("source", "source"), Column("made", "written"), Column("target", "target")]
        rows = [
            [text(r.name), text(r.made), text(r.target), text(r.distance.edits), text(r.distance.symbols)]
            for r in results
            if r.distance
        ]
        return Table([*columns, Column("edits", "edits"), Column("symbols", "symbols")], rows)
    key = re.sub("[^a-z]+", "_", measure.lower().replace(" in ", " "))  # log_spectral_distance_db
    columns = [Column("source", "source"), Column(key, "model"), Column("baseline", "source as it is")]
    return Table(columns, [[text(r.name), cell(r.score, 2), cell(r.baseline, 2)] for r in results])


def _rates(results: Sequence[PairResult]) -> dict[str, tuple[float | None, str]]:
    """The error rates of texts: each with its value and how it is shown."""
    distances = [result.distance for result in results if result.distance]
    rates = {"symbol error rate": symbol_error_rate(distances), "text error rate": text_error_rate(distances)}
    return {name: (round(rate, 6), percent(rate)) for name, rate in rates.items()}


def _means(results: Sequence[PairResult], measure: str) -> dict[str, tuple[float | None, str]]:
    """The means of a measure of sounds, of the model and, if there is a baseline, of the source."""
    found = {measure: statistic([result.score for result in results]).mean}
    if (before := statistic([result.baseline for result in results]).mean) is not None:
        found[f"{measure}, source as it is"] = before
    return {name: (None if mean is None else round(mean, 4), number(mean, 2)) for name, mean in found.items()}
