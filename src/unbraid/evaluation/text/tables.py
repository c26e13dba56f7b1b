"""An evaluation of words: its numbers, as JSON and for a terminal, a table of all words, and a page."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from unbraid.evaluation.page import page, table, tile
from unbraid.evaluation.parts import failures
from unbraid.evaluation.tables import memory_words, percent, threads_words
from unbraid.evaluation.text.run import WordEvaluation, WordResult
from unbraid.evaluation.text.scoring import symbol_error_rate, text_error_rate

CONVENTION = (
    "stress left out; phoneme error rate: insertions, deletions and substitutions against the closest pronunciation of "
    "a word, over its phonemes; word error rate: words that are said in none of their ways"
)
WORST = 50  # words that the page shows


@dataclass(frozen=True)
class WordSetting:
    """What was evaluated, and how."""

    model: str
    dataset: str
    split: str
    device: str
    threads: int | None


@dataclass(frozen=True)
class WordSummary:
    """Everything that is said about an evaluation of words."""

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
    setting, peak = summary.setting, summary.peak_memory_bytes
    return {
        "model": setting.model,
        "dataset": setting.dataset,
        "split": setting.split,
        "device": setting.device,
        "threads": setting.threads,
        "words": summary.words,
        "phonemes": summary.phonemes,
        "failed": list(summary.failed),
        "phoneme_error_rate": round(summary.phoneme_error_rate, 6),
        "word_error_rate": round(summary.word_error_rate, 6),
        "convention": CONVENTION,
        "words_per_second": round(summary.words_per_second, 1),
        "peak_memory_mb": None if peak is None else round(peak / 1e6, 1),
    }


def subject(summary: WordSummary) -> str:
    """What was evaluated on what."""
    setting = summary.setting
    words = "1 word" if summary.words == 1 else f"{summary.words} words"
    return f"{setting.model} on {setting.dataset}, split {setting.split}: {words}, {summary.phonemes} phonemes"


def lines(summary: WordSummary) -> list[str]:
    """The whole summary for a terminal."""
    return [
        subject(summary),
        f"phoneme error rate {percent(summary.phoneme_error_rate)}",
        f"word error rate    {percent(summary.word_error_rate)}",
        CONVENTION,
        _speed(summary),
    ]


def csv_text(results: Sequence[WordResult]) -> str:
    """A row for each word."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["word", "phonemes", "probability", "edits", "phonemes_of_closest", "pronunciations"])
    for result in results:
        distance = result.distance
        said, probability = " ".join(result.phonemes), f"{result.probability:.6f}"
        writer.writerow([result.entry.word, said, probability, distance.edits, distance.symbols, _ways(result)])
    return out.getvalue()


def words_report_html(evaluation: WordEvaluation, summary: WordSummary) -> str:
    """The whole report."""
    title = f"{summary.setting.model} on {summary.setting.dataset}, split {summary.setting.split}"
    tiles = [
        tile("phoneme error rate", percent(summary.phoneme_error_rate), f"n = {summary.phonemes} phonemes"),
        tile("word error rate", percent(summary.word_error_rate), f"n = {summary.words} words"),
    ]
    wrong = [result for result in evaluation.results if result.distance.edits]
    worst = sorted(wrong, key=lambda result: -result.distance.edits)[:WORST]
    sections = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="dim">{escape(subject(summary))}. {escape(CONVENTION)}; {escape(_speed(summary))}.</p>',
        f'<div class="tiles">{"".join(tiles)}</div>',
        _words(worst) if worst else "",
        failures(evaluation.failures, "words"),
    ]
    return page(f"{title} · unbraid evaluate", "\n".join(filter(None, sections)))


def _words(results: Sequence[WordResult]) -> str:
    heads = ["word", "said", "in the dictionary", "probability", "edits"]
    rows = []
    for result in results:
        said, right, edits = " ".join(result.phonemes), _ways(result), str(result.distance.edits)
        probability = f"{result.probability:.3f}"
        rows.append([(cell, cell) for cell in (result.entry.word, said, right, probability, edits)])
    note = '<p class="note">A click on a heading sorts by it; words.csv has all words.</p>'
    return f"<h2>The words with most errors</h2>{note}{table(heads, rows, 'sortable')}"


def _ways(result: WordResult) -> str:
    return " | ".join(" ".join(phonemes) for phonemes in result.entry.pronunciations)


def _speed(summary: WordSummary) -> str:
    setting, memory = summary.setting, memory_words(summary.peak_memory_bytes)
    return f"{summary.words_per_second:.0f} words a second ({setting.device}, {threads_words(setting.threads)}){memory}"
