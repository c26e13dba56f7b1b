"""An evaluation under way: one item after another is scored in constant memory, and one that fails stops no other."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from unbraid.errors import Cancelled

WORST = 5


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


@dataclass(kw_only=True)
class Evaluation(Generic[T]):
    """Results as they come in, and the items that have none."""

    results: list[T] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def run(self, items: Iterable[AnyItem], score: Callable[[AnyItem], object]) -> Iterator[Failure | None]:
        """Score one item after another; its failure, or None."""
        for item in items:
            failure = None
            try:
                self.add(score(item))
            except Cancelled:
                raise
            except Exception as error:
                failure = Failure(item.name, error)
                self.failures.append(failure)
            yield failure

    def add(self, scored: Any) -> None:
        """Add the next result."""
        self.results.append(scored)


class Worst(Generic[T]):
    """The few cases that gained least, the worst first."""

    def __init__(self) -> None:
        self._ranked: list[tuple[float, T]] = []

    def add(self, gain: float, case: T) -> None:
        """Add a case, if it is bad enough; one without a gain is not."""
        if math.isfinite(gain):
            self._ranked = sorted([*self._ranked, (gain, case)], key=lambda ranked: ranked[0])[:WORST]

    @property
    def cases(self) -> list[T]:
        """The cases."""
        return [case for _, case in self._ranked]


def timed(work: Callable[[], T]) -> tuple[T, float, float]:
    """A result, and the wall-clock and CPU time that it took in seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - cpu
