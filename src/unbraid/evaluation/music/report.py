"""The report of an evaluation of songs: one HTML file with a table a stem, pictures and sound."""

from dataclasses import dataclass
from html import escape

import numpy as np

from unbraid.evaluation import pictures
from unbraid.evaluation.music.run import MusicEvaluation, StemCase
from unbraid.evaluation.music.scoring import BSS, USDR, Array
from unbraid.evaluation.music.summary import AVERAGE, MusicSummary, StemLine
from unbraid.evaluation.music.tables import (
    DIGITS,
    INTERVALS,
    USDR_HEADS,
    bss_heads,
    bss_row,
    left_out,
    subject,
    usdr_row,
)
from unbraid.evaluation.page import image, page, table, tile
from unbraid.evaluation.parts import WITHOUT, cell, failures, notes, players, price_tiles
from unbraid.evaluation.tables import interval, number

_GAIN = f"{USDR.name}i"


@dataclass(frozen=True)
class _Sounds:
    """An excerpt, for its spectrograms."""

    mixture: Array
    references: tuple[Array, ...]
    estimates: tuple[Array, ...]


def songs_report_html(evaluation: MusicEvaluation, summary: MusicSummary) -> str:
    """The whole report."""
    title = f"{summary.setting.model} on {summary.setting.dataset}, split {summary.setting.split}"
    tiles = [*map(_headline, summary.lines), *price_tiles(summary.cost)]
    sections = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="dim">{escape(subject(summary))}.</p>',
        f'<div class="tiles">{"".join(tiles)}</div>',
        _scores(summary),
        _spread(evaluation, summary),
        _cases(evaluation, summary.setting.sample_rate),
        *(_songs(evaluation, stem) for stem in summary.setting.stems),
        failures(evaluation.failures, "songs"),
    ]
    return page(f"{title} · unbraid evaluate", "\n".join(filter(None, sections)))


def _headline(line: StemLine) -> str:
    gain = line.improvement
    unit = " dB" if gain.mean is not None else ""
    between = f"95 % interval {interval(gain, DIGITS)}; n = {gain.n}"
    return tile(f"{line.stem}, {_GAIN}", number(gain.mean, DIGITS, sign=True) + unit, between)


def _scores(summary: MusicSummary) -> str:
    heads = ["stem", *(f"{head}, mean" if head in USDR_HEADS[:3] else head for head in USDR_HEADS)]
    rows = [_plain([line.stem, *usdr_row(line)]) for line in summary.lines]
    shown = f"<h2>Scores</h2><p>{escape(f'{USDR.name}, in dB: {USDR.variant}.')}</p>{table(heads, rows)}"
    if any(line.bss for line in summary.lines):
        shown += f"<p>{escape(f'In dB: {BSS[0].variant}.')}</p>"
        shown += table(["stem", *bss_heads()], [_plain([line.stem, *bss_row(line)]) for line in summary.lines])
    return shown + notes([AVERAGE, INTERVALS, *left_out(summary)])


def _plain(cells: list[str]) -> list[tuple[str, str]]:
    return [(cell, cell) for cell in cells]


def _spread(evaluation: MusicEvaluation, summary: MusicSummary) -> str:
    if not pictures.available():
        return f'<p class="note">{escape(WITHOUT)}</p>'
    scores = [score for result in evaluation.results for score in result.stems]
    gains = {stem: [s.improvement for s in scores if s.stem == stem] for stem in summary.setting.stems}
    if not any(np.isfinite(values).any() for values in gains.values()):
        return ""
    spread = pictures.strips(gains, f"{_GAIN} in dB")
    return f"<h2>All songs</h2><figure>{image(spread, f'{_GAIN} of every song by stem')}</figure>"


def _cases(evaluation: MusicEvaluation, sample_rate: int) -> str:
    worst = evaluation.worst.cases
    if not worst:
        return ""
    head = "The worst case" if len(worst) == 1 else f"The {len(worst)} worst cases"
    intro = (
        f"Stems of songs by {_GAIN}, the worst one first, and the ten seconds in which the error is loudest. "
        "All sounds of a case have one gain, so their levels compare."
    )
    return f"<h2>{head}</h2><p>{escape(intro)}</p>" + "".join(_case(case, sample_rate) for case in worst)


def _case(case: StemCase, sample_rate: int) -> str:
    score, excerpt = case.score, case.excerpt
    head = f"{case.song}, {score.stem}: {_GAIN} {number(score.improvement, DIGITS, sign=True)} dB"
    values = [f"{USDR.name} {number(score.mixture, DIGITS)} → {number(score.estimate, DIGITS)}"]
    values += [f"{scale.name} {number(score.bss[scale.name], DIGITS)}" for scale in BSS if scale.name in score.bss]
    end = excerpt.start_seconds + excerpt.mixture.shape[-1] / sample_rate
    values.append(f"from {excerpt.start_seconds:.0f} s to {end:.0f} s of the song")
    drawn = ""
    if pictures.available():
        sounds = _Sounds(excerpt.mixture, (excerpt.reference,), (excerpt.estimate,))
        drawn = image(pictures.spectrograms(sounds, sample_rate), "Spectrograms of the mixture, the stem, the estimate")
    heard = {"mixture": excerpt.mixture, "reference": excerpt.reference, "estimate": excerpt.estimate}
    return (
        f'<section class="case"><h3>{escape(head)}</h3><p class="dim">{escape("; ".join(values))}</p>{drawn}'
        f'<div class="players">{players(heard, sample_rate)}</div></section>'
    )


def _songs(evaluation: MusicEvaluation, stem: str) -> str:
    scales = BSS if evaluation.with_bss else ()
    heads = ["song", "length in s", f"{USDR.name} of mixture, dB", f"{USDR.name}, dB", f"{_GAIN}, dB"]
    heads += [f"{scale.name}, dB" for scale in scales] + ["reference"]
    rows = []
    for result in evaluation.results:
        (score,) = (score for score in result.stems if score.stem == stem)
        values = [score.mixture, score.estimate]
        cells = [(result.name, result.name), cell(result.seconds, 1), *(cell(value, DIGITS) for value in values)]
        cells.append(cell(score.improvement, DIGITS, sign=True))
        cells += [cell(score.bss.get(scale.name, np.nan), DIGITS) for scale in scales]
        rows.append([*cells, (score.state, score.state)])
    note = '<p class="note">A click on a heading sorts by it.</p>'
    return f"<h2>Every song: {escape(stem)}</h2>{note}" + table(heads, rows, "sortable wrap")
