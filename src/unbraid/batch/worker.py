"""A worker: a process that does one file after the other, so that a file which crashes it takes nothing else along.

The process is spawned, not forked, since engines have threads. It ends when its pipe closes, and at once when its
parent is gone: outputs appear whole or not at all, so nothing of it must be saved.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Literal, Self

from unbraid.batch.items import Item
from unbraid.batch.outcome import ATTEMPTS, TRANSIENT, Outcome
from unbraid.batch.settings import Settings
from unbraid.batch.work import Trial, Work

_ENDED = 75  # exit status of a worker whose parent is gone
_STOP_SECONDS = 5.0


MakeWork = Callable[[Settings], Work]


class Crashed(Exception):
    """The process of a worker has ended while it worked; the message says how."""

    def __init__(self, how: str, kind: Literal["crash", "time"] = "crash") -> None:
        super().__init__(how)
        self.kind: Literal["crash", "time"] = kind  # time: it was ended, for it took too long


class Worker:
    """A process that does files for this one. Use it as a context manager."""

    def __init__(self, settings: Settings, work: MakeWork = Work.of) -> None:
        """Start a process, which works with what WORK makes of the settings: a function that can be pickled."""
        self._settings, self._work = settings, work
        self._start()

    def _start(self) -> None:
        spawning = multiprocessing.get_context("spawn")
        self.pipe, theirs = spawning.Pipe()
        self.process = spawning.Process(target=serve, args=(theirs, self._settings, self._work), daemon=True)
        self.process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def send(self, what: Item | Trial) -> None:
        """Give the worker a file to do, or a piece of one to try out."""
        with contextlib.suppress(OSError):  # it is dead already, which `receive` tells
            self.pipe.send(what)

    def receive(self, limit_seconds: float | None = None) -> Outcome:
        """The outcome of the file; waits for it.

        Raises:
            Crashed: the process has ended instead, or was ended at the limit; another one takes its place.
        """
        try:
            if self.pipe.poll(limit_seconds):
                outcome = self.pipe.recv()
                assert isinstance(outcome, Outcome)
                return outcome
            crashed = Crashed("took longer than --limit-minutes allows; give more, or cut the file.", "time")
        except (EOFError, OSError):
            self.process.join(_STOP_SECONDS)
            crashed = Crashed(ended(self.process.exitcode))
        self.process.kill()
        self.stop()
        self._start()
        raise crashed

    def stop(self) -> None:
        """End the process."""
        self.pipe.close()
        self.process.terminate()
        self.process.join(_STOP_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.process.close()


def serve(pipe: Connection, settings: Settings, make_work: MakeWork) -> None:
    """Do files until the pipe closes; the program of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    work = make_work(settings)
    with contextlib.suppress(EOFError, OSError):
        while True:
            what = pipe.recv()
            pipe.send(work.try_out(what) if isinstance(what, Trial) else work.do(what))


def judged(item: Item, outcome: Outcome | Crashed, attempt: int) -> Outcome:
    """The outcome of an attempt, counted from 1: whether the file will be tried again, or is set aside."""
    if isinstance(outcome, Crashed):
        message = f"The worker {outcome}"
        told = Outcome(item.address, item.name, "failed", error_kind=outcome.kind, error=message)
        outcome = replace(told, input_bytes=item.bytes, input_version=item.version)
    again = outcome.status == "failed" and outcome.error_kind in TRANSIENT
    if again and attempt >= ATTEMPTS and outcome.error_kind == "crash":
        why = "the file may crash a decoder, or need more memory than there is. Convert it to WAV or FLAC, or cut it."
        outcome = replace(outcome, error=f"{outcome.error} in the last of {attempt} attempts: {why}")
    status = "again" if again and attempt < ATTEMPTS else outcome.status
    return replace(outcome, attempts=attempt, status=status)


def ended(code: int | None) -> str:
    """How a process has ended, as the end of a sentence."""
    if code is None or code >= 0:
        return f"ended (status {code})"
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(_ENDED)
