"""A worker: a process that claims jobs and does them, one after the other.

    python -m unbraid.service.worker NAME < settings        # as `supervisor.py` starts it

A thread reports that the job is alive, and hears whether it is to go on. It ends the whole process where the job does
not stop by itself soon after it was cancelled, runs over its time, belongs to somebody else by now, or where the server
is gone: the process has nothing that must be saved, since results appear at once (see `files.atomic`), and are a job's
only once the queue says so.
"""

import errno
import json
import os
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from unbraid.errors import (
    AudioError,
    Cancelled,
    ModelError,
    RuntimeUnavailable,
    UnbraidError,
    UsageError,
    shortened,
)
from unbraid.files.atomic import appearing
from unbraid.files.workdir import working_folder
from unbraid.hub.folder import sha256
from unbraid.service.bench import Bench
from unbraid.service.claims import Claim, Claims, Order, Outcome
from unbraid.service.database import Database
from unbraid.service.jobs import ErrorKind, ResultFile
from unbraid.service.limits import Limits
from unbraid.service.player import NAME as PLAYER
from unbraid.service.progress import JobProgress, TooLong
from unbraid.service.storage import Storage
from unbraid.service.tasks import perform

BEAT_SECONDS = 0.4
GRACE_SECONDS = 1.0  # for a cancelled job to stop by itself
_IDLE_SECONDS = 0.2
_NO_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate")  # of ONNX Runtime
_ENDED = 75  # exit status of a worker that has ended its job from outside


@dataclass(frozen=True)
class WorkerSettings:
    """The settings of a worker, which it reads from its standard input."""

    root: str
    limits: Limits
    threads: int | None = None  # of the engine; None: as many as there are

    def as_json(self) -> str:
        """The settings as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def of_json(cls, text: str) -> Self:
        """The settings in JSON."""
        values = json.loads(text)
        return cls(values["root"], Limits(**values["limits"]), values["threads"])


def main(name: str) -> None:
    """Work until the server is gone or ends this process."""
    parent = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends its workers
    settings = WorkerSettings.of_json(sys.stdin.readline())
    limit_memory(settings.limits.memory_bytes)
    storage = Storage(Path(settings.root))
    claims = Claims(Database(storage.database))
    while os.getppid() == parent:
        claim = claims.claim(name)
        if claim is None:
            time.sleep(_IDLE_SECONDS)
        else:
            work(claim, claims, storage, settings, parent)


def limit_memory(most: int) -> None:
    """Limit the private memory of this process, where the system can; 0: not at all."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        if most:
            resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def work(claim: Claim, claims: Claims, storage: Storage, settings: WorkerSettings, parent: int) -> None:
    """Do a job, and tell the queue how it ended."""
    job, limits = claim.job, settings.limits
    progress = JobProgress(limits.audio_seconds)
    storage.clear(job.id)
    place = storage.result(job.id, job.attempts)
    with _reporting(claim, claims, progress, time.monotonic() + limits.job_seconds, parent):
        try:
            with working_folder(storage.folder(job.id)) as temporary, appearing(place) as folder:
                folder.mkdir()
                source, text = storage.input(job.id), storage.text(job.id)
                bench = Bench(source, text, job.name, folder, temporary, progress, settings.threads)
                data = perform(job, bench)
            files = [_described(path) for path in sorted(place.iterdir())]
        except Cancelled:
            claims.stop(claim)
        except Exception as error:
            kind, message = explained(error, limits)
            claims.fail(claim, kind, message.replace(str(storage.input(job.id)), job.name))
        else:
            claims.finish(claim, Outcome(files, data.seconds, data.model, data.notices))


def explained(error: Exception, limits: Limits) -> tuple[ErrorKind, str]:
    """An error of a job: its kind, and a sentence for the client."""
    if isinstance(error, MemoryError) or any(sign in f"{error} {error.__cause__}" for sign in _NO_MEMORY):
        most = f"{limits.memory_bytes / 1e9:g} GB" if limits.memory_bytes else "the machine has"
        return "memory", f"The job needs more memory than {most}; send a shorter recording, or choose a smaller model."
    cause = error if isinstance(error, OSError) else error.__cause__
    if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk", "The disk of the service is full; delete old jobs, or try again later."
    if isinstance(error, OSError):
        return "disk", f"The disk of the service refuses: {error.strerror or 'unknown error'}. Try again later."
    kinds: list[tuple[type[Exception], ErrorKind]] = [
        *((TooLong, "too-long"), (AudioError, "audio"), (UsageError, "usage"), (ModelError, "model")),
        (RuntimeUnavailable, "unavailable"),
    ]
    kind: ErrorKind = next((kind for cls, kind in kinds if isinstance(error, cls)), "internal")
    if isinstance(error, UnbraidError):
        return kind, str(error)
    return "internal", f"Unexpected {type(error).__name__}: {shortened(str(error))}. This is a bug; please report it."


def _described(path: Path) -> ResultFile:
    player = path.name == PLAYER or path.name.endswith(".preview.ogg")
    return ResultFile(
        name=path.name, bytes=path.stat().st_size, sha256=sha256(path), role="player" if player else "result"
    )


@contextmanager
def _reporting(claim: Claim, claims: Claims, progress: JobProgress, deadline: float, parent: int) -> Iterator[None]:
    """Report the progress of a job in a thread, which ends the process where the job must not go on."""
    over = threading.Event()

    def report() -> None:
        while not over.wait(BEAT_SECONDS):
            order: Order = "go on"
            with suppress(sqlite3.Error):  # a full disk, say: the next beat may come through
                order = claims.beat(claim, progress.done, progress.audio_seconds or None)
            if order == "lost" or os.getppid() != parent:
                os._exit(_ENDED)
            if time.monotonic() > deadline:
                claims.fail(claim, "time", "The job took longer than the service allows; send a shorter recording.")
                os._exit(_ENDED)
            if order == "cancel":
                progress.cancelled.set()
                if not over.wait(GRACE_SECONDS):
                    claims.stop(claim)
                    os._exit(_ENDED)

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


if __name__ == "__main__":
    main(sys.argv[1])
