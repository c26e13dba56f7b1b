"""The scores of transcription, and of synthesis that is transcribed: summed up, as JSON, per recording, as a page."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from unbraid.evaluation.statistics import many, megabytes, memory_words, threads_words
from unbraid.evaluation.text.scoring import most_edits, symbol_error_rate, text_error_rate
from unbraid.evaluation.text.transcription import TranscriptEvaluation, TranscriptResult, plain_words
from unbraid.tasks.pages import scores_page
from unbraid.tasks.pages.tables import Cell, Column, Table, cell, percent, text

CONVENTION = (
    "in lower case, punctuation left out; word error rate: insertions, deletions and substitutions of words, over the "
    "words that were said, all recordings together; sentence error rate: recordings with any error"
)


@dataclass(frozen=True)
class TranscriptSetting:
    """What was evaluated, and how; in the names of the JSON summary."""

    model: str
    dataset: str
    split: str
    speakers_asked_for: tuple[str, ...]  # none: all
    device: str
    threads: int | None


@dataclass(frozen=True)
class ErrorCounts:
    """The errors in some recordings."""

    recordings: int
    wrong: int  # recordings with any error
    words: int  # that were said
    edits: int
    word_error_rate: float  # 0 to 1 and above
    sentence_error_rate: float


@dataclass(frozen=True)
class TranscriptSummary:
    """The scores of an evaluation, summed up."""

    setting: TranscriptSetting
    errors: ErrorCounts
    speakers: dict[str, ErrorCounts]
    seconds: float  # of audio
    real_time_factor: float  # wall clock
    cpu_factor: float
    failed: tuple[str, ...]
    peak_memory_bytes: int | None


def count(results: Sequence[TranscriptResult]) -> ErrorCounts:
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


def summarise_transcripts(
    evaluation: TranscriptEvaluation, setting: TranscriptSetting, peak_memory_bytes: int | None
) -> TranscriptSummary:
    """Sum an evaluation up."""
    results = evaluation.results
    seconds = sum(result.seconds for result in results)
    return TranscriptSummary(
        setting,
        count(results),
        {name: count(theirs) for name, theirs in evaluation.speakers.items()},
        seconds,
        sum(result.wall_seconds for result in results) / max(seconds, 1e-9),
        sum(result.cpu_seconds for result in results) / max(seconds, 1e-9),
        tuple(failure.name for failure in evaluation.failures),
        peak_memory_bytes,
    )


def transcripts_as_json(summary: TranscriptSummary) -> dict[str, Any]:
    """The summary as JSON values."""
    return {
        **asdict(summary.setting),
        "speakers_asked_for": list(summary.setting.speakers_asked_for),
        **_counts_as_json(summary.errors),
        "speakers": {name: _counts_as_json(errors) for name, errors in summary.speakers.items()},
        "failed": list(summary.failed),
        "convention": CONVENTION,
        "seconds": round(summary.seconds, 3),
        "real_time_factor": round(summary.real_time_factor, 5),
        "cpu_factor": round(summary.cpu_factor, 5),
        "peak_memory_mb": megabytes(summary.peak_memory_bytes),
    }


def _counts_as_json(errors: ErrorCounts) -> dict[str, Any]:
    return {
        "recordings": errors.recordings,
        "words": errors.words,
        "edits": errors.edits,
        "word_error_rate": round(errors.word_error_rate, 6),
        "sentence_error_rate": round(errors.sentence_error_rate, 6),
    }


def _subject(summary: TranscriptSummary) -> str:
    """The model and the recordings."""
    setting, errors = summary.setting, summary.errors
    recordings, speakers = many(errors.recordings, "recording"), many(len(summary.speakers), "speaker")
    return (
        f"{setting.model} on {setting.dataset}, split {setting.split}: {recordings} by {speakers}, {errors.words} words"
    )


def lines(summary: TranscriptSummary) -> list[str]:
    """The summary for a terminal."""
    errors = summary.errors
    found = [
        _subject(summary),
        f"word error rate     {percent(errors.word_error_rate)} ({errors.edits} of {errors.words})",
        f"sentence error rate {percent(errors.sentence_error_rate)} ({errors.wrong} of {errors.recordings})",
    ]
    if len(summary.speakers) > 1:
        width = max(map(len, summary.speakers))
        found += [f"  {name:{width}} {percent(each.word_error_rate)}" for name, each in summary.speakers.items()]
    return [*found, CONVENTION, _speed(summary)]


def table(results: Sequence[TranscriptResult]) -> Table:
    """A row for each recording."""
    columns = (
        *(Column("recording", "recording"), Column("speaker", ""), Column("said", "said"), Column("heard", "heard")),
        *(Column("edits", "errors"), Column("words", "words"), Column("seconds", "")),
    )
    rows = []
    for result in results:
        utterance, distance = result.utterance, result.distance
        said = Cell(" ".join(plain_words(utterance.text)), utterance.text)
        counts = text(distance.edits), text(distance.symbols)
        heard, seconds = text(" ".join(result.words)), cell(result.seconds, 2, exact=3)
        rows.append([text(utterance.name), text(utterance.speaker), said, heard, *counts, seconds])
    return Table(columns, rows)


def page(evaluation: TranscriptEvaluation, summary: TranscriptSummary, noun: str = "recordings") -> str:
    """The page; the table of all NOUN is NOUN.csv."""
    errors = summary.errors
    tiles = [
        scores_page.tile("word error rate", percent(errors.word_error_rate), f"{errors.edits} of {errors.words} words"),
        scores_page.tile(
            "sentence error rate", percent(errors.sentence_error_rate), f"{errors.wrong} of {errors.recordings}"
        ),
    ]
    note = f"{scores_page.SORTABLE}; {noun}.csv has all {noun}"
    speakers = scores_page.section("Speakers", _speakers(summary.speakers).html("sortable"))
    return scores_page.scores_page(
        f"{summary.setting.model} on {summary.setting.dataset}",
        f"{_subject(summary)}. {CONVENTION}; {_speed(summary)}",
        tiles,
        [
            speakers if len(summary.speakers) > 1 else "",
            scores_page.sortable(f"The {noun} with most errors", table(most_edits(evaluation.results)), note),
            scores_page.failures(evaluation.failures, noun),
        ],
    )


def _speakers(speakers: dict[str, ErrorCounts]) -> Table:
    heads = ("speaker", "recordings", "words", "errors", "word error rate", "sentence error rate")
    rows = []
    for name, e in speakers.items():
        rates = [Cell(percent(rate), f"{rate:.6f}") for rate in (e.word_error_rate, e.sentence_error_rate)]
        rows.append([text(name), text(e.recordings), text(e.words), text(e.edits), *rates])
    return Table([Column(head, head) for head in heads], rows)


def _speed(summary: TranscriptSummary) -> str:
    setting, memory = summary.setting, memory_words(summary.peak_memory_bytes)
    factors = f"real-time factor {summary.real_time_factor:.4f}, {summary.cpu_factor:.4f} in CPU time"
    return f"{factors} ({setting.device}, {threads_words(setting.threads)}){memory}"
