"""The scores of a pronunciation model: summed up, as JSON, for a terminal, per word, and as a page."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from unbraid.evaluation.statistics import many, megabytes, memory_words, threads_words
from unbraid.evaluation.text.pronunciation import WordEvaluation, WordResult
from unbraid.evaluation.text.scoring import most_edits, symbol_error_rate, text_error_rate
from unbraid.tasks.pages import scores_page
from unbraid.tasks.pages.tables import Column, Table, cell, percent, text

CONVENTION = (
    "stress left out; phoneme error rate: insertions, deletions and substitutions against the closest pronunciation of "
    "a word, over its phonemes; word error rate: words that are said in none of their ways"
)


@dataclass(frozen=True)
class WordSetting:
    """What was evaluated, and how; in the names of the JSON summary."""

    model: str
    dataset: str
    split: str
    device: str
    threads: int | None


@dataclass(frozen=True)
class WordSummary:
    """The scores of an evaluation, summed up."""

    setting: WordSetting
    words: int  # that were scored
    phonemes: int  # of the closest pronunciations
    phoneme_error_rate: float  # 0 to 1 and above
    word_error_rate: float
    words_per_second: float
    failed: tuple[str, ...]
    peak_memory_bytes: int | None


def summarise_words(evaluation: WordEvaluation, setting: WordSetting, peak_memory_bytes: int | None) -> WordSummary:
    """Sum an evaluation up."""
    distances = [result.distance for result in evaluation.results]
    return WordSummary(
        setting,
        len(distances),
        sum(distance.symbols for distance in distances),
        symbol_error_rate(distances),
        text_error_rate(distances),
        len(distances) / max(evaluation.wall_seconds, 1e-9),
        tuple(failure.name for failure in evaluation.failures),
        peak_memory_bytes,
    )


def words_as_json(summary: WordSummary) -> dict[str, Any]:
    """The summary as JSON values."""
    return {
        **asdict(summary.setting),
        "words": summary.words,
        "phonemes": summary.phonemes,
        "failed": list(summary.failed),
        "phoneme_error_rate": round(summary.phoneme_error_rate, 6),
        "word_error_rate": round(summary.word_error_rate, 6),
        "convention": CONVENTION,
        "words_per_second": round(summary.words_per_second, 1),
        "peak_memory_mb": megabytes(summary.peak_memory_bytes),
    }


def _subject(summary: WordSummary) -> str:
    """The model and the dictionary."""
    setting, words = summary.setting, many(summary.words, "word")
    return f"{setting.model} on {setting.dataset}, split {setting.split}: {words}, {summary.phonemes} phonemes"


def lines(summary: WordSummary) -> list[str]:
    """The summary for a terminal."""
    return [
        _subject(summary),
        f"phoneme error rate {percent(summary.phoneme_error_rate)}",
        f"word error rate    {percent(summary.word_error_rate)}",
        CONVENTION,
        _speed(summary),
    ]


def table(results: Sequence[WordResult]) -> Table:
    """A row for each word."""
    columns = (
        *(Column("word", "word"), Column("phonemes", "said"), Column("", "in the dictionary")),
        *(Column("probability", "probability"), Column("edits", "edits")),
        *(Column("phonemes_of_closest", ""), Column("pronunciations", "")),
    )
    rows = []
    for result in results:
        distance = result.distance
        right = text(" | ".join(" ".join(phonemes) for phonemes in result.entry.pronunciations))
        said, probability = text(" ".join(result.phonemes)), cell(result.probability, 3, exact=6)
        edits, symbols = text(distance.edits), text(distance.symbols)
        rows.append([text(result.entry.word), said, right, probability, edits, symbols, right])
    return Table(columns, rows)


def page(evaluation: WordEvaluation, summary: WordSummary) -> str:
    """The page."""
    setting = summary.setting
    tiles = [
        scores_page.tile("phoneme error rate", percent(summary.phoneme_error_rate), f"n = {summary.phonemes} phonemes"),
        scores_page.tile("word error rate", percent(summary.word_error_rate), f"n = {summary.words} words"),
    ]
    note = f"{scores_page.SORTABLE}; words.csv has all words"
    return scores_page.scores_page(
        f"{setting.model} on {setting.dataset}, split {setting.split}",
        f"{_subject(summary)}. {CONVENTION}; {_speed(summary)}",
        tiles,
        [
            scores_page.sortable("The words with most errors", table(most_edits(evaluation.results)), note),
            scores_page.failures(evaluation.failures, "words"),
        ],
    )


def _speed(summary: WordSummary) -> str:
    setting, memory = summary.setting, memory_words(summary.peak_memory_bytes)
    return f"{summary.words_per_second:.0f} words a second ({setting.device}, {threads_words(setting.threads)}){memory}"
