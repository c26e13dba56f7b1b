r"""The database of jobs, in one SQLite file that the server and its workers share.

    queued --claim--> running --finish--> done
      ^                 |   \--fail-----> failed
      +----requeue------+    \-stopped--> cancelled

Every step is one transaction, so that a kill at any moment leaves a job in one of these states (`queue.py` has the
steps of clients, `claims.py` those of workers). The journal is a write-ahead log: readers do not wait for writers.
"""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unbraid.errors import UsageError
from unbraid.service.jobs import Job, JobError, State

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, client TEXT NOT NULL, key TEXT, kind TEXT NOT NULL, options TEXT NOT NULL, name TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued', progress REAL NOT NULL DEFAULT 0, audio_seconds REAL,
    error_kind TEXT, error TEXT, created REAL NOT NULL, started REAL, finished REAL, beat REAL,
    claim TEXT, worker TEXT, attempts INTEGER NOT NULL DEFAULT 0, cancel INTEGER NOT NULL DEFAULT 0,
    input_bytes INTEGER NOT NULL, result_bytes INTEGER NOT NULL DEFAULT 0, files TEXT NOT NULL DEFAULT '[]',
    notices TEXT NOT NULL DEFAULT '[]', model TEXT
);
CREATE UNIQUE INDEX IF NOT EXISTS keys ON jobs (client, key) WHERE key IS NOT NULL;
CREATE INDEX IF NOT EXISTS states ON jobs (state, created);
CREATE TABLE IF NOT EXISTS totals (name TEXT PRIMARY KEY, value REAL NOT NULL);
"""
_VERSION = 1  # of the schema
_BUSY_SECONDS = 20.0  # to wait for the transaction of another process


class Database:
    """A database of jobs; a connection is opened for each step, so that any thread or process may take it."""

    def __init__(self, path: Path) -> None:
        """Open a database, or make one.

        Raises:
            UsageError: the file is no such database, or the disk refuses.
        """
        self.path = path
        try:
            with self.reading() as db:
                if (version := db.execute("PRAGMA user_version").fetchone()[0]) not in (0, _VERSION):
                    raise UsageError(
                        f"{path} is of another release of unbraid (its version is {version}, not {_VERSION}); choose "
                        "another folder with --data."
                    )
                db.execute("PRAGMA journal_mode = WAL")
                db.execute(f"PRAGMA user_version = {_VERSION}")
                db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise UsageError(
                f"{path} cannot be used as a queue ({error}); move it away, or choose another folder with --data."
            ) from None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection."""
        db = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            db.row_factory = sqlite3.Row
            yield db
        finally:
            db.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection in a transaction, which takes effect unless something is raised."""
        with self.reading() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")


def one(db: sqlite3.Connection, where: str, *values: object) -> Job:
    """The job of a condition.

    Raises:
        KeyError: there is none.
    """
    row = db.execute(f"SELECT * FROM jobs WHERE {where}", values).fetchone()
    if row is None:
        raise KeyError("there is no such job")
    return job_of(db, row)


def job_of(db: sqlite3.Connection, row: sqlite3.Row) -> Job:
    """A row of the table as a job."""
    waiting, remaining = None, None
    if row["state"] == "queued":
        in_front = "SELECT count(*) AS n FROM jobs WHERE state = 'queued' AND (created, id) < (?, ?)"
        waiting = db.execute(in_front, (row["created"], row["id"])).fetchone()["n"]
    elif row["state"] == "running" and row["progress"] > 0:
        remaining = (time.time() - row["started"]) * (1 / row["progress"] - 1)
    return Job(
        **{name: row[name] for name in ("id", "kind", "name", "state", "progress", "created", "started", "finished")},
        **{name: row[name] for name in ("attempts", "audio_seconds", "input_bytes", "model")},
        options=json.loads(row["options"]),
        waiting=waiting,
        remaining_seconds=remaining,
        error=None if row["error_kind"] is None else JobError(kind=row["error_kind"], message=row["error"]),
        files=json.loads(row["files"]),
        notices=json.loads(row["notices"]),
    )


def end(db: sqlite3.Connection, where: str, value: str, state: State, error: JobError | None = None) -> bool:
    """Bring the unfinished job of a condition to its end, without a result; False where there is none."""
    changed = db.execute(
        "UPDATE jobs SET state = ?, finished = ?, error_kind = ?, error = ?, claim = NULL "
        f"WHERE {where} AND state IN ('queued', 'running')",
        (state, time.time(), error and error.kind, error and error.message, value),
    ).rowcount
    if changed:
        count(db, f"jobs {state}")
    return bool(changed)


def count(db: sqlite3.Connection, name: str, more: float = 1) -> None:
    """Add to a total."""
    db.execute(
        "INSERT INTO totals VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value", (name, more)
    )
