"""One file over HTTP(S): resumed where it stopped, tried again when the line drops, and verified before it is kept.

The bytes gather in `NAME.part`, which survives a dropped connection, an interrupt and a crash; only a file whose
size and hash are the expected ones is renamed to NAME. A server that ignores `Range` makes us start again. We give
up when several attempts in a row bring nothing new, not after a number of attempts: a slow line still gets there.
"""

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from unbraid.errors import ChecksumError, DownloadError, refused

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")
Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all (None: unknown)

ATTEMPTS = 5  # in a row without a new byte
RETRY_SECONDS = 0.5  # before the second attempt; doubles with each
TIMEOUT_SECONDS = 30.0  # without any answer
_PASSING_STATUS = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Remote:
    """A file to fetch, and what is known about it beforehand."""

    url: str
    size: int | None = None  # bytes
    sha256: str | None = None
    git_sha1: str | None = None  # of git's blob: what the Hugging Face hub states for small files
    headers: dict[str, str] = field(default_factory=dict)


class Passing(Exception):
    """A failure that may pass: the message says what happened."""


def fetch(remote: Remote, destination: Path, progress: Progress | None = None) -> None:
    """Download to DESTINATION, unless the right file is there already.

    Raises:
        DownloadError: the host or file cannot be reached, the line drops too often, or the disk is full.
        ChecksumError: the file is not the expected one; it has been removed.
    """
    if destination.exists() and _is_right(destination, remote):
        return
    part = destination.with_name(destination.name + ".part")
    if remote.size is not None and _size(part) > remote.size:
        part.unlink()
    try:
        with _client() as client:
            persist(lambda: _receive(client, remote, part, progress), remote.url, lambda: _size(part))
        verify(part, remote)
        os.replace(part, destination)
    except OSError as error:
        raise disk_error(error, destination.parent) from None


def fetch_text(url: str) -> str:
    """The text of a small file.

    Raises:
        DownloadError: as `fetch`.
    """

    def attempt() -> str:
        response = client.get(url)
        _check_status(response, url)
        return response.text

    with _client() as client:
        return persist(attempt, url)


def persist(attempt: Callable[[], T], url: str, reached: Callable[[], int] = lambda: 0) -> T:
    """Call ATTEMPT until it returns, giving up when ATTEMPTS in a row leave REACHED where it was.

    Raises:
        DownloadError: that happened, or the failure is one that no repetition cures.
    """
    import httpx2

    failures, furthest = 0, reached()
    while True:
        try:
            return attempt()
        except (httpx2.UnsupportedProtocol, httpx2.InvalidURL, httpx2.TooManyRedirects) as error:
            raise DownloadError(f"{url} is not an address to download from: {_reason(error)}.") from None
        except (httpx2.TransportError, Passing) as error:
            if (now := reached()) > furthest:
                failures, furthest = 0, now
            failures += 1
            if failures >= ATTEMPTS:
                kept = f" The {furthest} bytes so far are kept: run the command again to go on." if furthest else ""
                raise DownloadError(
                    f"{url} cannot be downloaded: {_reason(error)} ({failures} times in a row). "
                    f"Check the connection and any proxy settings.{kept}"
                ) from None
        time.sleep(RETRY_SECONDS * 2 ** (failures - 1))


def status_error(status: int, url: str) -> Exception:
    """The error for an HTTP status that is not a success: `Passing` when another attempt may help."""
    if status in _PASSING_STATUS:
        return Passing(f"the server answered with status {status}")
    hint = {401: "Access is refused", 403: "Access is refused", 404: "There is no such file", 407: "A proxy refuses"}
    return DownloadError(f"{hint.get(status, 'The server refuses')}: {url} answers with HTTP status {status}.")


def verify(path: Path, remote: Remote) -> None:
    """Compare size and hashes with the expected ones; a wrong file is removed.

    Raises:
        ChecksumError: they differ.
    """
    wrong = _mismatch(path, remote)
    if wrong:
        path.unlink()
        raise ChecksumError(
            f"{remote.url} is not the expected file: {wrong}. The download was removed; try again, and if it stays "
            "so, something between here and the publisher changes it."
        )


def disk_error(error: OSError, folder: Path) -> DownloadError:
    """The sentence for a disk that cannot take the model."""
    return DownloadError(refused(folder, error, " by UNBRAID_CACHE"))


def _client() -> "httpx2.Client":
    import httpx2

    headers = {"User-Agent": "unbraid", "Accept-Encoding": "identity"}
    return httpx2.Client(follow_redirects=True, timeout=TIMEOUT_SECONDS, headers=headers)


def _receive(client: "httpx2.Client", remote: Remote, part: Path, progress: Progress | None) -> None:
    """Add what is missing to the part file."""
    done = _size(part)
    if done and done == remote.size:
        return
    headers = remote.headers | ({"Range": f"bytes={done}-"} if done else {})
    with client.stream("GET", remote.url, headers=headers) as response:
        if response.status_code == 416:  # nothing beyond what we have
            if _range_total(response) == done:
                return
            part.unlink()
            raise Passing("the server does not continue where it stopped")
        _check_status(response, remote.url)
        if response.status_code != 206:
            done = 0
        elif _range_start(response) != done:
            part.unlink()
            raise Passing("the server does not continue where it stopped")
        total = _announced(response, done)
        if remote.size is not None and total not in (None, remote.size):
            raise ChecksumError(f"{remote.url} has {total} bytes, but {remote.size} were published.")
        _check_space(part.parent, (total or done) - done)
        with open(part, "ab" if done else "wb") as file:
            for block in response.iter_raw():
                file.write(block)
                done += len(block)
                if progress:
                    progress(done, total)
    if done < (total or 0):
        raise Passing(f"the connection ended after {done} of {total} bytes")


def _check_status(response: "httpx2.Response", url: str) -> None:
    if not response.is_success:
        raise status_error(response.status_code, url)


def _announced(response: "httpx2.Response", done: int) -> int | None:
    """How long the whole file is, by the headers of a response that starts at byte DONE."""
    if (total := _range_total(response)) is not None:
        return total
    length = response.headers.get("Content-Length", "")
    return done + int(length) if length.isdigit() else None


def _range_total(response: "httpx2.Response") -> int | None:
    found = re.fullmatch(r"bytes .*/(\d+)", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _range_start(response: "httpx2.Response") -> int | None:
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DownloadError(
            f"The download needs {needed / 1e6:.0f} MB, but the disk of {folder} has {free / 1e6:.0f} MB free; "
            "free some space, or set UNBRAID_CACHE to another disk."
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _is_right(path: Path, remote: Remote) -> bool:
    return (remote.sha256 or remote.git_sha1) is not None and not _mismatch(path, remote)


def _mismatch(path: Path, remote: Remote) -> str:
    """What differs from the expected file, or nothing."""
    size = _size(path)
    if remote.size is not None and size != remote.size:
        return f"it has {size} bytes, expected {remote.size}"
    if remote.sha256 and (found := _digest(path, hashlib.sha256())) != remote.sha256:
        return f"its sha256 is {found}, expected {remote.sha256}"
    blob = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    if remote.git_sha1 and (found := _digest(path, blob)) != remote.git_sha1:
        return f"its git hash is {found}, expected {remote.git_sha1}"
    return ""


def _digest(path: Path, hasher: Any) -> str:
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            hasher.update(block)
    return str(hasher.hexdigest())


def _reason(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
