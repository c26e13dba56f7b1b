"""Downloads of published models: one at a time, each in a process that is ended where it is cancelled.

They are not kept: after a restart a download is asked for again, and goes on where it was.
"""

import json
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any, Literal

from pydantic import BaseModel, Field

from unbraid.errors import UnbraidError
from unbraid.service.storage import new_id

_MOST = 50  # that are remembered
_STOP_SECONDS = 5.0


class PullRunning(UnbraidError):
    """Another model is being downloaded."""


class Pull(BaseModel):
    """The download of a model."""

    id: str
    name: str
    state: Literal["running", "done", "failed", "cancelled"] = "running"
    done_bytes: int = 0
    total_bytes: int | None = Field(default=None, description="if it is known")
    error: str | None = None


class Pulls:
    """The downloads of a service."""

    def __init__(self, memory_bytes: int) -> None:
        """With so much memory for each; 0: without a limit."""
        self._memory = memory_bytes
        self._lock = threading.Lock()
        self._pulls: dict[str, Pull] = {}
        self._process: subprocess.Popen[str] | None = None  # of the one that is running

    def start(self, name: str) -> Pull:
        """Begin to download a model, or return the download of it that is running.

        Raises:
            PullRunning: another one is running.
        """
        with self._lock:
            for pull in self._pulls.values():
                if pull.state == "running" and pull.name != name:
                    raise PullRunning(f"{pull.name} is being downloaded; wait for it, or cancel it.")
                if pull.state == "running":
                    return pull
            pull = Pull(id=new_id(), name=name)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "unbraid.service.pull_worker", name, str(self._memory)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                text=True,
            )
            self._pulls = dict([*self._pulls.items(), (pull.id, pull)][-_MOST:])
        threading.Thread(target=self._follow, args=(pull.id, self._process), daemon=True).start()
        return pull

    def all(self) -> list[Pull]:
        """All downloads, the newest first."""
        return list(self._pulls.values())[::-1]

    def get(self, pull: str) -> Pull:
        """A download.

        Raises:
            KeyError: there is none of this ID.
        """
        return self._pulls[pull]

    def cancel(self, pull: str) -> Pull:
        """Cancel a download; what has come is kept for the next attempt, and one that is finished stays as it is.

        Raises:
            KeyError: there is none of this ID.
        """
        with self._lock:
            if self._pulls[pull].state == "running" and self._process is not None:
                self._change(pull, state="cancelled")
                self._process.terminate()
        return self._pulls[pull]

    def stop(self) -> None:
        """End the download that is running."""
        for pull in self.all():
            self.cancel(pull.id)
        if self._process is not None:
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _follow(self, pull: str, process: subprocess.Popen[str]) -> None:
        """Note the progress of a download until its process ends."""
        assert process.stdout is not None
        error: str | None = "The download ended unexpectedly; start it again, and it goes on where it was."
        with process.stdout:
            for line in process.stdout:
                with suppress(ValueError):
                    told = json.loads(line)
                    if "error" in told:
                        error = told["error"]
                    elif pull in self._pulls:
                        self._change(pull, done_bytes=told["done"], total_bytes=told["total"])
        process.wait()
        with self._lock:
            if self._pulls[pull].state == "running":
                self._change(pull, state="failed" if error else "done", error=error)

    def _change(self, pull: str, **changed: Any) -> None:
        self._pulls[pull] = self._pulls[pull].model_copy(update=changed)
