"""An evaluation of transcripts: its numbers, as JSON and for a terminal, a table of all recordings, and a page."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from unbraid.evaluation.page import page, table, tile
from unbraid.evaluation.parts import failures
from unbraid.evaluation.tables import memory_words, percent, threads_words
from unbraid.evaluation.text.scoring import symbol_error_rate, text_error_rate
from unbraid.evaluation.text.transcription import HeardEvaluation, HeardResult, plain_words

CONVENTION = (
    "in lower case, punctuation left out; word error rate: insertions, deletions and substitutions of words, over the "
    "words that were said, all recordings together; sentence error rate: recordings with any error"
)
WORST = 50  # recordings that the page shows


@dataclass(frozen=True)
class HeardSetting:
    """What was evaluated, and how."""

    model: str
    dataset: str
    split: str
    speakers: tuple[str, ...]  # asked for; none: all
    device: str
    threads: int | None


@dataclass(frozen=True)
class ErrorCounts:
    """What is wrong in some recordings."""

    recordings: int
    wrong: int  # recordings with any error
    words: int  # that were said
    edits: int
    word_error_rate: float  # 0 to 1 and above
    sentence_error_rate: float


@dataclass(frozen=True)
class HeardSummary:
    """Everything that is said about an evaluation of transcripts."""

    setting: HeardSetting
    errors: ErrorCounts
    speakers: dict[str, ErrorCounts]
    seconds: float  # of audio
    real_time_factor: float  # wall clock
    cpu_factor: float
    failed: tuple[str, ...]
    peak_memory_bytes: int | None


def count(results: Sequence[HeardResult]) -> ErrorCounts:
    """The errors of some recordings, pooled."""
    distances = [result.distance for result in results]
    return ErrorCounts(
        len(distances),
        sum(distance.edits > 0 for distance in distances),
        sum(distance.symbols for distance in distances),
        sum(distance.edits for distance in distances),
        symbol_error_rate(distances),
        text_error_rate(distances),
    )


def summarise_heard(evaluation: HeardEvaluation, setting: HeardSetting, peak_memory_bytes: int | None) -> HeardSummary:
    """Sum an evaluation up."""
    results = evaluation.results
    seconds = sum(result.seconds for result in results)
    return HeardSummary(
        setting,
        count(results),
        {name: count(theirs) for name, theirs in evaluation.speakers.items()},
        seconds,
        sum(result.wall_seconds for result in results) / max(seconds, 1e-9),
        sum(result.cpu_seconds for result in results) / max(seconds, 1e-9),
        tuple(failure.name for failure in evaluation.failures),
        peak_memory_bytes,
    )


def heard_as_json(summary: HeardSummary) -> dict[str, Any]:
    """The summary as JSON values."""
    setting, peak = summary.setting, summary.peak_memory_bytes
    return {
        "model": setting.model,
        "dataset": setting.dataset,
        "split": setting.split,
        "speakers_asked_for": list(setting.speakers),
        "device": setting.device,
        "threads": setting.threads,
        **_counts_as_json(summary.errors),
        "speakers": {name: _counts_as_json(errors) for name, errors in summary.speakers.items()},
        "failed": list(summary.failed),
        "convention": CONVENTION,
        "seconds": round(summary.seconds, 3),
        "real_time_factor": round(summary.real_time_factor, 5),
        "cpu_factor": round(summary.cpu_factor, 5),
        "peak_memory_mb": None if peak is None else round(peak / 1e6, 1),
    }


def subject(summary: HeardSummary) -> str:
    """What was evaluated on what."""
    setting, errors = summary.setting, summary.errors
    recordings = "1 recording" if errors.recordings == 1 else f"{errors.recordings} recordings"
    speakers = "1 speaker" if len(summary.speakers) == 1 else f"{len(summary.speakers)} speakers"
    return (
        f"{setting.model} on {setting.dataset}, split {setting.split}: {recordings} by {speakers}, {errors.words} words"
    )


def lines(summary: HeardSummary) -> list[str]:
    """The whole summary for a terminal."""
    errors = summary.errors
    found = [
        subject(summary),
        f"word error rate     {percent(errors.word_error_rate)} ({errors.edits} of {errors.words})",
        f"sentence error rate {percent(errors.sentence_error_rate)} ({errors.wrong} of {errors.recordings})",
    ]
    if len(summary.speakers) > 1:
        width = max(map(len, summary.speakers))
        found += [f"  {name:{width}} {percent(each.word_error_rate)}" for name, each in summary.speakers.items()]
    return [*found, CONVENTION, _speed(summary)]


def csv_text(results: Sequence[HeardResult]) -> str:
    """A row for each recording."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["recording", "speaker", "said", "heard", "edits", "words", "seconds"])
    for result in results:
        u, distance = result.utterance, result.distance
        seconds = f"{result.seconds:.3f}"
        writer.writerow([u.name, u.speaker, u.text, " ".join(result.words), distance.edits, distance.symbols, seconds])
    return out.getvalue()


def heard_report_html(evaluation: HeardEvaluation, summary: HeardSummary, noun: str = "recordings") -> str:
    """The whole report; the table of all `noun` is NOUN.csv."""
    title, errors = f"{summary.setting.model} on {summary.setting.dataset}", summary.errors
    tiles = [
        tile("word error rate", percent(errors.word_error_rate), f"{errors.edits} of {errors.words} words"),
        tile("sentence error rate", percent(errors.sentence_error_rate), f"{errors.wrong} of {errors.recordings}"),
    ]
    wrong = [result for result in evaluation.results if result.distance.edits]
    worst = sorted(wrong, key=lambda result: -result.distance.edits)[:WORST]
    sections = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="dim">{escape(subject(summary))}. {escape(CONVENTION)}; {escape(_speed(summary))}.</p>',
        f'<div class="tiles">{"".join(tiles)}</div>',
        _speakers(summary.speakers) if len(summary.speakers) > 1 else "",
        _worst(worst, noun) if worst else "",
        failures(evaluation.failures, noun),
    ]
    return page(f"{title} · unbraid evaluate", "\n".join(filter(None, sections)))


def _speakers(speakers: dict[str, ErrorCounts]) -> str:
    heads = ["speaker", "recordings", "words", "errors", "word error rate", "sentence error rate"]
    rows = []
    for name, e in speakers.items():
        rates = [(percent(rate), f"{rate:.6f}") for rate in (e.word_error_rate, e.sentence_error_rate)]
        rows.append([(name, name), *((str(n), str(n)) for n in (e.recordings, e.words, e.edits)), *rates])
    return f"<h2>Speakers</h2>{table(heads, rows, 'sortable')}"


def _worst(results: Sequence[HeardResult], noun: str) -> str:
    heads = ["recording", "said", "heard", "errors", "words"]
    rows = []
    for result in results:
        u, distance = result.utterance, result.distance
        said = " ".join(plain_words(u.text))
        cells = (u.name, said, " ".join(result.words), str(distance.edits), str(distance.symbols))
        rows.append([(cell, cell) for cell in cells])
    note = f'<p class="note">A click on a heading sorts by it; {noun}.csv has all {noun}.</p>'
    return f"<h2>The {noun} with most errors</h2>{note}{table(heads, rows, 'sortable')}"


def _counts_as_json(errors: ErrorCounts) -> dict[str, Any]:
    return {
        "recordings": errors.recordings,
        "words": errors.words,
        "edits": errors.edits,
        "word_error_rate": round(errors.word_error_rate, 6),
        "sentence_error_rate": round(errors.sentence_error_rate, 6),
    }


def _speed(summary: HeardSummary) -> str:
    setting, memory = summary.setting, memory_words(summary.peak_memory_bytes)
    factors = f"real-time factor {summary.real_time_factor:.4f}, {summary.cpu_factor:.4f} in CPU time"
    return f"{factors} ({setting.device}, {threads_words(setting.threads)}){memory}"
