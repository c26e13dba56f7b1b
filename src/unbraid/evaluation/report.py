"""The report of an evaluation in all its forms: for JSON, for a terminal, as a table of all items, and as a page."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from unbraid.evaluation.request import EvaluationRequest, name_of
from unbraid.evaluation.run import Failure, TimedResult
from unbraid.files.peak_memory import peak_memory
from unbraid.hub.spec import ModelSpec
from unbraid.tasks.pages.scores_page import tile
from unbraid.tasks.pages.tables import DASH, Table

REPORT, SUMMARY = "report.html", "summary.json"


@dataclass(frozen=True)
class Report:
    """The scores of an evaluation."""

    values: dict[str, Any]  # for JSON
    lines: Sequence[str]  # for a terminal
    noun: str  # of the scored items, in the plural
    table: Table  # a row for each item
    page: str  # HTML

    @property
    def files(self) -> dict[str, str]:
        """The summary, the table NOUN.csv, and the page: their names and texts."""
        summary = json.dumps(self.values, indent=2) + "\n"
        return {SUMMARY: summary, f"{self.noun}.csv": self.table.csv(), REPORT: self.page}


@dataclass(frozen=True)
class Setting:
    """What was evaluated, and how."""

    spec: ModelSpec
    request: EvaluationRequest
    device: str
    precision: str
    peak_memory_bytes: int | None = field(default_factory=peak_memory)  # of the process so far; None: not known

    @property
    def title(self) -> str:
        """The model and the corpus."""
        return f"{self.spec.name} on {self.corpus}"

    @property
    def corpus(self) -> str:
        """The dataset and its split."""
        return f"{name_of(self.request.dataset)}, split {self.request.split}"

    @property
    def threads(self) -> str:
        """The number of CPU threads, for people."""
        return "all threads" if self.request.threads is None else f"--threads {self.request.threads}"

    def memory(self, what: str = "whole process") -> str:
        """The peak memory, where it is known, to end a sentence with."""
        peak = self.peak_memory_bytes
        return "" if peak is None else f"; peak memory {peak / 1e6:.0f} MB ({what})"

    def as_json(self, failures: Sequence[Failure]) -> dict[str, Any]:
        """The setting as JSON values, with the names of the items that failed."""
        peak = self.peak_memory_bytes
        return {
            "model": self.spec.name,
            "dataset": name_of(self.request.dataset),
            "split": self.request.split,
            "device": self.device,
            "threads": self.request.threads,
            "failed": [failure.name for failure in failures],
            "peak_memory_mb": None if peak is None else round(peak / 1e6, 1),
        }


@dataclass(frozen=True)
class Cost:
    """The time that a model took over some audio."""

    setting: Setting
    seconds: float  # of audio
    wall_seconds: float
    cpu_seconds: float

    @property
    def real_time_factor(self) -> float:
        """Wall-clock time per second of audio."""
        return self.wall_seconds / max(self.seconds, 1e-9)

    @property
    def cpu_factor(self) -> float:
        """CPU time per second of audio."""
        return self.cpu_seconds / max(self.seconds, 1e-9)

    @property
    def length(self) -> str:
        """The length of the audio, for people."""
        return f"{self.seconds / 60:.1f} min"

    def as_json(self) -> dict[str, Any]:
        """The cost as JSON values."""
        return {
            "precision": self.setting.precision,
            "audio_seconds": round(self.seconds, 3),
            "real_time_factor": {"wall": round(self.real_time_factor, 4), "cpu": round(self.cpu_factor, 4)},
        }

    def line(self, timed: str = "separation") -> str:
        """The cost as a sentence; TIMED is the part of the work that was timed."""
        how = self.setting
        return (
            f"real-time factor {self.real_time_factor:.3f} wall, {self.cpu_factor:.3f} CPU "
            f"({timed} only; {how.device}, {how.precision}, {how.threads})"
            f"{how.memory('whole process, scoring included')}"
        )

    def tiles(self) -> list[str]:
        """The cost as headline numbers."""
        how, peak = self.setting, self.setting.peak_memory_bytes
        factor = f"{self.cpu_factor:.3f} in CPU time; {how.device}, {how.precision}"
        memory = DASH if peak is None else f"{peak / 1e6:.0f} MB"
        return [
            tile("Real-time factor, wall clock", f"{self.real_time_factor:.3f}", factor, "separation only"),
            tile("Peak memory", memory, "of the whole process, scoring included"),
        ]


def total_cost(results: Sequence[TimedResult], setting: Setting) -> Cost:
    """The cost of all results together."""
    return Cost(
        setting,
        sum(result.seconds for result in results),
        sum(result.wall_seconds for result in results),
        sum(result.cpu_seconds for result in results),
    )
