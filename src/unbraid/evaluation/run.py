"""Run a model over mixtures and score what it makes of them; in flat memory, and a mixture that fails stops no other.

Time is that of the separation alone, wall clock and CPU (of all threads), neither reading nor scoring nor loading.
"""

import heapq
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from unbraid.corpora import Mixture, read_mixture
from unbraid.corpora.noise import AddedNoise, noisy
from unbraid.errors import Cancelled
from unbraid.evaluation.measures import Measure
from unbraid.evaluation.scoring import Scored, score_mixture
from unbraid.hub.spec import ModelSpec

Array = NDArray[np.float32]
WORST = 5


class Separates(Protocol):
    """What is needed of a Separator here."""

    spec: ModelSpec

    def __call__(self, audio: Array, sample_rate: int) -> dict[str, Array]:
        """An array (C, T) as its stems, each (C, T)."""
        ...


class Named(Protocol):
    """What has a name to fail under."""

    @property
    def name(self) -> str: ...


T = TypeVar("T")
Item = TypeVar("Item", bound=Named)


@dataclass(frozen=True)
class Result:
    """What became of one mixture."""

    name: str
    seconds: float  # of audio
    wall_seconds: float  # of separation
    cpu_seconds: float
    scored: Scored


@dataclass(frozen=True)
class Case:
    """A result and its signals."""

    result: Result
    mixture: Array  # (T,)
    references: Array  # (S, T)
    estimates: Array  # (S, T), in the order of the references


@dataclass(frozen=True)
class Failure:
    """A mixture that could not be read or separated."""

    name: str
    error: Exception


class Worst(Generic[T]):
    """The few cases that gained least, of however many."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []  # the least bad one on top
        self._added = 0

    def add(self, gain: float, case: T) -> None:
        """Take a case in, if it is bad enough; one without a gain is not."""
        self._added += 1
        if np.isfinite(gain):
            heapq.heappush(self._heap, (-gain, -self._added, case))
            if len(self._heap) > WORST:
                heapq.heappop(self._heap)

    @property
    def cases(self) -> list[T]:
        """The very worst first."""
        return [case for _, _, case in sorted(self._heap, key=lambda entry: entry[:2], reverse=True)]


@dataclass
class Evaluation:
    """Results as they come in, with the signals of the worst of them."""

    measures: tuple[Measure, ...]  # the first one decides what is worst
    results: list[Result] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    _worst: Worst[Case] = field(default_factory=Worst)

    def add(self, outcome: Case | Failure) -> None:
        """Take the next mixture in."""
        if isinstance(outcome, Failure):
            self.failures.append(outcome)
            return
        self.results.append(outcome.result)
        self._worst.add(outcome.result.scored.scores[self.measures[0].key].improvement, outcome)

    @property
    def worst(self) -> list[Case]:
        """The cases that gained least, the very worst first."""
        return self._worst.cases


def attempts(items: Sequence[Item], work: Callable[[Item], T]) -> Iterator[T | Failure]:
    """One after the other: what became of each, or why nothing did."""
    for item in items:
        try:
            yield work(item)
        except (KeyboardInterrupt, Cancelled):
            raise
        except Exception as error:
            yield Failure(item.name, error)


def gathered(found: Iterable[T | Failure], results: list[T], failures: list[Failure]) -> Iterator[Failure | None]:
    """Sort what became of each into results and failures as it comes, and tell of the failures."""
    for outcome in found:
        if isinstance(outcome, Failure):
            failures.append(outcome)
            yield outcome
        else:
            results.append(outcome)
            yield None


def outcomes(
    separator: Separates, mixtures: Sequence[Mixture], measures: Sequence[Measure], noise: AddedNoise | None = None
) -> Iterator[Case | Failure]:
    """One after the other: each mixture separated and scored, or why not."""
    return attempts(mixtures, lambda mixture: separate_and_score(separator, mixture, measures, noise))


def separate_and_score(
    separator: Separates, mixture: Mixture, measures: Sequence[Measure], noise: AddedNoise | None = None
) -> Case:
    """Separate one mixture at the model's rate, as a user would, and score what comes out."""
    spec = separator.spec
    audio, references = read_mixture(mixture, spec.sample_rate)  # (T,), (S, T)
    if noise:
        audio = noisy(audio, mixture.name, spec.sample_rate, noise)
    wall, cpu = time.perf_counter(), time.process_time()
    stems = separator(audio[None], spec.sample_rate)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    estimates = np.concatenate([stems[stem] for stem in spec.stems])  # (S, T); a residual is no estimate
    scored = score_mixture(estimates, references, audio, measures)
    result = Result(mixture.name, audio.size / spec.sample_rate, wall, cpu, scored)
    return Case(result, audio, references, estimates[list(scored.order)])


def peak_memory_bytes() -> int | None:
    """The most memory this process has held so far, where the system tells."""
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
