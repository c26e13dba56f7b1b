"""The supervisor of the workers: it starts them, again where they die, and gives their jobs back to the queue."""

import os
import secrets
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import suppress

from unbraid.errors import UsageError
from unbraid.service.claims import Claims
from unbraid.service.database import Database
from unbraid.service.limits import Limits
from unbraid.service.queue import Queue
from unbraid.service.storage import Storage
from unbraid.service.worker import WorkerSettings

_LOOK_SECONDS = 0.2
_SILENT_SECONDS = 60.0  # without a word from a worker with a job: it hangs
_TIDY_SECONDS = 60.0
_STOP_SECONDS = 5.0
_PAUSE_SECONDS = 0.3  # between two launches, lest workers that die at once follow each other without end


class Supervisor:
    """The workers of a server, watched by a thread."""

    def __init__(self, storage: Storage, limits: Limits, workers: int) -> None:
        self._storage, self._limits, self._count = storage, limits, workers
        database = Database(storage.database)
        self._claims, self._queue = Claims(database), Queue(database)
        self._workers: dict[str, subprocess.Popen[str]] = {}
        self._launched = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.restarts = 0

    def start(self) -> None:
        """Take up the jobs of an earlier server, and start the workers.

        Raises:
            UsageError: no worker can be started.
        """
        self._claims.requeue(None, self._limits.attempts)
        known = self._queue.ids()
        self._storage.recover(known)
        for job in known:
            self._storage.tidy(self._queue.get(job))
        try:
            self._launch()
        except OSError as error:
            raise UsageError(
                f"No worker can be started: {sys.executable}: {error.strerror}. Check the rights of this Python."
            ) from None
        self._thread.start()

    def stop(self) -> None:
        """End the workers; their jobs wait for the next server, and have lost no attempt."""
        self._over.set()
        self._thread.join()
        for worker in self._workers.values():
            worker.terminate()
        for name, worker in self._workers.items():
            try:
                worker.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
            self._claims.requeue(name, self._limits.attempts, blameless=True)

    @property
    def pids(self) -> list[int]:
        """The processes of the workers."""
        return [worker.pid for worker in list(self._workers.values())]

    def _watch(self) -> None:
        tidied = 0.0
        while True:
            with suppress(sqlite3.Error, OSError):  # a full disk: it is tried again
                self._look()
                if time.monotonic() - tidied > _TIDY_SECONDS:
                    tidied = time.monotonic()
                    self._tidy()
            if self._over.wait(_LOOK_SECONDS):
                return

    def _look(self) -> None:
        """See which workers have died or hang, and start those that lack."""
        for name, worker in list(self._workers.items()):
            if worker.poll() is not None:
                self._claims.requeue(name, self._limits.attempts)
                self._clean_up(name)
                del self._workers[name]
                self.restarts += 1
        for name in self._claims.silent_workers(_SILENT_SECONDS):
            if name in self._workers:
                self._workers[name].kill()
            else:
                self._claims.requeue(name, self._limits.attempts)
        if len(self._workers) < self._count and time.monotonic() - self._launched > _PAUSE_SECONDS:
            self._launch()

    def _launch(self) -> None:
        name = f"worker-{secrets.token_hex(4)}"
        threads = None if self._count == 1 else max(1, (os.cpu_count() or 1) // self._count)
        worker = subprocess.Popen(
            [sys.executable, "-m", "unbraid.service.worker", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        assert worker.stdin is not None
        with suppress(OSError):  # it is dead already, which is seen soon
            worker.stdin.write(WorkerSettings(str(self._storage.root), self._limits, threads).as_json() + "\n")
            worker.stdin.close()
        self._workers[name], self._launched = worker, time.monotonic()

    def _clean_up(self, worker: str) -> None:
        """Delete the temporary files of a worker that has died, or was ended with its job."""
        if (job := self._claims.last(worker)) is not None and job.state != "queued":
            self._storage.tidy(job)

    def _tidy(self) -> None:
        """Delete jobs that were finished long ago."""
        for job in self._queue.finished_before(time.time() - self._limits.keep_seconds):
            with suppress(KeyError):
                if self._queue.delete(job):
                    self._storage.remove(job)
