"""The engine of one machine: worker processes that take the files one after the other, the longest first.

A file whose attempt has failed for a reason that may pass is tried again after all others, and the last time while
nothing else runs, so that it has the memory of the machine for itself.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import wait

from unbraid.batch.items import Item
from unbraid.batch.outcome import ATTEMPTS, Outcome
from unbraid.batch.worker import Crashed, Worker, judged
from unbraid.errors import UnbraidError

Deliver = Callable[[Outcome], None]  # takes the outcome of each attempt
_HOPELESS = 5  # crashes in a row, of each worker, before anything was done


def run_local(
    items: Sequence[Item],
    workers: Sequence[Worker],
    deliver: Deliver,
    attempts: Mapping[str, int] = {},
    limit_seconds: float | None = None,
) -> None:
    """Let workers do all files, each within a limit of time; ATTEMPTS are those of an earlier run, by address.

    Raises:
        UnbraidError: the workers crash whatever the file, or the disk of the outputs is full; the rest is left undone.
    """
    queue = _Queue(items, attempts)
    crashes: int | None = 0  # in a row; None: something was done
    idle, busy = list(workers), dict[Worker, tuple[Item, int, float]]()  # the file, its attempt, and until when
    limit = math.inf if limit_seconds is None else limit_seconds
    while busy or queue:
        while idle and (turn := queue.next(alone=not busy)) is not None:
            worker = idle.pop()
            worker.send(turn[0])
            busy[worker] = (*turn, time.monotonic() + limit)
        ready = _ready({worker: until for worker, (_, _, until) in busy.items()})
        for worker in ready:
            item, attempt, _ = busy.pop(worker)
            outcome = judged(item, _received(worker), attempt)
            idle.append(worker)
            if outcome.error_kind == "disk":
                raise UnbraidError(f"{outcome.error} Then go on with --resume.")
            deliver(outcome)
            if outcome.status == "again":
                queue.again(item, attempt + 1)
            if outcome.error_kind != "crash":
                crashes = None
            elif crashes is not None and (crashes := crashes + 1) >= _HOPELESS * len(workers):
                raise UnbraidError(
                    f"The workers crash whatever the file ({outcome.error}); `unbraid doctor` checks this "
                    "machine. Then go on with --retry failed."
                )


def _ready(until: Mapping[Worker, float]) -> list[Worker]:
    """The workers that have something to tell, or are over their time; waits for the first."""
    left = min(until.values()) - time.monotonic()
    told = set(wait([worker.pipe for worker in until], None if math.isinf(left) else max(0.0, left)))
    now = time.monotonic()
    return [worker for worker, end in until.items() if worker.pipe in told or now >= end]


def _received(worker: Worker) -> Outcome | Crashed:
    try:
        return worker.receive(limit_seconds=0)
    except Crashed as crashed:
        return crashed


class _Queue:
    """Files that wait, with the number of their next attempt."""

    def __init__(self, items: Sequence[Item], attempts: Mapping[str, int]) -> None:
        self._waiting = deque[tuple[Item, int]]()
        self._alone = deque[tuple[Item, int]]()  # that are to run while nothing else does
        for item in items:
            self.again(item, attempts.get(item.address, 0) + 1)

    def __bool__(self) -> bool:
        return bool(self._waiting or self._alone)

    def again(self, item: Item, attempt: int) -> None:
        """Put a file at the end."""
        (self._waiting if attempt < ATTEMPTS else self._alone).append((item, attempt))

    def next(self, *, alone: bool) -> tuple[Item, int] | None:
        """The next file, if one may start now; ALONE: nothing else runs."""
        if self._waiting:
            return self._waiting.popleft()
        return self._alone.popleft() if alone and self._alone else None
