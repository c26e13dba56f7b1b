"""The page about a batch: how much is done, how fast, what has failed and why, and the slowest files."""

import heapq
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unbraid.batch.journal import Journal
from unbraid.batch.outcome import Outcome
from unbraid.files.atomic import appearing
from unbraid.files.printable import printable_page
from unbraid.tasks.pages.document import clock
from unbraid.tasks.pages.scores_page import bullets, notes, paragraph, scores_page, section, sortable, tile
from unbraid.tasks.pages.tables import Cell, Column, Table, cell, number, text

_MOST_FAILED, _SLOWEST = 200, 20


@dataclass
class Totals:
    """Sums over the outcomes of files; of one that is to be tried again, only that."""

    done: int = 0
    failed: int = 0
    again: int = 0
    audio_seconds: float = 0.0
    elapsed_seconds: float = 0.0  # of all workers
    output_bytes: int = 0
    peak_memory_bytes: int = 0
    failures: Counter[str] = field(default_factory=Counter)  # by kind

    def add(self, outcome: Outcome) -> None:
        """Add an outcome."""
        if outcome.status == "again":
            self.again += 1
            return
        self.peak_memory_bytes = max(self.peak_memory_bytes, outcome.peak_memory_bytes or 0)
        if outcome.status == "failed":
            self.failed += 1
            self.failures[outcome.error_kind or "internal"] += 1
            return
        self.done += 1
        self.audio_seconds += outcome.audio_seconds or 0.0
        self.elapsed_seconds += outcome.elapsed_seconds or 0.0
        self.output_bytes += sum(file.bytes for file in outcome.outputs)

    @property
    def realtime_factor(self) -> float | None:
        """Hours of audio for each hour of one worker."""
        return self.audio_seconds / self.elapsed_seconds if self.elapsed_seconds else None


def write_summary(path: Path, journal: Journal) -> None:
    """Write the page about all files of a journal.

    Raises:
        OSError: the disk refuses.
    """
    totals, failed = Totals(), list[Outcome]()
    slowest = list[tuple[float, int, Outcome]]()
    for count, outcome in enumerate(journal.outcomes()):
        totals.add(outcome)
        if outcome.status == "failed" and len(failed) < _MOST_FAILED:
            failed.append(outcome)
        if outcome.status == "done":
            entry = (outcome.elapsed_seconds or 0.0, count, outcome)
            (heapq.heappush if len(slowest) < _SLOWEST else heapq.heappushpop)(slowest, entry)
    page = _page(journal.settings or {}, totals, failed, [outcome for *_, outcome in sorted(slowest, reverse=True)])
    with appearing(path) as fresh:
        fresh.write_text(printable_page(page), encoding="utf-8")


def _page(settings: dict[str, Any], totals: Totals, failed: list[Outcome], slowest: list[Outcome]) -> str:
    about = [f"task: {settings.get('task')}", f"model: {settings.get('model') or 'by the task and the recording'}"]
    about.append(f"outputs: {settings.get('output')}")
    tiles = [
        tile("Done", f"{totals.done:,}", f"{totals.audio_seconds / 3600:,.1f} hours of audio"),
        tile("Failed", f"{totals.failed:,}", *(f"{kind}: {count:,}" for kind, count in totals.failures.most_common(4))),
        tile("Speed of a worker", f"{number(totals.realtime_factor, 1)} ×", "real time, fetching and writing included"),
        tile(
            "Work",
            f"{totals.elapsed_seconds / 3600:,.2f} h",
            "of all workers together",
            f"{totals.peak_memory_bytes / 1e6:,.0f} MB of memory each, at most",
        ),
        tile("Outputs", f"{totals.output_bytes / 1e9:,.2f} GB"),
    ]
    left_out = totals.failed - len(failed)
    more = f"{left_out:,} more are in the manifest" if left_out else "--retry failed tries them again"
    sections = [
        section("Failed", notes(more), bullets(list(map(_failure, failed)))) if failed else "",
        sortable(f"The {len(slowest)} slowest files", _files(slowest)) if slowest else "",
        section("All files", paragraph("The manifest beside this page has a row for each file.")),
    ]
    return scores_page("A batch of recordings", "; ".join(about), tiles, sections, "batch")


def _failure(outcome: Outcome) -> str:
    attempts = "1 attempt" if outcome.attempts == 1 else f"{outcome.attempts} attempts"
    return f"{outcome.name} ({outcome.error_kind}, {attempts}): {outcome.error}"


def _files(outcomes: list[Outcome]) -> Table:
    heads = ("File", "Model", "Audio", "Work", "× real time", "Memory (MB)", "Attempts")
    return Table([Column(head.lower(), head) for head in heads], [_cells(outcome) for outcome in outcomes])


def _cells(outcome: Outcome) -> list[Cell]:
    memory = None if outcome.peak_memory_bytes is None else outcome.peak_memory_bytes / 1e6
    return [
        text(outcome.name),
        text(outcome.model or ""),
        _time(outcome.audio_seconds),
        _time(outcome.elapsed_seconds),
        cell(outcome.realtime_factor, 1),
        cell(memory, 0),
        text(outcome.attempts),
    ]


def _time(seconds: float | None) -> Cell:
    return Cell(clock(round(seconds or 0.0, 1)), f"{seconds or 0.0:.3f}")
