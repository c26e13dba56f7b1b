"""A data folder with jobs, recordings, and waiting for what another process does."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import soundfile

from engine_fakes import noise
from unbraid.service.database import Database
from unbraid.service.jobs import FINISHED, Job, Kind
from unbraid.service.queue import NewJob, Queue, Room
from unbraid.service.storage import Storage, new_id

T = TypeVar("T")


def recording(path: Path, seconds: float, sample_rate: int = 8000) -> Path:
    """A file of noise."""
    soundfile.write(path, 0.1 * noise(1, round(seconds * sample_rate)).T, sample_rate, format="WAV")
    return path


class Jobs:
    """A data folder and its queue."""

    def __init__(self, root: Path, room: Room = Room(100, 20)) -> None:
        self.storage = Storage(root)
        self.storage.make()
        self.database = Database(self.storage.database)
        self.queue = Queue(self.database, room)

    def add(self, source: Path | None = None, kind: Kind = "separate", **options: object) -> str:
        """Queue a recording."""
        job = new_id()
        upload = self.storage.incoming / job
        upload.write_bytes(source.read_bytes() if source else b"")
        self.storage.take(upload, job)
        size = self.storage.input(job).stat().st_size
        return self.queue.add(NewJob(job, "local", kind, options, "song.wav", size))[0].id

    def finished(self, job: str) -> Job:
        """A job once it is finished."""
        return until(lambda: found if (found := self.queue.get(job)).state in FINISHED else None)

    def under_way(self, job: str) -> Job:
        """A job once a worker has begun to run its model."""
        return until(lambda: found if (found := self.queue.get(job)).progress > 0 else None)


def until(look: Callable[[], T | None], seconds: float = 120.0) -> T:
    """The first value that is there; fails where none comes."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (value := look()) is not None:
            return value
        time.sleep(0.05)
    raise AssertionError("it has not happened")
