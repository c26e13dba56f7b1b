"""The scores of music separation over songs: summed up, as JSON, for a terminal, per stem of a song, and as a page."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from unbraid.evaluation.music.run import MusicEvaluation, SongResult, StemCase
from unbraid.evaluation.music.scoring import BSS, USDR, Scale, StemState
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
from unbraid.tasks.pages.tables import Cell, Column, Table, cell, number, text

AVERAGE = "means and medians are over the songs that have the stem; SiSEC 2018 gives medians of BSS Eval 4"
INTERVALS = INTERVAL.replace("mixtures", "songs")
DIGITS = 2
_GAIN = f"{USDR.name}i"


@dataclass(frozen=True)
class StemLine:
    """The scores of one stem over all songs."""

    stem: str
    mixture: Statistic  # uSDR
    estimate: Statistic
    improvement: Statistic
    bss: tuple[tuple[Scale, Statistic], ...]  # empty where not asked for
    absent: int  # songs that lack it
    silent: int  # songs in which it cannot be heard
    alone: int  # songs in which nothing else can
    mute: int  # scored estimates that are silent

    @property
    def left_out(self) -> int:
        """Songs without a score of the stem."""
        return self.absent + self.silent + self.alone


@dataclass(frozen=True)
class MusicSetting:
    """What was evaluated, and how; in the names of the JSON summary."""

    model: str
    stems: tuple[str, ...]
    sample_rate: int  # Hz
    dataset: str
    split: str
    wiener: int  # iterations
    precision: str
    device: str
    threads: int | None


@dataclass(frozen=True)
class MusicSummary:
    """The scores of an evaluation, summed up."""

    setting: MusicSetting
    lines: tuple[StemLine, ...]
    songs: int  # that were scored
    failed: tuple[str, ...]
    cost: Cost
    bss_frames: tuple[int, int]  # scored by BSS Eval, and in all

    @property
    def mean_improvement(self) -> float | None:
        """Mean of the stems' means."""
        means = [line.improvement.mean for line in self.lines if line.improvement.mean is not None]
        return fmean(means) if means else None


def summarise_songs(evaluation: MusicEvaluation, setting: MusicSetting, peak_memory_bytes: int | None) -> MusicSummary:
    """Sum an evaluation up."""
    results = evaluation.results
    return MusicSummary(
        setting,
        tuple(_line(stem, results, evaluation.with_bss) for stem in setting.stems),
        len(results),
        tuple(failure.name for failure in evaluation.failures),
        total_cost(results, setting, peak_memory_bytes),
        (sum(result.bss_frames[0] for result in results), sum(result.bss_frames[1] for result in results)),
    )


def _line(stem: str, results: Sequence[SongResult], with_bss: bool) -> StemLine:
    scores = [score for result in results for score in result.stems if score.stem == stem]
    scored = [score for score in scores if score.state == "scored"]

    def count(state: StemState) -> int:
        return sum(score.state == state for score in scores)

    return StemLine(
        stem,
        statistic([score.mixture for score in scored]),
        statistic([score.estimate for score in scored]),
        statistic([score.improvement for score in scored]),
        tuple(
            (scale, statistic([score.bss[scale.name] for score in scored if scale.name in score.bss]))
            for scale in (BSS if with_bss else ())
        ),
        count("absent"),
        count("silent"),
        count("alone"),
        sum(score.is_mute for score in scored),
    )


def songs_as_json(summary: MusicSummary) -> dict[str, Any]:
    """The summary as JSON values."""
    mean = summary.mean_improvement
    return {
        **asdict(summary.setting),
        "stems": list(summary.setting.stems),
        "songs": summary.songs,
        "failed": list(summary.failed),
        "audio_seconds": round(summary.cost.seconds, 3),
        "scores": [score for line in summary.lines for score in _line_as_json(line)],
        "mean_improvement_db": None if mean is None else round(mean, 4),  # of uSDR, over the stems
        "bss_eval_frames": dict(zip(("scored", "all"), summary.bss_frames, strict=True)),
        "average": AVERAGE,
        "interval": INTERVALS,
        **summary.cost.as_json(),
    }


def _line_as_json(line: StemLine) -> list[dict[str, Any]]:
    songs = {
        "songs_without_the_stem": line.absent,
        "songs_with_the_stem_silent": line.silent,
        "songs_with_the_stem_alone": line.alone,
        "silent_estimates": line.mute,
    }
    usdr = {"mixture": line.mixture, "estimate": line.estimate, "improvement": line.improvement}
    found: list[tuple[Scale, dict[str, Statistic]]] = [(USDR, usdr)]
    found += [(scale, {"estimate": summed}) for scale, summed in line.bss]
    return [
        {"stem": line.stem, "metric": scale.name, "variant": scale.variant, "unit": "dB"}
        | {name: summed.as_json() for name, summed in values.items()}
        | songs
        for scale, values in found
    ]


def lines(summary: MusicSummary) -> list[str]:
    """The summary for a terminal."""
    mean = cell(summary.mean_improvement, DIGITS, sign=True)
    told = [_subject(summary), f"{USDR.name} ({USDR.variant}), dB"]
    told += _usdr(summary, [text(word) for word in ("mean of stems", "", "", mean.shown, "", "", "")]).lines()
    if any(line.bss for line in summary.lines):
        told += [f"{', '.join(scale.name for scale in BSS)} ({BSS[0].variant}), dB", *_bss(summary).lines()]
    return [*told, AVERAGE, INTERVALS, *_left_out(summary), summary.cost.line()]


def _usdr(summary: MusicSummary, *more: Sequence[Cell]) -> Table:
    rows = [
        [text(line.stem), *gain_cells(line.mixture, line.estimate, line.improvement, DIGITS)] for line in summary.lines
    ]
    return Table([Column("stem", "stem"), *GAINS], [*rows, *more])


def _bss(summary: MusicSummary) -> Table:
    heads = ["stem", *(f"{scale.name}, {what}" for scale in BSS for what in ("median", "mean"))]
    rows = [
        [text(line.stem), *(cell(value, DIGITS) for _, summed in line.bss for value in (summed.median, summed.mean))]
        for line in summary.lines
    ]
    return Table([Column(head, head) for head in heads], rows)


def _subject(summary: MusicSummary) -> str:
    """The model and the corpus."""
    setting, masks = summary.setting, "soft masks"
    if setting.wiener:
        masks = f"Wiener filter, {many(setting.wiener, 'iteration')}"
    return (
        f"{setting.model} on {setting.dataset}, split {setting.split}: {many(summary.songs, 'song')}, "
        f"{summary.cost.seconds / 60:.1f} min at {setting.sample_rate} Hz, {masks}"
    )


def _left_out(summary: MusicSummary) -> list[str]:
    """The stems that are in no mean, and why."""
    found = []
    for line in summary.lines:
        counts = {"without it": line.absent, "with it silent": line.silent, "with it alone": line.alone}
        if reasons := [f"{count} {why}" for why, count in counts.items() if count]:
            found.append(
                f"{line.stem}: {sum(counts.values())} of {summary.songs} songs left out ({', '.join(reasons)})"
            )
        if line.mute:
            found.append(f"{line.stem}: {line.mute} of {line.improvement.n} estimates are silent; their uSDR is 0 dB")
    scored, frames = summary.bss_frames
    if scored < frames:
        found.append(
            f"BSS Eval 4: {frames - scored} of {frames} frames left out, in which a stem that the song has is silent"
        )
    return found


def table(results: Sequence[SongResult], with_bss: bool, stem: str | None = None) -> Table:
    """A row for each stem of each song, or for one stem."""
    scales, column = BSS if with_bss else (), USDR.column
    columns = [
        *(Column("name", "song"), Column("stem", ""), Column("reference", ""), Column("seconds", "length in s")),
        *(Column(column, ""), Column(f"{column}_of_mixture", f"{USDR.name} of mixture, dB")),
        *(Column("", f"{USDR.name}, dB"), Column(f"{column}_improvement", f"{_GAIN}, dB")),
        *(Column(scale.column, f"{scale.name}, dB") for scale in scales),
        *(Column("", "reference"), Column("silent_estimate", ""), Column("bss_eval_4_frames", "")),
        *(Column("wall_seconds", ""), Column("cpu_seconds", "")),
    ]
    rows = []
    for result in results:
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


def page(evaluation: MusicEvaluation, summary: MusicSummary) -> str:
    """The page."""
    setting = summary.setting
    scores = [scores_page.paragraph(f"{USDR.name}, in dB: {USDR.variant}."), _usdr(summary).html()]
    if any(line.bss for line in summary.lines):
        scores += [scores_page.paragraph(f"In dB: {BSS[0].variant}."), _bss(summary).html()]
    small = scores_page.notes(AVERAGE, INTERVALS, *_left_out(summary))
    tiles = [gain_tile(f"{line.stem}, {_GAIN}", line.improvement, "dB", DIGITS) for line in summary.lines]
    tables = {f"Every song: {stem}": table(evaluation.results, evaluation.with_bss, stem) for stem in setting.stems}
    return scores_page.scores_page(
        f"{setting.model} on {setting.dataset}, split {setting.split}",
        _subject(summary),
        [*tiles, *summary.cost.tiles()],
        [
            scores_page.section("Scores", *scores, small),
            _plot(evaluation, setting.stems),
            _cases(evaluation, setting.sample_rate),
            *(scores_page.sortable(heading, rows, kind="sortable wrap") for heading, rows in tables.items()),
            scores_page.failures(evaluation.failures, "songs"),
        ],
    )


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
    return scores_page.cases(intro, [_case(case, sample_rate) for case in evaluation.worst.cases])


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
        [(excerpt.reference, excerpt.estimate)],
    )
