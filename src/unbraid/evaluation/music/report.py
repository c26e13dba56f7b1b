"""The scores of music separation over songs: summed up, as JSON, for a terminal, per stem of a song, and as a page."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from unbraid.evaluation.music.run import MusicEvaluation, StemCase
from unbraid.evaluation.music.scoring import BSS, USDR, Scale, StemState
from unbraid.evaluation.report import Report, Setting, total_cost
from unbraid.evaluation.statistics import GAINS, INTERVAL, Gain, Statistic, gain_of, many, statistic
from unbraid.tasks.pages import plots, scores_page
from unbraid.tasks.pages.tables import Cell, Column, Table, cell, number, text

AVERAGE = "means and medians are over the songs that have the stem; SiSEC 2018 gives medians of BSS Eval 4"
INTERVALS = INTERVAL.replace("mixtures", "songs")
DIGITS = 2
_GAIN = f"{USDR.name}i"
_LEFT_OUT: Mapping[StemState, tuple[str, str]] = {  # songs in which a stem has no score: their name in JSON, and why
    "absent": ("songs_without_the_stem", "without it"),
    "silent": ("songs_with_the_stem_silent", "with it silent"),
    "alone": ("songs_with_the_stem_alone", "with it alone"),
}


@dataclass(frozen=True)
class StemGain:
    """The scores of one stem over all songs."""

    stem: str
    usdr: Gain
    bss: tuple[tuple[Scale, Statistic], ...]  # empty where not asked for
    songs: Mapping[StemState, int]  # with the stem in each state
    mute: int  # scored estimates that are silent

    @property
    def left_out(self) -> int:
        """Songs without a score of the stem."""
        return sum(self.songs[state] for state in _LEFT_OUT)


def report(evaluation: MusicEvaluation, setting: Setting) -> Report:
    """Sum an evaluation up."""
    results, request, spec = evaluation.results, setting.request, setting.spec
    found, cost = stem_gains(evaluation, spec.stems), total_cost(results, setting)
    mean, frames = mean_improvement(found), [sum(result.bss_frames[i] for result in results) for i in (0, 1)]
    masks = f"Wiener filter, {many(request.wiener, 'iteration')}" if request.wiener else "soft masks"
    subject = f"{setting.title}: {many(len(results), 'song')}, {cost.length} at {spec.sample_rate} Hz, {masks}"
    notes = [AVERAGE, INTERVALS, *_left_out(found, len(results), frames)]
    usdr = [[text(each.stem), *each.usdr.cells(DIGITS)] for each in found]
    mean_row = [text(word) for word in ("mean of stems", "", "", number(mean, DIGITS, sign=True), "", "", "")]
    lines = [subject, f"{USDR.name} ({USDR.variant}), dB", *_usdr([*usdr, mean_row]).lines()]
    scores = [scores_page.paragraph(f"{USDR.name}, in dB: {USDR.variant}."), _usdr(usdr).html()]
    if evaluation.with_bss:
        lines += [f"{', '.join(scale.name for scale in BSS)} ({BSS[0].variant}), dB", *_bss(found).lines()]
        scores += [scores_page.paragraph(f"In dB: {BSS[0].variant}."), _bss(found).html()]
    values = {
        **setting.as_json(evaluation.failures),
        "stems": list(spec.stems),
        "sample_rate": spec.sample_rate,
        "wiener": request.wiener,
        "songs": len(results),
        "scores": [score for each in found for score in _as_json(each)],
        "mean_improvement_db": None if mean is None else round(mean, 4),  # of uSDR, over the stems
        "bss_eval_frames": dict(zip(("scored", "all"), frames, strict=True)),
        "average": AVERAGE,
        "interval": INTERVALS,
        **cost.as_json(),
    }
    tables = {f"Every song: {stem}": table(evaluation, stem) for stem in spec.stems}
    page = scores_page.scores_page(
        setting.title,
        subject,
        [*(each.usdr.tile(f"{each.stem}, {_GAIN}", "dB", DIGITS) for each in found), *cost.tiles()],
        [
            scores_page.section("Scores", *scores, scores_page.notes(*notes)),
            _plot(evaluation, spec.stems),
            _cases(evaluation, spec.sample_rate),
            *(scores_page.sortable(heading, rows, kind="sortable wrap") for heading, rows in tables.items()),
            scores_page.failures(evaluation.failures, "songs"),
        ],
    )
    return Report(values, [*lines, *notes, cost.line()], "songs", table(evaluation), page)


def stem_gains(evaluation: MusicEvaluation, stems: Sequence[str]) -> list[StemGain]:
    """Each stem over all songs."""
    return [_gain(stem, evaluation) for stem in stems]


def mean_improvement(found: Sequence[StemGain]) -> float | None:
    """Mean of the stems' means."""
    means = [each.usdr.improvement.mean for each in found if each.usdr.improvement.mean is not None]
    return fmean(means) if means else None


def _gain(stem: str, evaluation: MusicEvaluation) -> StemGain:
    scores = [score for result in evaluation.results for score in result.stems if score.stem == stem]
    scored = [score for score in scores if score.state == "scored"]
    bss = ((scale, statistic([score.bss[scale.name] for score in scored if score.bss])) for scale in BSS)
    return StemGain(
        stem,
        gain_of([(score.mixture, score.estimate) for score in scored]),
        tuple(bss) if evaluation.with_bss else (),
        Counter(score.state for score in scores),
        sum(score.is_mute for score in scored),
    )


def _as_json(found: StemGain) -> list[dict[str, Any]]:
    songs = {key: found.songs[state] for state, (key, _) in _LEFT_OUT.items()} | {"silent_estimates": found.mute}
    scores = [(USDR, found.usdr.as_json()), *((scale, {"estimate": summed.as_json()}) for scale, summed in found.bss)]
    return [
        {"stem": found.stem, "metric": scale.name, "variant": scale.variant, "unit": "dB", **values, **songs}
        for scale, values in scores
    ]


def _usdr(rows: Sequence[Sequence[Cell]]) -> Table:
    return Table([Column("stem", "stem"), *GAINS], rows)


def _bss(found: Sequence[StemGain]) -> Table:
    heads = ["stem", *(f"{scale.name}, {what}" for scale in BSS for what in ("median", "mean"))]
    rows = [
        [text(each.stem), *(cell(value, DIGITS) for _, summed in each.bss for value in (summed.median, summed.mean))]
        for each in found
    ]
    return Table([Column(head, head) for head in heads], rows)


def _left_out(found: Sequence[StemGain], songs: int, frames: Sequence[int]) -> list[str]:
    """The stems that are in no mean, and why."""
    sentences = []
    for each in found:
        if reasons := [f"{each.songs[state]} {why}" for state, (_, why) in _LEFT_OUT.items() if each.songs[state]]:
            sentences.append(f"{each.stem}: {each.left_out} of {songs} songs left out ({', '.join(reasons)})")
        if each.mute:
            n = each.usdr.improvement.n
            sentences.append(f"{each.stem}: {each.mute} of {n} estimates are silent; their uSDR is 0 dB")
    scored, every = frames
    if scored < every:
        sentences.append(
            f"BSS Eval 4: {every - scored} of {every} frames left out, in which a stem that the song has is silent"
        )
    return sentences


def table(evaluation: MusicEvaluation, stem: str | None = None) -> Table:
    """A row for each stem of each song, or for one stem."""
    with_bss, column = evaluation.with_bss, USDR.column
    scales = BSS if with_bss else ()
    columns = [
        *(Column("name", "song"), Column("stem", ""), Column("reference", ""), Column("seconds", "length in s")),
        *(Column(column, ""), Column(f"{column}_of_mixture", f"{USDR.name} of mixture, dB")),
        *(Column("", f"{USDR.name}, dB"), Column(f"{column}_improvement", f"{_GAIN}, dB")),
        *(Column(scale.column, f"{scale.name}, dB") for scale in scales),
        *(Column("", "reference"), Column("silent_estimate", ""), Column("bss_eval_4_frames", "")),
        *(Column("wall_seconds", ""), Column("cpu_seconds", "")),
    ]
    rows = []
    for result in evaluation.results:
        for score in result.stems:
            if stem in (None, score.stem):
                estimate, frames = cell(score.estimate, DIGITS), result.bss_frames[0] if with_bss else ""
                rows.append([
                    *(text(result.name), text(score.stem), text(score.state), cell(result.seconds, 1, exact=3)),
                    *(estimate, cell(score.mixture, DIGITS), estimate, cell(score.improvement, DIGITS, sign=True)),
                    *(cell(score.bss.get(scale.name, math.nan), DIGITS) for scale in scales),
                    *(text(score.state), text(int(score.is_mute)), text(frames)),
                    *(cell(result.wall_seconds, 2), cell(result.cpu_seconds, 2)),
                ])  # fmt: skip
    return Table(columns, rows)


def _plot(evaluation: MusicEvaluation, stems: Sequence[str]) -> str:
    if not plots.available():
        return scores_page.notes(scores_page.WITHOUT)
    scores = [score for result in evaluation.results for score in result.stems]
    gains = {stem: [score.improvement for score in scores if score.stem == stem] for stem in stems}
    if not any(math.isfinite(value) for values in gains.values() for value in values):
        return ""
    spread = plots.strips(gains, "Every song, and the mean", f"{_GAIN} in dB")
    return scores_page.figures("All songs", (spread, f"{_GAIN} of every song by stem"))


def _cases(evaluation: MusicEvaluation, sample_rate: int) -> str:
    intro = (
        f"Stems of songs by {_GAIN}, the worst one first, and the ten seconds in which the error is loudest. "
        "All sounds of a case have one gain, so their levels compare."
    )
    return scores_page.cases(intro, [_case(case, sample_rate) for case in evaluation.worst.cases], sample_rate)


def _case(case: StemCase, sample_rate: int) -> str:
    score, excerpt = case.score, case.excerpt
    end = excerpt.start_seconds + excerpt.mixture.shape[-1] / sample_rate
    facts = [f"{USDR.name} {number(score.mixture, DIGITS)} → {number(score.estimate, DIGITS)}"]
    facts += [f"{scale.name} {number(score.bss[scale.name], DIGITS)}" for scale in BSS if scale.name in score.bss]
    facts.append(f"from {excerpt.start_seconds:.0f} s to {end:.0f} s of the song")
    return scores_page.case(
        f"{case.song}, {score.stem}: {_GAIN} {number(score.improvement, DIGITS, sign=True)} dB",
        facts,
        {"mixture": excerpt.mixture, "reference": excerpt.reference, "estimate": excerpt.estimate},
        sample_rate,
    )
