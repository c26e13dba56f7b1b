"""An estimate of a run before it: the length of the recordings, and the speed of the workers on a few of them."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from unbraid.audio import probe
from unbraid.batch.addresses import is_remote
from unbraid.batch.items import Item
from unbraid.batch.outcome import Outcome
from unbraid.batch.settings import Settings
from unbraid.batch.work import Trial
from unbraid.batch.worker import Crashed, Worker
from unbraid.errors import UnbraidError

_PROBED = 200  # files whose headers are read
_TRIAL_SECONDS = 30.0  # of a file that is tried out


@dataclass(frozen=True)
class Estimate:
    """What a run would take here."""

    files: int
    audio_seconds: float  # of all files
    probed: int  # files whose length was read; that of the others follows from their sizes
    processes: int
    realtime_factor: float | None  # of one worker, measured while all of them work; None: nothing could be tried
    tried: tuple[Outcome, ...]  # the measurements

    @property
    def seconds(self) -> float | None:
        """The time of the run."""
        return self.audio_seconds / self.realtime_factor / self.processes if self.realtime_factor else None


def estimated(items: Sequence[Item], settings: Settings, processes: int) -> Estimate:
    """Read the headers of some files, and try out a piece of one with each worker, all at the same time."""
    seconds, probed = length_of(items)
    processes = min(processes, max(1, len(items)))  # as in the run
    tried = tuple(_tried(items, settings, processes)) if items else ()
    done = [outcome for outcome in tried if outcome.status == "done"]
    audio, elapsed = (sum(getattr(o, f) or 0.0 for o in done) for f in ("audio_seconds", "elapsed_seconds"))
    return Estimate(len(items), seconds, probed, processes, audio / elapsed if elapsed else None, tried)


def length_of(items: Sequence[Item]) -> tuple[float, int]:
    """The length of all files in seconds, and the number of those whose header was read for it.

    The others have as many bytes a second as those of their kind, and of unknown size, the mean length.
    """
    read, guessed = defaultdict[str, float](float), defaultdict[str, float](float)
    probed = 0
    for item in _spread([item for item in items if not is_remote(item.address) and item.bytes], _PROBED):
        try:
            duration = probe(Path(item.address)).duration
        except (UnbraidError, OSError):
            continue
        if duration is not None and item.rough_seconds:
            read[item.extension] += duration
            guessed[item.extension] += item.rough_seconds
            probed += 1
    sized = [item for item in items if item.rough_seconds is not None]
    total = 0.0
    for item in sized:
        factor = read[item.extension] / guessed[item.extension] if guessed[item.extension] else 1.0
        total += factor * (item.rough_seconds or 0.0)
    return total * len(items) / len(sized) if sized else 0.0, probed


def _tried(items: Sequence[Item], settings: Settings, processes: int) -> list[Outcome]:
    """The outcomes of short pieces, one for each worker; of files of middle length."""
    middle = sorted(items, key=lambda item: item.rough_seconds or 0.0)
    chosen = _spread(middle[len(middle) // 4 :], processes)
    with ExitStack() as opened:
        workers = [opened.enter_context(Worker(settings)) for _ in range(processes)]
        for k, worker in enumerate(workers):
            worker.send(Trial(chosen[k % len(chosen)], _TRIAL_SECONDS))
        return [_received(worker, chosen[k % len(chosen)]) for k, worker in enumerate(workers)]


def _received(worker: Worker, item: Item) -> Outcome:
    try:
        return worker.receive()
    except Crashed as crashed:
        return Outcome(item.address, item.name, "failed", error_kind="crash", error=f"The worker {crashed}")


def _spread(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many items, spread over all."""
    step = max(1.0, len(items) / most)
    return [items[int(k * step)] for k in range(min(most, len(items)))]
