"""A client of a service on this machine or another; it needs no extra.

with Client("http://127.0.0.1:8080") as client:
    job = client.submit("song.mp3", "separate", {"model": "music-4"})
    for job in client.watch(job.id):
        print(f"{job.progress:.0%}")
    client.download(job.id, "stems")
"""

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import httpx2

from unbraid.errors import UnbraidError, shortened
from unbraid.files.atomic import appearing

FINISHED = ("done", "failed", "cancelled")
_CONNECT_SECONDS, _READ_SECONDS = 10.0, 60.0  # the service sends something every 15 seconds


class ServiceError(UnbraidError):
    """A refusal of the service, with its status, or a service that cannot be reached (None)."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class RemoteFile:
    """A file of a job that is done."""

    name: str
    bytes: int
    sha256: str
    role: str  # "result", or "player" for the page


@dataclass(frozen=True)
class RemoteJob:
    """A job as the service tells it."""

    id: str
    kind: str
    name: str
    state: str  # queued, running, done, failed or cancelled
    progress: float  # 0 to 1
    options: dict[str, Any]
    files: tuple[RemoteFile, ...] = ()
    error: str | None = None
    error_kind: str | None = None
    remaining_seconds: float | None = None
    audio_seconds: float | None = None
    attempts: int = 0
    model: str | None = None  # that was run, of a job that is done
    notices: tuple[str, ...] = ()  # warnings about the recording and the result

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """The job of a JSON object."""
        known = {name.name for name in fields(cls)} - {"files", "error", "error_kind", "notices"}
        error = told.get("error") or {}
        return cls(
            **{name: value for name, value in told.items() if name in known},
            files=tuple(
                RemoteFile(file["name"], file["bytes"], file["sha256"], file["role"]) for file in told["files"]
            ),
            notices=tuple(told.get("notices", ())),
            error=error.get("message"),
            error_kind=error.get("kind"),
        )


class Client:
    """A client of a service; `close()`, or a `with` statement, ends its connections."""

    def __init__(self, url: str = "http://127.0.0.1:8080", *, token: str | None = None) -> None:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        timeout = httpx2.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS)
        self._url = url.rstrip("/")
        self._http = httpx2.Client(base_url=self._url, headers=headers, timeout=timeout)

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def submit(
        self,
        recording: str | Path,
        kind: str = "separate",
        options: Mapping[str, str | float | bool] | None = None,
        *,
        key: str | None = None,
        name: str | None = None,
    ) -> RemoteJob:
        """Send a recording, and queue a job with its options.

        The same `key` gives the same job, so that a request may be repeated; by default each call has one of its own.
        The service calls the recording by its `name`, by default the file's.

        Raises:
            ServiceError: the service refuses, or cannot be reached.
            OSError: the recording cannot be read.
        """
        form = {name: str(value) for name, value in (options or {}).items()} | {"kind": kind}
        with Path(recording).open("rb") as file, self._reached():
            sent = {"file": (name or Path(recording).name, file)}
            response = self._http.post(
                "/v1/jobs", data=form, files=sent, headers={"Idempotency-Key": key or uuid.uuid4().hex}
            )
        return RemoteJob.of(_told(response))

    def job(self, job: str) -> RemoteJob:
        """A job.

        Raises:
            ServiceError: there is none, or the service cannot be reached.
        """
        return RemoteJob.of(self._call("GET", f"/v1/jobs/{job}"))

    def jobs(self) -> list[RemoteJob]:
        """Your jobs, the newest first."""
        return [RemoteJob.of(told) for told in self._call("GET", "/v1/jobs")]

    def models(self) -> list[dict[str, Any]]:
        """The models of the service: name, kinds of jobs, stems, licence."""
        return list(self._call("GET", "/v1/models"))

    def cancel(self, job: str) -> RemoteJob:
        """Cancel a job."""
        return RemoteJob.of(self._call("POST", f"/v1/jobs/{job}/cancel"))

    def delete(self, job: str) -> None:
        """Delete a finished job and its files."""
        self._call("DELETE", f"/v1/jobs/{job}")

    def watch(self, job: str) -> Iterator[RemoteJob]:
        """The job each time it changes, until it is finished.

        Raises:
            ServiceError: as `job`.
        """
        with self._reached(), self._http.stream("GET", f"/v1/jobs/{job}/events") as response:
            if response.status_code >= 400:
                response.read()
                _told(response)
            event = ""
            for line in response.iter_lines():
                if line.startswith("event: "):
                    event = line.removeprefix("event: ")
                elif line.startswith("data: ") and event == "job":
                    yield RemoteJob.of(json.loads(line.removeprefix("data: ")))

    def wait(self, job: str) -> RemoteJob:
        """The job once it is finished, whatever its state.

        Raises:
            ServiceError: as `job`.
        """
        for found in self.watch(job):
            if found.state in FINISHED:
                return found
        return self.job(job)

    def download(self, job: str, folder: str | Path, *, overwrite: bool = False) -> dict[str, Path]:
        """Write the results of a job that is done into a folder, each whole or not at all, and return the files.

        Raises:
            ServiceError: the job has no results, the service cannot be reached, or a file comes damaged.
            AudioError: a file exists and `overwrite` is not set, or the disk refuses.
        """
        found, written = self.job(job), {}
        results = [file for file in found.files if file.role == "result"]
        if not results:
            raise ServiceError(f"The job {found.id} is {found.state} and has no files. {found.error or ''}".rstrip())
        for file in results:
            if Path(file.name).name != file.name or file.name.startswith("."):
                raise ServiceError(f"The service names a file {shortened(file.name)!r}, which is refused.")
            place = Path(folder) / file.name
            with appearing(place, replace=overwrite) as fresh:
                self._fetch(found.id, file, fresh)
            written[file.name] = place
        return written

    def _fetch(self, job: str, file: RemoteFile, place: Path) -> None:
        digest = hashlib.sha256()
        with (
            self._reached(),
            self._http.stream("GET", f"/v1/jobs/{job}/files/{file.name}") as response,
            place.open("wb") as out,
        ):
            if response.status_code >= 400:
                response.read()
                _told(response)
            for piece in response.iter_raw():
                digest.update(piece)
                out.write(piece)
        if digest.hexdigest() != file.sha256:
            raise ServiceError(f"{file.name} has come damaged; download it again.")

    def _call(self, method: str, path: str) -> Any:
        with self._reached():
            response = self._http.request(method, path)
        return _told(response)

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """Turn failures of the connection into sentences."""
        try:
            yield
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            reason = shortened(str(error)).rstrip(".") or type(error).__name__
            raise ServiceError(
                f"There is no answer from {self._url}: {reason}. Check the address, and that "
                "`unbraid serve` runs there."
            ) from None


def _told(response: httpx2.Response) -> Any:
    """The JSON value of a response.

    Raises:
        ServiceError: it is an error.
    """
    if response.status_code < 400:
        return response.json() if response.content else None
    try:
        detail = str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        detail = f"The service answers {response.status_code} {response.reason_phrase}."
    raise ServiceError(detail, response.status_code)
