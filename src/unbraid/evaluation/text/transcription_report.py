"""The scores of transcription, and of synthesis that is transcribed: summed up, as JSON, per recording, as a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from unbraid.evaluation.report import Report, Setting, total_cost
from unbraid.evaluation.run import Evaluation
from unbraid.evaluation.statistics import many
from unbraid.evaluation.text.scoring import most_edits, symbol_error_rate, text_error_rate
from unbraid.evaluation.text.transcription import TranscriptResult, plain_words
from unbraid.tasks.pages import scores_page
from unbraid.tasks.pages.tables import Cell, Column, Table, cell, percent, text

CONVENTION = (
    "in lower case, punctuation left out; word error rate: insertions, deletions and substitutions of words, over the "
    "words that were said, all recordings together; sentence error rate: recordings with any error"
)


@dataclass(frozen=True)
class ErrorCounts:
    """The errors in some recordings, pooled."""

    recordings: int
    wrong: int  # recordings with any error
    words: int  # that were said
    edits: int
    word_error_rate: float  # 0 to 1 and above
    sentence_error_rate: float

    def as_json(self) -> dict[str, Any]:
        """The counts as JSON values."""
        return {
            "recordings": self.recordings,
            "words": self.words,
            "edits": self.edits,
            "word_error_rate": round(self.word_error_rate, 6),
            "sentence_error_rate": round(self.sentence_error_rate, 6),
        }


def count(results: Sequence[TranscriptResult]) -> ErrorCounts:
    """The errors of some recordings."""
    distances = [result.distance for result in results]
    return ErrorCounts(
        len(distances),
        sum(distance.edits > 0 for distance in distances),
        sum(distance.symbols for distance in distances),
        sum(distance.edits for distance in distances),
        symbol_error_rate(distances),
        text_error_rate(distances),
    )


def by_speaker(results: Sequence[TranscriptResult]) -> dict[str, ErrorCounts]:
    """The errors of each speaker, by name."""
    names = sorted({result.utterance.speaker for result in results})
    return {name: count([result for result in results if result.utterance.speaker == name]) for name in names}


def report(evaluation: Evaluation[TranscriptResult], setting: Setting) -> Report:
    """Sum an evaluation up."""
    noun = "texts" if setting.request.recogniser else "recordings"
    results, errors = evaluation.results, count(evaluation.results)
    speakers = by_speaker(results)
    title, cost = f"{_model(setting)} on {setting.corpus}", total_cost(results, setting)
    subject = (
        f"{title}: {many(errors.recordings, 'recording')} by {many(len(speakers), 'speaker')}, {errors.words} words"
    )
    word_errors, sentence_errors = percent(errors.word_error_rate), percent(errors.sentence_error_rate)
    lines = [
        subject,
        f"word error rate     {word_errors} ({errors.edits} of {errors.words})",
        f"sentence error rate {sentence_errors} ({errors.wrong} of {errors.recordings})",
    ]
    sections = []
    if len(speakers) > 1:
        width = max(map(len, speakers))
        lines += [f"  {name:{width}} {percent(each.word_error_rate)}" for name, each in speakers.items()]
        sections.append(scores_page.section("Speakers", _speakers(speakers).html("sortable")))
    speed = (
        f"real-time factor {cost.real_time_factor:.4f}, {cost.cpu_factor:.4f} in CPU time "
        f"({setting.device}, {setting.threads}){setting.memory()}"
    )
    values = {
        **setting.as_json(evaluation.failures),
        "speakers_asked_for": list(setting.request.speakers),
        **errors.as_json(),
        "speakers": {name: each.as_json() for name, each in speakers.items()},
        "convention": CONVENTION,
        "seconds": round(cost.seconds, 3),
        "real_time_factor": round(cost.real_time_factor, 5),
        "cpu_factor": round(cost.cpu_factor, 5),
    }
    if setting.request.recogniser:
        values |= {"vocoder": setting.request.vocoder, "recogniser": setting.request.recogniser}
    note = f"{scores_page.SORTABLE}; {noun}.csv has all {noun}"
    page = scores_page.scores_page(
        title,
        f"{subject}. {CONVENTION}; {speed}",
        [
            scores_page.tile("word error rate", word_errors, f"{errors.edits} of {errors.words} words"),
            scores_page.tile("sentence error rate", sentence_errors, f"{errors.wrong} of {errors.recordings}"),
        ],
        [
            *sections,
            scores_page.sortable(f"The {noun} with most errors", table(most_edits(results)), note),
            scores_page.failures(evaluation.failures, noun),
        ],
    )
    return Report(values, [*lines, CONVENTION, speed], noun, table(results), page)


def _model(setting: Setting) -> str:
    """The model; of one that speaks, also its vocoder and who listens."""
    request = setting.request
    by = f", vocoder {request.vocoder}" if request.vocoder else ""
    return setting.spec.name + (f"{by}, heard by {request.recogniser}," if request.recogniser else "")


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


def _speakers(speakers: dict[str, ErrorCounts]) -> Table:
    heads = ("speaker", "recordings", "words", "errors", "word error rate", "sentence error rate")
    rows = []
    for name, e in speakers.items():
        rates = [Cell(percent(rate), f"{rate:.6f}") for rate in (e.word_error_rate, e.sentence_error_rate)]
        rows.append([text(name), text(e.recordings), text(e.words), text(e.edits), *rates])
    return Table([Column(head, head) for head in heads], rows)
