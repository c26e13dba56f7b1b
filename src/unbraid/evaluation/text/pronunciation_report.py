"""The scores of a pronunciation model: summed up, as JSON, for a terminal, per word, and as a page."""

from collections.abc import Sequence

from unbraid.evaluation.report import Report, Setting
from unbraid.evaluation.statistics import many
from unbraid.evaluation.text.pronunciation import WordEvaluation, WordResult
from unbraid.evaluation.text.scoring import most_edits, symbol_error_rate, text_error_rate
from unbraid.tasks.pages import scores_page
from unbraid.tasks.pages.tables import Column, Table, cell, percent, text

CONVENTION = (
    "stress left out; phoneme error rate: insertions, deletions and substitutions against the closest pronunciation of "
    "a word, over its phonemes; word error rate: words that are said in none of their ways"
)


def report(evaluation: WordEvaluation, setting: Setting) -> Report:
    """Sum an evaluation up."""
    distances = [result.distance for result in evaluation.results]
    phonemes, words = sum(distance.symbols for distance in distances), len(distances)
    phoneme_errors, word_errors = symbol_error_rate(distances), text_error_rate(distances)
    speed = words / max(evaluation.wall_seconds, 1e-9)
    subject = f"{setting.title}: {many(words, 'word')}, {phonemes} phonemes"
    cost = f"{speed:.0f} words a second ({setting.device}, {setting.threads}){setting.memory()}"
    lines = [
        subject,
        f"phoneme error rate {percent(phoneme_errors)}",
        f"word error rate    {percent(word_errors)}",
        CONVENTION,
        cost,
    ]
    values = {
        **setting.as_json(evaluation.failures),
        "words": words,
        "phonemes": phonemes,
        "phoneme_error_rate": round(phoneme_errors, 6),
        "word_error_rate": round(word_errors, 6),
        "convention": CONVENTION,
        "words_per_second": round(speed, 1),
    }
    note = f"{scores_page.SORTABLE}; words.csv has all words"
    page = scores_page.scores_page(
        setting.title,
        f"{subject}. {CONVENTION}; {cost}",
        [
            scores_page.tile("phoneme error rate", percent(phoneme_errors), f"n = {phonemes} phonemes"),
            scores_page.tile("word error rate", percent(word_errors), f"n = {words} words"),
        ],
        [
            scores_page.sortable("The words with most errors", table(most_edits(evaluation.results)), note),
            scores_page.failures(evaluation.failures, "words"),
        ],
    )
    return Report(values, lines, "words", table(evaluation.results), page)


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
