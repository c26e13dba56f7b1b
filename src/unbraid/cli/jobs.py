"""Several inputs at a time: threads that share one model; Ctrl-C stops each at its next block."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from unbraid.errors import Cancelled

Input = TypeVar("Input")
Outcome = TypeVar("Outcome")


class Jobs:
    """So many calls at a time."""

    def __init__(self, count: int = 1) -> None:
        self.count = count
        self._stopped = threading.Event()

    def check(self) -> None:
        """End a call whose outcome nobody waits for any more.

        Raises:
            Cancelled: another one was interrupted.
        """
        if self._stopped.is_set():
            raise Cancelled("Another input was interrupted.")

    def map(self, work: Callable[[Input], Outcome], inputs: Iterable[Input]) -> Iterator[Outcome]:
        """The outcomes of all inputs, in their order; an exception of one stops the others."""
        if self.count == 1:
            yield from map(work, inputs)
            return
        with ThreadPoolExecutor(self.count) as pool:
            waiting = [pool.submit(work, one) for one in inputs]
            try:
                for one in waiting:
                    yield one.result()
            except BaseException:
                self._stopped.set()
                pool.shutdown(cancel_futures=True)
                raise
