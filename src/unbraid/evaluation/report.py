"""The report of an evaluation: one HTML file with numbers, pictures and sound, for a browser and nobody else."""

import math
from html import escape

from unbraid.evaluation import pictures
from unbraid.evaluation.page import image, page, table, tile
from unbraid.evaluation.parts import WITHOUT, cell, failures, notes, players, price_tiles
from unbraid.evaluation.run import Case, Evaluation, Result
from unbraid.evaluation.summary import AVERAGE, INTERVAL, Line, Summary
from unbraid.evaluation.tables import interval, left_out, number, permutation, subject


def report_html(evaluation: Evaluation, summary: Summary) -> str:
    """The whole report."""
    title = f"{summary.setting.model} on {summary.setting.dataset}, split {summary.setting.split}"
    sections = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="dim">{escape(subject(summary))}.</p>',
        _tiles(summary),
        _lines(summary),
        _pictures(evaluation),
        _cases(evaluation, summary.setting.sample_rate),
        _mixtures(evaluation),
        failures(evaluation.failures, "mixtures"),
    ]
    return page(f"{title} · unbraid evaluate", "\n".join(filter(None, sections)))


def _tiles(summary: Summary) -> str:
    shown = [_headline(line) for line in summary.lines]
    shown += price_tiles(summary.cost)
    return f'<div class="tiles">{"".join(shown)}</div>'


def _headline(line: Line) -> str:
    measure, gain = line.measure, line.improvement
    unit = f" {measure.unit}" if measure.unit and gain.mean is not None else ""
    between = f"95 % interval {interval(gain, measure.digits)}; n = {gain.n}"
    return tile(measure.improvement, number(gain.mean, measure.digits, sign=True) + unit, between, measure.variant)


def _lines(summary: Summary) -> str:
    heads = ["metric", "mixture, mean", "estimate, mean", "improvement, mean", "95 % interval", "median", "n"]
    rows = []
    for line in summary.lines:
        digits, gain = line.measure.digits, line.improvement
        cells = [
            line.measure.title, number(line.mixture.mean, digits), number(line.estimate.mean, digits),
            number(gain.mean, digits, sign=True), interval(gain, digits), number(gain.median, digits, sign=True),
            str(gain.n),
        ]  # fmt: skip
        rows.append([(cell, cell) for cell in cells])
    return "<h2>Scores</h2>" + table(heads, rows) + notes([AVERAGE, INTERVAL, *left_out(summary)])


def _pictures(evaluation: Evaluation) -> str:
    if not pictures.available():
        return f'<p class="note">{escape(WITHOUT)}</p>'
    measure = evaluation.measures[0]
    if not any(math.isfinite(result.scored.scores[measure.key].improvement) for result in evaluation.results):
        return ""
    spread = image(pictures.histogram(evaluation.results, measure), f"Histogram of {measure.improvement}")
    against = image(pictures.scatter(evaluation.results, measure), f"{measure.improvement} against {measure.name}")
    return f'<h2>All mixtures</h2><div class="pictures"><figure>{spread}</figure><figure>{against}</figure></div>'


def _cases(evaluation: Evaluation, sample_rate: int) -> str:
    worst = evaluation.worst
    if not worst:
        return ""
    measure = evaluation.measures[0]
    head = "The worst case" if len(worst) == 1 else f"The {len(worst)} worst cases"
    intro = (
        f"By {measure.improvement} ({measure.variant}), the worst one first. Estimates are in the order of the "
        "references; all sounds of a case have one gain, so their levels compare."
    )
    cases = "".join(_case(case, evaluation, sample_rate) for case in worst)
    return f"<h2>{head}</h2><p>{escape(intro)}</p>{cases}"


def _case(case: Case, evaluation: Evaluation, sample_rate: int) -> str:
    measure = evaluation.measures[0]
    score = case.result.scored.scores[measure.key]
    unit = f" {measure.unit}" if measure.unit else ""
    gain = number(score.improvement, measure.digits, sign=True)
    head = f"{case.result.name}: {measure.improvement} {gain}{unit}"
    values = []
    for other in evaluation.measures:
        of = case.result.scored.scores[other.key]
        values.append(f"{other.name} {number(of.mixture, other.digits)} → {number(of.estimate, other.digits)}")
    drawn = ""
    if pictures.available():
        described = "Spectrograms of the mixture, its references and the estimates"
        drawn = image(pictures.spectrograms(case, sample_rate), described)
    return (
        f'<section class="case"><h3>{escape(head)}</h3><p class="dim">{escape("; ".join(values))}</p>{drawn}'
        f'<div class="players">{_players(case, sample_rate)}</div></section>'
    )


def _players(case: Case, sample_rate: int) -> str:
    signals = {"mixture": case.mixture}
    signals |= {f"reference {i + 1}": reference for i, reference in enumerate(case.references)}
    signals |= {f"estimate {i + 1}": estimate for i, estimate in enumerate(case.estimates)}
    return players({name: signal[None] for name, signal in signals.items()}, sample_rate)


def _mixtures(evaluation: Evaluation) -> str:
    heads = ["mixture", "length in s"]
    for measure in evaluation.measures:
        unit = f", {measure.unit}" if measure.unit else ""
        heads += [f"{measure.name} of mixture{unit}", f"{measure.name}{unit}", f"{measure.improvement}{unit}"]
    heads += ["permutation", "wall time in s"]
    rows = [_row(result, evaluation) for result in evaluation.results]
    variants = "; ".join(f"{measure.name}: {measure.variant}" for measure in evaluation.measures)
    note = f"{variants}. Permutation: which stem follows reference 1, 2, … A click on a heading sorts by it."
    return f'<h2>Every mixture</h2><p class="note">{escape(note)}</p>' + table(heads, rows, "sortable wrap")


def _row(result: Result, evaluation: Evaluation) -> list[tuple[str, str]]:
    cells = [(result.name, result.name), cell(result.seconds, 2)]
    for measure in evaluation.measures:
        score = result.scored.scores[measure.key]
        cells += [cell(value, measure.digits) for value in (score.mixture, score.estimate)]
        cells.append(cell(score.improvement, measure.digits, sign=True))
    return [*cells, (permutation(result), permutation(result)), cell(result.wall_seconds, 2)]
