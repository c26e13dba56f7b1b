"""The scores of speaker embeddings: summed up, as JSON, for a terminal, per speaker, and as a page."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unbraid.evaluation.report import Report, Setting, total_cost
from unbraid.evaluation.speakers.scoring import PRIOR, Verification, verification
from unbraid.evaluation.speakers.trials import MOST_PIECES, PIECE_SECONDS, SpeakerEvaluation, SpeakerResult, Trials
from unbraid.tasks.pages import plots, scores_page
from unbraid.tasks.pages.tables import DASH, Cell, Column, Table, cell, number, percent, text

DOTS = 200  # of each kind of trial in the plot
CONVENTION = (
    f"every pair of pieces is a trial, at most {MOST_PIECES} of {PIECE_SECONDS[0]:g} to {PIECE_SECONDS[1]:g} s of each "
    "speaker; the score is the cosine of their embeddings; EER: errors where misses and false alarms are equally "
    f"frequent; minDCF: least detection cost at a prior of {PRIOR:g}"
)
Scores = NDArray[np.float32]


def report(evaluation: SpeakerEvaluation, setting: Setting) -> Report:
    """Sum an evaluation up."""
    results, trials = evaluation.results, evaluation.trials()
    cost = total_cost(results, setting)
    pieces = sum(len(result.embeddings) for result in results)
    subject = f"{setting.title}: {len(results)} speakers, {pieces} pieces, {cost.length}"
    kinds = {"all trials": trials.same, "same speaker across recordings": trials.across}
    found = {name: (len(same), trials.verified(same)) for name, same in kinds.items()}
    notes = [CONVENTION]
    if len(trials.across) < len(trials.same):
        notes.append(
            f"{len(trials.same) - len(trials.across)} of {len(trials.same)} trials of the same speaker are pieces of "
            "one recording; the second line leaves these out"
        )
    values = {
        **setting.as_json(evaluation.failures),
        "speakers": len(results),
        "pieces": pieces,
        "trials_other": len(trials.other),
        "scores": [_as_json(name, count, errors) for name, (count, errors) in found.items()],
        "convention": CONVENTION,
        **cost.as_json(),
    }
    scores, speakers = _scores(found, len(trials.other)), table(results)
    page = scores_page.scores_page(
        setting.title,
        f"{subject}. {cost.line('network')}",
        [_tile(name, count, errors) for name, (count, errors) in found.items()],
        [
            scores_page.section("Scores", scores.html(), scores_page.notes(*notes)),
            _plot(trials),
            scores_page.sortable("Every speaker", speakers),
            scores_page.failures(evaluation.failures, "speakers"),
        ],
    )
    return Report(values, [subject, *scores.lines(), *notes, cost.line("network")], "speakers", speakers, page)


def table(results: Sequence[SpeakerResult]) -> Table:
    """A row for each speaker: how alike their own pieces are, and who is closest."""
    columns = (
        *(Column("name", "speaker"), Column("pieces", "pieces"), Column("recordings", "recordings")),
        *(Column("seconds", "length in s"), Column("own_mean", "own pieces, mean cosine")),
        *(Column("own_least", "least"), Column("nearest", "nearest other"), Column("nearest_mean", "mean cosine")),
        Column("eer", "EER of own trials"),
    )
    means = np.stack([result.embeddings.mean(0) for result in results])  # (S, D)
    between = means @ means.T  # the mean cosine of all their pieces
    np.fill_diagonal(between, -np.inf)
    rows = []
    for result, cosines in zip(results, between, strict=True):
        own = result.embeddings @ result.embeddings.T
        pairs = own[np.triu_indices(len(own), 1)]
        nearest = int(cosines.argmax())
        rows.append([
            text(result.name),
            text(len(own)),
            text(len(set(result.recordings))),
            cell(result.seconds, 2, exact=3),
            cell(float(pairs.mean()) if len(pairs) else None, 3),
            cell(float(pairs.min()) if len(pairs) else None, 3),
            text(results[nearest].name if len(results) > 1 else DASH),
            cell(float(cosines[nearest]), 3),
            _own_eer(result, pairs, results),
        ])  # fmt: skip
    return Table(columns, rows)


def _own_eer(result: SpeakerResult, same: Scores, results: Sequence[SpeakerResult]) -> Cell:
    """The equal error rate of a speaker's trials: pairs of their own pieces, and of each with those of the others."""
    others = [other.embeddings for other in results if other is not result]
    if not len(same) or not others:
        return text("")
    eer = verification(same, (result.embeddings @ np.concatenate(others).T).ravel()).eer
    return Cell(percent(eer), f"{eer:.6f}")


def _as_json(name: str, count: int, errors: Verification | None) -> dict[str, Any]:
    return {
        "trials": name,
        "trials_same": count,
        "eer": round(errors.eer, 6) if errors else None,
        "threshold": round(errors.threshold, 4) if errors else None,
        "min_dcf": round(errors.min_dcf, 4) if errors else None,
    }


def _scores(found: dict[str, tuple[int, Verification | None]], other: int) -> Table:
    heads = ("trials", "EER", "minDCF", "threshold", "n same", "n other")
    rows = []
    for name, (count, errors) in found.items():
        values = [DASH] * 3
        if errors is not None:
            values = [percent(errors.eer), number(errors.min_dcf, 3), number(errors.threshold, 3)]
        rows.append([text(name), *map(text, values), text(count), text(other)])
    return Table([Column(head, head) for head in heads], rows)


def _tile(name: str, count: int, errors: Verification | None) -> str:
    value, cost = (DASH, DASH) if errors is None else (percent(errors.eer), number(errors.min_dcf, 3))
    return scores_page.tile("EER", value, f"{name}; n = {count}", f"minDCF {cost}")


def _plot(trials: Trials) -> str:
    if not plots.available():
        return scores_page.notes(scores_page.WITHOUT)
    kinds = {
        "same speaker, one recording or more": trials.same,
        "same speaker, two recordings": trials.across,
        "other speakers": trials.other,
    }
    groups = {name: _spread(scores) for name, scores in kinds.items() if len(scores)}
    title = "Cosines of trials, evenly spaced quantiles"
    return scores_page.figures("All trials", (plots.strips(groups, title, "cosine"), title))


def _spread(scores: Scores) -> list[float]:
    """Evenly spaced quantiles."""
    return list(map(float, np.quantile(scores, np.linspace(0, 1, min(DOTS, len(scores))))))
