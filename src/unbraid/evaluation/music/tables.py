"""An evaluation of songs in words and tables: lines for a terminal, rows for a CSV file."""

import csv
import io
import math
from collections.abc import Sequence

from unbraid.evaluation.music.run import SongResult
from unbraid.evaluation.music.scoring import BSS, USDR
from unbraid.evaluation.music.summary import AVERAGE, MusicSummary, StemLine
from unbraid.evaluation.summary import INTERVAL
from unbraid.evaluation.tables import aligned, interval, number, price

DIGITS = 2
USDR_HEADS = ("mixture", "estimate", "improvement", "95 % interval", "median", "n")
_CSV_ENDS = ("silent_estimate", "bss_eval_4_frames", "wall_seconds", "cpu_seconds")
INTERVALS = INTERVAL.replace("mixtures", "songs")


def subject(summary: MusicSummary) -> str:
    """What was evaluated on what."""
    setting = summary.setting
    songs = "1 song" if summary.songs == 1 else f"{summary.songs} songs"
    masks = "soft masks"
    if setting.wiener:
        masks = f"Wiener filter, {setting.wiener} iteration{'s' * (setting.wiener > 1)}"
    return (
        f"{setting.model} on {setting.dataset}, split {setting.split}: {songs}, {summary.cost.seconds / 60:.1f} min at "
        f"{setting.sample_rate} Hz, {masks}"
    )


def usdr_row(line: StemLine) -> tuple[str, ...]:
    """The cells of a stem below USDR_HEADS."""
    gain = line.improvement
    return (
        number(line.mixture.mean, DIGITS),
        number(line.estimate.mean, DIGITS),
        number(gain.mean, DIGITS, sign=True),
        interval(gain, DIGITS),
        number(gain.median, DIGITS, sign=True),
        str(gain.n),
    )


def bss_heads() -> list[str]:
    """The columns of BSS Eval."""
    return [f"{scale.name}, {what}" for scale in BSS for what in ("median", "mean")]


def bss_row(line: StemLine) -> list[str]:
    """The cells of a stem below them."""
    return [number(value, DIGITS) for _, summed in line.bss for value in (summed.median, summed.mean)]


def left_out(summary: MusicSummary) -> list[str]:
    """Which stems are in no mean, and why."""
    found = []
    for line in summary.lines:
        counts = {"without it": line.absent, "with it silent": line.silent, "with it alone": line.alone}
        if reasons := [f"{count} {why}" for why, count in counts.items() if count]:
            found.append(f"{line.stem}: {line.left_out} of {summary.songs} songs left out ({', '.join(reasons)})")
        if line.mute:
            found.append(f"{line.stem}: {line.mute} of {line.improvement.n} estimates are silent; their uSDR is 0 dB")
    scored, frames = summary.bss_frames
    if scored < frames:
        found.append(
            f"BSS Eval 4: {frames - scored} of {frames} frames left out, in which a stem that the song has is silent"
        )
    return found


def lines(summary: MusicSummary) -> list[str]:
    """The whole summary for a terminal."""
    table = [("stem", *USDR_HEADS), *((line.stem, *usdr_row(line)) for line in summary.lines)]
    mean = number(summary.mean_improvement, DIGITS, sign=True)
    table.append(("mean of stems", "", "", mean, "", "", ""))
    text = [subject(summary), f"{USDR.name} ({USDR.variant}), dB", *aligned(table)]
    if any(line.bss for line in summary.lines):
        text.append(f"{', '.join(scale.name for scale in BSS)} ({BSS[0].variant}), dB")
        text += aligned([("stem", *bss_heads()), *((line.stem, *bss_row(line)) for line in summary.lines)])
    return [*text, AVERAGE, INTERVALS, *left_out(summary), price(summary.cost)]


def csv_text(results: Sequence[SongResult], with_bss: bool) -> str:
    """A row for each stem of each song; what could not be scored is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    column = USDR.column
    scales = BSS if with_bss else ()
    heads = ["name", "stem", "reference", "seconds", column, f"{column}_of_mixture", f"{column}_improvement"]
    writer.writerow([*heads, *(scale.column for scale in scales), *_CSV_ENDS])
    for result in results:
        for score in result.stems:
            values = [score.estimate, score.mixture, score.improvement]
            values += [score.bss.get(scale.name, math.nan) for scale in scales]
            writer.writerow([
                result.name,
                score.stem,
                score.state,
                f"{result.seconds:.3f}",
                *(f"{value:.4f}" if math.isfinite(value) else "" for value in values),
                int(score.is_mute),
                result.bss_frames[0] if with_bss else "",
                f"{result.wall_seconds:.4f}",
                f"{result.cpu_seconds:.4f}",
            ])  # fmt: skip
    return out.getvalue()
