"""The data folder of a service: its database, and a folder for each job.

    jobs.sqlite            the queue
    server                 a lock: one server for one folder
    incoming/              uploads that are under way
    jobs/ID/input          the recording, whatever its name
    jobs/ID/text           the text that is aligned with it
    jobs/ID/result-N/      the files of attempt N, which appear at once

Names from clients are never paths: a job's folder is named by an ID that the service has drawn, and a file is looked up
among those that its job lists.
"""

import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from unbraid.errors import UsageError, refused
from unbraid.files.workdir import sweep
from unbraid.service.jobs import Job

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_ID = re.compile(r"[0-9a-f]{32}")


def default_folder() -> Path:
    """The data folder where none is named: $UNBRAID_DATA, or in the platform's folder for data.

    Raises:
        UsageError: it would be in a home folder, and this user has none.
    """
    try:
        if chosen := os.environ.get("UNBRAID_DATA"):
            return Path(chosen).expanduser()
        if sys.platform == "win32":
            return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "unbraid" / "service"
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Application Support" / "unbraid" / "service"
        return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "unbraid" / "service"
    except RuntimeError:  # as pathlib says it
        raise UsageError("This user has no home folder to keep jobs in; name a folder with --data.") from None


def new_id() -> str:
    """An ID for a job, which nobody can guess."""
    return secrets.token_hex(16)


class Storage:
    """The data folder."""

    def __init__(self, root: Path) -> None:
        self.root, self.database = root, root / "jobs.sqlite"
        self.incoming, self._jobs = root / "incoming", root / "jobs"

    def make(self) -> None:
        """Make the folders, for this user alone.

        Raises:
            UsageError: the disk refuses.
        """
        try:
            for folder in (self.root, self.incoming, self._jobs):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise UsageError(refused(self.root, error, " with --data")) from error

    @contextmanager
    def served(self) -> Iterator[None]:
        """Hold the lock of a server.

        Raises:
            UsageError: another server holds it, or the disk refuses.
        """
        try:
            file = os.open(self.root / "server", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise UsageError(refused(self.root, error, " with --data")) from error
        try:
            if fcntl:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise UsageError(
                f"Another server uses {self.root}; stop it, or choose another folder with --data."
            ) from None
        finally:
            os.close(file)

    def folder(self, job: str) -> Path:
        """The folder of a job.

        Raises:
            KeyError: this is no ID of a job.
        """
        if not _ID.fullmatch(job):
            raise KeyError(job)
        return self._jobs / job

    def input(self, job: str) -> Path:
        """The recording of a job."""
        return self.folder(job) / "input"

    def result(self, job: str, attempt: int) -> Path:
        """The folder of the files of an attempt."""
        return self.folder(job) / f"result-{attempt}"

    def file(self, job: Job, name: str) -> Path:
        """A file of a finished job.

        Raises:
            KeyError: the job has no file of this name.
        """
        if name not in [file.name for file in job.files]:
            raise KeyError(name)
        return self.result(job.id, job.attempts) / name

    def text(self, job: str) -> Path:
        """The text that is aligned with the recording of a job."""
        return self.folder(job) / "text"

    def take(self, upload: Path, job: str, text: str | None = None) -> None:
        """Make an upload the recording of a job, beside its text, before it is queued.

        Raises:
            OSError: the disk refuses.
        """
        self.folder(job).mkdir(mode=0o700)
        os.rename(upload, self.input(job))
        if text is not None:
            self.text(job).write_text(text, encoding="utf-8", newline="")

    def remove(self, job: str) -> None:
        """Delete the files of a job."""
        shutil.rmtree(self.folder(job), ignore_errors=True)

    def clear(self, job: str, kept: str = "") -> None:
        """Delete the files that earlier attempts at a job have left, all but the result that is KEPT."""
        folder = self.folder(job)
        sweep(folder)
        with suppress(OSError):
            for path in [path for path in folder.iterdir() if path.name.startswith("result-") and path.name != kept]:
                shutil.rmtree(path, ignore_errors=True)

    def tidy(self, job: Job) -> None:
        """Delete everything of a job but its recording and its result, once no worker is at it."""
        self.clear(job.id, self.result(job.id, job.attempts).name if job.state == "done" else "")

    def recover(self, known: Iterable[str]) -> None:
        """Delete what a killed server has left: uploads, and folders of jobs that are not known."""
        known = set(known)
        for path in self.incoming.iterdir():
            path.unlink(missing_ok=True)
        for path in self._jobs.iterdir():
            if _ID.fullmatch(path.name) and path.name not in known:
                shutil.rmtree(path, ignore_errors=True)
