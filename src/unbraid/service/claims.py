"""The queue of jobs as workers and their supervisor use it: claim, beat, finish, fail, requeue.

A claim has a token of its own: a worker that was given up for dead, and its job claimed by another, can neither report
nor finish it any more. So a job has one result at most.
"""

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from unbraid.service.database import Database, count, end, job_of, one
from unbraid.service.jobs import ErrorKind, Job, JobError, ResultFile

Order = Literal["go on", "cancel", "lost"]


@dataclass(frozen=True)
class Claim:
    """A job that a worker has taken."""

    job: Job
    token: str


@dataclass(frozen=True)
class Outcome:
    """The outcome of a job that is done."""

    files: Sequence[ResultFile]
    audio_seconds: float
    model: str
    notices: Sequence[str] = ()


class Claims:
    """The claims of workers on the jobs of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, worker: str) -> Claim | None:
        """Take the oldest job that waits, if there is any."""
        with self._database.reading() as db:  # without a transaction, as long as nothing waits
            if db.execute("SELECT 1 FROM jobs WHERE state = 'queued' LIMIT 1").fetchone() is None:
                return None
        token, now = secrets.token_hex(8), time.time()
        with self._database.writing() as db:
            row = db.execute("SELECT id FROM jobs WHERE state = 'queued' ORDER BY created, id LIMIT 1").fetchone()
            if row is None:
                return None
            db.execute(
                "UPDATE jobs SET state = 'running', claim = ?, worker = ?, attempts = attempts + 1, started = ?, "
                "beat = ?, progress = 0 WHERE id = ?",
                (token, worker, now, now, row["id"]),
            )
            return Claim(one(db, "id = ?", row["id"]), token)

    def beat(self, claim: Claim, progress: float, audio_seconds: float | None = None) -> Order:
        """Report the progress of a job, and ask whether to go on."""
        with self._database.writing() as db:
            changed = db.execute(
                "UPDATE jobs SET beat = ?, progress = ?, audio_seconds = coalesce(?, audio_seconds) "
                "WHERE claim = ? AND state = 'running'",
                (time.time(), progress, audio_seconds, claim.token),
            ).rowcount
            if not changed:
                return "lost"
            cancel = db.execute("SELECT cancel FROM jobs WHERE id = ?", (claim.job.id,)).fetchone()["cancel"]
            return "cancel" if cancel else "go on"

    def finish(self, claim: Claim, outcome: Outcome) -> bool:
        """Mark a job as done, with its files and warnings; False where it is this worker's no more."""
        files = json.dumps([file.model_dump() for file in outcome.files])
        size, notices = sum(file.bytes for file in outcome.files), json.dumps(list(outcome.notices))
        with self._database.writing() as db:
            changed = db.execute(
                "UPDATE jobs SET state = 'done', progress = 1, finished = ?, files = ?, result_bytes = ?, notices = ?, "
                "audio_seconds = ?, model = ?, claim = NULL WHERE claim = ? AND state = 'running'",
                (time.time(), files, size, notices, outcome.audio_seconds, outcome.model, claim.token),
            ).rowcount
            if changed:
                count(db, "jobs done")
                count(db, "audio seconds", outcome.audio_seconds)
            return bool(changed)

    def fail(self, claim: Claim, kind: ErrorKind, message: str) -> bool:
        """Mark a job as failed; False where it is this worker's no more."""
        with self._database.writing() as db:
            return end(db, "claim = ?", claim.token, "failed", JobError(kind=kind, message=message))

    def stop(self, claim: Claim) -> bool:
        """Mark a job as cancelled; False where it is this worker's no more."""
        with self._database.writing() as db:
            return end(db, "claim = ?", claim.token, "cancelled")

    def requeue(self, worker: str | None, most_attempts: int, *, blameless: bool = False) -> list[str]:
        """Queue the jobs of a dead worker again (None: of all workers), or fail them after so many attempts.

        A `blameless` attempt, one that the server itself has ended, does not count. Returns the jobs that wait again.
        """
        with self._database.writing() as db:
            rows = db.execute("SELECT * FROM jobs WHERE state = 'running' AND (? IS NULL OR worker = ?)", [worker] * 2)
            back = []
            for row in rows.fetchall():
                attempts = row["attempts"] - blameless
                if row["cancel"]:
                    end(db, "id = ?", row["id"], "cancelled")
                elif attempts >= most_attempts:
                    message = (
                        f"The worker died in each of {attempts} attempts: the recording may crash a decoder, or need "
                        "more memory than there is. Convert it to WAV or FLAC, or send a shorter one."
                    )
                    end(db, "id = ?", row["id"], "failed", JobError(kind="crash", message=message))
                else:
                    db.execute(
                        "UPDATE jobs SET state = 'queued', claim = NULL, worker = NULL, progress = 0, attempts = ? "
                        "WHERE id = ?",
                        (attempts, row["id"]),
                    )
                    back.append(row["id"])
            return back

    def last(self, worker: str) -> Job | None:
        """The job that a worker has claimed last."""
        with self._database.reading() as db:
            row = db.execute("SELECT * FROM jobs WHERE worker = ? ORDER BY started DESC LIMIT 1", (worker,)).fetchone()
            return None if row is None else job_of(db, row)

    def silent_workers(self, seconds: float) -> list[str]:
        """Workers with a job that have reported nothing for so long."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT DISTINCT worker FROM jobs WHERE state = 'running' AND beat < ?", (time.time() - seconds,)
            )
            return [row["worker"] for row in rows]
