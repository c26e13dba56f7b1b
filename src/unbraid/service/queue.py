"""The queue of jobs as clients use it: add, look, cancel, delete."""

import json
import sqlite3
import time
from dataclasses import dataclass
from typing import Any

from unbraid.errors import UnbraidError
from unbraid.service.database import Database, end, job_of, one
from unbraid.service.jobs import FINISHED, Job, Kind


class QueueFull(UnbraidError):
    """The queue, or one client's share of it, is full."""


@dataclass(frozen=True)
class NewJob:
    """A job before it is queued."""

    id: str
    client: str
    kind: Kind
    options: dict[str, Any]
    name: str
    input_bytes: int
    key: str | None = None  # by which the client recognises a job that it asks for twice


@dataclass(frozen=True)
class Room:
    """How many jobs there may be."""

    queued: int
    of_client: int  # that wait or run


class Queue:
    """The jobs of a database."""

    def __init__(self, database: Database, room: Room = Room(100, 20)) -> None:
        self._database, self._room = database, room

    def add(self, new: NewJob) -> tuple[Job, bool]:
        """Queue a job; the second value is False where the client has asked for it before, by its key.

        Raises:
            QueueFull: too many jobs wait, or too many of this client wait or run.
        """
        with self._database.writing() as db:
            if new.key is not None and (known := _known(db, new.client, new.key)) is not None:
                return known, False
            self._check_room(db, new.client)
            whole = (new.id, new.client, new.key, new.kind, json.dumps(new.options), new.name, new.input_bytes)
            db.execute(
                "INSERT INTO jobs (id, client, key, kind, options, name, input_bytes, created) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*whole, time.time()),
            )
            return one(db, "id = ?", new.id), True

    def check_room(self, client: str) -> None:
        """Refuse before an upload what `add` would refuse after it.

        Raises:
            QueueFull: as `add`.
        """
        with self._database.reading() as db:
            self._check_room(db, client)

    def known(self, client: str, key: str) -> Job | None:
        """The job that a client has asked for under a key."""
        with self._database.reading() as db:
            return _known(db, client, key)

    def get(self, job: str, client: str | None = None) -> Job:
        """A job, of this client if one is named.

        Raises:
            KeyError: there is no such job.
        """
        with self._database.reading() as db:
            return one(db, "id = ? AND client = coalesce(?, client)", job, client)

    def jobs(self, client: str, limit: int = 100) -> list[Job]:
        """The jobs of a client, the newest first."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT * FROM jobs WHERE client = ? ORDER BY created DESC, id LIMIT ?", (client, limit)
            ).fetchall()
            return [job_of(db, row) for row in rows]

    def cancel(self, job: str) -> Job:
        """Cancel a job: at once where it waits, by its worker where it runs; a finished one stays as it is.

        Raises:
            KeyError: there is no such job.
        """
        with self._database.writing() as db:
            end(db, "state = 'queued' AND id = ?", job, "cancelled")
            db.execute("UPDATE jobs SET cancel = 1 WHERE id = ? AND state = 'running'", (job,))
            return one(db, "id = ?", job)

    def delete(self, job: str) -> bool:
        """Forget a finished job; False where it is not finished.

        Raises:
            KeyError: there is no such job.
        """
        with self._database.writing() as db:
            finished = one(db, "id = ?", job).state in FINISHED
            if finished:
                db.execute("DELETE FROM jobs WHERE id = ?", (job,))
            return finished

    def finished_before(self, when: float) -> list[str]:
        """Jobs that were finished before a time."""
        with self._database.reading() as db:
            return [row["id"] for row in db.execute("SELECT id FROM jobs WHERE finished < ?", (when,))]

    def ids(self) -> set[str]:
        """All jobs."""
        with self._database.reading() as db:
            return {row["id"] for row in db.execute("SELECT id FROM jobs")}

    def used_bytes(self) -> int:
        """The size of all uploads and results."""
        with self._database.reading() as db:
            row = db.execute("SELECT coalesce(sum(input_bytes + result_bytes), 0) AS used FROM jobs").fetchone()
            return int(row["used"])

    def counts(self) -> tuple[dict[str, int], dict[str, float]]:
        """The number of jobs in each state now, and totals since the database was made."""
        with self._database.reading() as db:
            states = {row["state"]: row["n"] for row in db.execute("SELECT state, count(*) AS n FROM jobs GROUP BY 1")}
            return states, {row["name"]: row["value"] for row in db.execute("SELECT name, value FROM totals")}

    def _check_room(self, db: sqlite3.Connection, client: str) -> None:
        own = "SELECT count(*) AS n FROM jobs WHERE client = ? AND state IN ('queued', 'running')"
        if db.execute(own, (client,)).fetchone()["n"] >= self._room.of_client:
            raise QueueFull(
                f"You have {self._room.of_client} unfinished jobs, and no client may have more; wait, or cancel one."
            )
        if db.execute("SELECT count(*) AS n FROM jobs WHERE state = 'queued'").fetchone()["n"] >= self._room.queued:
            raise QueueFull(f"{self._room.queued} jobs wait already, and no more may; try again later.")


def _known(db: sqlite3.Connection, client: str, key: str) -> Job | None:
    row = db.execute("SELECT * FROM jobs WHERE client = ? AND key = ?", (client, key)).fetchone()
    return None if row is None else job_of(db, row)
