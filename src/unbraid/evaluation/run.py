"""An evaluation under way: one item after another is scored in constant memory, and one that fails stops no other."""

import heapq
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from unbraid.errors import Cancelled

WORST = 5
REPORT, SUMMARY = "report.html", "summary.json"


class Named(Protocol):
    """An item with a name, for the list of failures."""

    @property
    def name(self) -> str:
        """Its name."""
        ...


T = TypeVar("T")
AnyItem = TypeVar("AnyItem", bound=Named)


@dataclass(frozen=True)
class TimedResult:
    """The result of one item, with the time that the model took."""

    name: str
    seconds: float  # of audio
    wall_seconds: float  # of the model
    cpu_seconds: float  # of the model, over all threads


class Failure(NamedTuple):
    """An item that could not be scored."""

    name: str
    error: Exception


@dataclass(frozen=True)
class Running:
    """An evaluation under way."""

    device: str
    count: int  # of items
    outcomes: Iterator[Failure | None]  # of one item after another


@dataclass(frozen=True)
class EvaluationReport:
    """The result of an evaluation, in all its forms."""

    values: dict[str, Any]  # for JSON
    lines: Sequence[str]  # for a terminal
    files: Mapping[str, str]  # their names and texts


def report_of(values: dict[str, Any], lines: Sequence[str], noun: str, table: str, page: str) -> EvaluationReport:
    """The result with its files: the summary, the table NOUN.csv, and the page."""
    files = {SUMMARY: json.dumps(values, indent=2) + "\n", f"{noun}.csv": table, REPORT: page}
    return EvaluationReport(values, lines, files)


class Worst(Generic[T]):
    """The few cases that gained least, of however many."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []  # the least bad one on top
        self._added = 0

    def add(self, gain: float, case: T) -> None:
        """Add a case, if it is bad enough; one without a gain is not."""
        self._added += 1
        if np.isfinite(gain):
            heapq.heappush(self._heap, (-gain, -self._added, case))
            if len(self._heap) > WORST:
                heapq.heappop(self._heap)

    @property
    def cases(self) -> list[T]:
        """The very worst first."""
        return [case for _, _, case in sorted(self._heap, key=lambda entry: entry[:2], reverse=True)]


def attempts(items: Sequence[AnyItem], work: Callable[[AnyItem], T]) -> Iterator[T | Failure]:
    """The result of each item, or its failure."""
    for item in items:
        try:
            yield work(item)
        except (KeyboardInterrupt, Cancelled):
            raise
        except Exception as error:
            yield Failure(item.name, error)


def gathered(
    found: Iterable[T | Failure], add: Callable[[T], None], failures: list[Failure]
) -> Iterator[Failure | None]:
    """Add each result as it comes, and collect the failures."""
    for one in found:
        if isinstance(one, Failure):
            failures.append(one)
            yield one
        else:
            add(one)
            yield None


def timed(work: Callable[[], T]) -> tuple[T, float, float]:
    """A result, and the wall-clock and CPU time that it took in seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def peak_memory_bytes() -> int | None:
    """The peak memory of this process so far, where the system tells."""
    status = Path("/proc/self/status")
    if status.exists():
        high = next((line for line in status.read_text().splitlines() if line.startswith("VmHWM:")), None)
        if high:
            return int(high.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
