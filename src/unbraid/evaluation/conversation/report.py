"""The scores of conversations: by the number of people, as JSON, for a terminal, per conversation, and as a page."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unbraid.evaluation.conversation.run import ConversationResult
from unbraid.evaluation.conversation.segments import COLLAR_SECONDS
from unbraid.evaluation.conversation.transcripts import CpWer
from unbraid.evaluation.report import Report, Setting, total_cost
from unbraid.evaluation.run import Evaluation
from unbraid.evaluation.statistics import many
from unbraid.tasks.pages import scores_page
from unbraid.tasks.pages.tables import Cell, Column, Table, cell, text

DEFINITIONS = (
    "counted right: share of conversations with as many tracks as people",
    "alone on track: share of the speech of people who speak alone that is on their track",
    "SI-SDR: over whole conversations, one assignment of people to tracks; mean over people who have a track",
    "local: the same with the best assignment in each 10 s",
    f"DER, JER: collar {COLLAR_SECONDS:g} s, overlap counted (pyannote.metrics); DER over all speech, JER a mean",
    "swaps: how often a person's speech changes to another track, all people together",
)
OF_WORDS = (
    "words: cpWER over all words, best permutation of speakers (meeteval); everybody alone, and mixed: in one stream"
)
BY_LEVEL = "segments from the levels of the tracks, since the model does not say who speaks when"


@dataclass(frozen=True)
class Summary:
    """The scores of several conversations; NaN where there is none."""

    conversations: int
    counted_right: float  # share
    alone_share: float
    si_sdr_db: float
    local_db: float
    der: float
    jer: float
    swaps_per_hour: float
    missed_people: int  # who have no track
    cp_wer: float  # of everybody transcribed alone
    cp_wer_mixed: float  # of the recording as one stream

    @property
    def below_local_db(self) -> float:
        """The loss by the one global assignment."""
        return self.local_db - self.si_sdr_db

    def as_json(self) -> dict[str, Any]:
        """The scores as JSON values."""
        shares = {
            "counted_right": self.counted_right,
            "alone_share": self.alone_share,
            "si_sdr_db": self.si_sdr_db,
            "si_sdr_local_db": self.local_db,
            "si_sdr_below_local_db": self.below_local_db,
            "der": self.der,
            "jer": self.jer,
            "swaps_per_hour": self.swaps_per_hour,
            "cp_wer": self.cp_wer,
            "cp_wer_mixed": self.cp_wer_mixed,
        }
        rounded = {key: round(value, 4) if math.isfinite(value) else None for key, value in shares.items()}
        return {"conversations": self.conversations, **rounded, "missed_people": self.missed_people}

    @property
    def has_words(self) -> bool:
        """Whether words were scored."""
        return math.isfinite(self.cp_wer)

    def cells(self) -> list[Cell]:
        """A row below COLUMNS, and below those of WORDS where words were scored."""
        words = [cell(100 * self.cp_wer, 1), cell(100 * self.cp_wer_mixed, 1)]
        return [
            text(self.conversations),
            cell(100 * self.counted_right, 0),
            cell(100 * self.alone_share, 1),
            cell(self.si_sdr_db, 2),
            cell(self.local_db, 2),
            cell(self.below_local_db, 2),
            cell(100 * self.der, 1),
            cell(100 * self.jer, 1),
            cell(self.swaps_per_hour, 1),
            *(words if self.has_words else []),
        ]


COLUMNS = [
    Column(head, head)
    for head in (
        "people", "n", "counted right, %", "alone on track, %", "SI-SDR, dB", "local, dB", "below local, dB", "DER, %",
        "JER, %", "swaps per hour",
    )
]  # fmt: skip
WORDS = [Column(head, head) for head in ("cpWER, %", "cpWER mixed, %")]


def summed(results: Sequence[ConversationResult]) -> Summary:
    """The scores of some conversations together."""
    by = [result.segments for result in results if result.segments]
    errors, total = sum(s.missed + s.false_alarm + s.confusion for s in by), sum(s.total for s in by)
    hours = sum(result.seconds for result in results) / 3600
    return Summary(
        len(results),
        sum(result.found == result.people for result in results) / len(results),
        _mean([result.tracks.alone_share for result in results]),
        _mean([value for result in results for value in result.tracks.si_sdr_db]),
        _mean([value for result in results for value in result.tracks.local_db]),
        errors / total if total else math.nan,
        _mean([s.jer for s in by]),
        sum(result.tracks.swaps for result in results) / hours if hours else math.nan,
        sum(result.tracks.missed for result in results),
        CpWer.sum_of(result.words.separated for result in results if result.words).rate,
        CpWer.sum_of(result.words.mixed for result in results if result.words).rate,
    )


def report(evaluation: Evaluation[ConversationResult], setting: Setting) -> Report:
    """Sum an evaluation up."""
    results, cost = evaluation.results, total_cost(evaluation.results, setting)
    counts = sorted({result.people for result in results})
    groups = {str(count): summed([r for r in results if r.people == count]) for count in counts}
    groups["all"] = summed(results)
    subject = f"{setting.title}: {many(len(results), 'conversation')}, {cost.length}"
    notes = [*DEFINITIONS, *([OF_WORDS] if groups["all"].has_words else [])]
    notes += [*([BY_LEVEL] if any(result.segments_by_level for result in results) else [])]
    if missed := groups["all"].missed_people:
        notes.append(f"{missed} people have no track, and no SI-SDR")
    rows = [[text(name), *group.cells()] for name, group in groups.items()]
    columns = [*COLUMNS, *(WORDS if groups["all"].has_words else [])]
    scores = Table(columns, [row + [text("")] * (len(columns) - len(row)) for row in rows])
    every = table(results)
    values = {
        **setting.as_json(evaluation.failures),
        "conversations": len(results),
        "scores": {name: group.as_json() for name, group in groups.items()},
        "definitions": notes,
        **cost.as_json(),
    }
    page = scores_page.scores_page(
        setting.title,
        subject,
        [*_tiles(groups["all"]), *cost.tiles()],
        [
            scores_page.section("Scores by the number of people", scores.html(), scores_page.notes(*notes)),
            scores_page.sortable("Every conversation", every),
            scores_page.failures(evaluation.failures, "conversations"),
        ],
    )
    return Report(values, [subject, *scores.lines(), *notes, cost.line()], "conversations", every, page)


def table(results: Sequence[ConversationResult]) -> Table:
    """A row for each conversation."""
    heads = {
        "name": "conversation", "seconds": "length in s", "people": "people", "found": "found",
        "alone_on_track": "alone on track, %", "si_sdr_db": "SI-SDR, dB", "si_sdr_local_db": "local, dB",
        "der": "DER, %", "jer": "JER, %", "missed": "missed, s", "false_alarm": "false alarm, s",
        "confusion": "confusion, s", "swaps": "swaps", "overlap": "overlap, %", "overlap_found": "overlap found, %",
        "cp_wer": "cpWER, %", "cp_wer_mixed": "cpWER mixed, %", "wall_seconds": "wall time in s", "cpu_seconds": "",
    }  # fmt: skip
    rows = []
    for r in results:
        s = r.segments
        words = (None, None) if r.words is None else (100 * r.words.separated.rate, 100 * r.words.mixed.rate)
        errors = (None,) * 5 if s is None else (100 * s.der, 100 * s.jer, s.missed, s.false_alarm, s.confusion)
        rows.append([
            text(r.name), cell(r.seconds, 1, exact=3), text(r.people), text(r.found),
            cell(100 * r.tracks.alone_share, 1), cell(_mean(r.tracks.si_sdr_db), 2), cell(_mean(r.tracks.local_db), 2),
            *(cell(value, 1) for value in errors), text(r.tracks.swaps),
            cell(100 * r.overlap, 1), cell(100 * r.overlap_found, 1),
            *(cell(value, 1) for value in words), cell(r.wall_seconds, 1), cell(r.cpu_seconds, 1),
        ])  # fmt: skip
    return Table([Column(key, head) for key, head in heads.items()], rows)


def _tiles(all_: Summary) -> list[str]:
    tile = scores_page.tile
    mixed = f"{cell(100 * all_.cp_wer_mixed, 1).shown} % in one stream"
    words = [tile("cpWER", cell(100 * all_.cp_wer, 1).shown + " %", mixed)] if all_.has_words else []
    return [
        tile("People counted right", f"{100 * all_.counted_right:.0f} %"),
        tile("Speech alone on its track", cell(100 * all_.alone_share, 1).shown + " %"),
        tile("DER", cell(100 * all_.der, 1).shown + " %", f"collar {COLLAR_SECONDS:g} s, overlap counted"),
        tile("Swaps per hour", cell(all_.swaps_per_hour, 1).shown),
        *words,
    ]


def _mean(values: Sequence[float]) -> float:
    """The mean of the numbers that are known; NaN if none is."""
    known = [value for value in values if math.isfinite(value)]
    return float(np.mean(known)) if known else math.nan
