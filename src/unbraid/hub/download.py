"""Download of a file over HTTP(S): resumed, retried after a lost connection, and verified.

The bytes gather in `NAME.part`, which survives a dropped connection, an interrupt and a crash; only a file whose
size and hash are the expected ones is renamed to NAME. If a server ignores `Range`, the download starts again. It
ends after several attempts in a row without progress, not after a number of attempts, so a slow connection succeeds.
Servers are not trusted: no body may be larger than the expected file, and no number in a header has over 15 digits.
"""

import hashlib
import itertools
import os
import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from unbraid.errors import ChecksumError, DownloadError
from unbraid.files import workdir
from unbraid.hub.connection import NUMBER, Answer, Connection, Lasting, TransientError, status_error, web_page
from unbraid.hub.proxies import proxy_of

T = TypeVar("T")
Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all (None: unknown)

ATTEMPTS = 5  # in a row without a new byte
RETRY_SECONDS = 0.5  # before the second attempt; doubles with each
MOST_BYTES = 20 << 30  # of a file of which nothing is known
TEXT_BYTES = 1 << 20  # of a small one
_REASON_LETTERS = 200
_START, _TOTAL = rf"bytes {NUMBER}-.*", rf"bytes [^/]*/{NUMBER}"  # of a Content-Range


@dataclass(frozen=True)
class Remote:
    """A file to fetch, with the facts known beforehand."""

    url: str
    size: int | None = None  # bytes
    sha256: str | None = None  # or its first digits, where no more are published
    git_sha1: str | None = None  # of git's blob, as the Hugging Face hub states for small files
    headers: dict[str, str] = field(default_factory=dict)
    most_bytes: int = MOST_BYTES  # where the size is not known


def fetch(remote: Remote, destination: Path, progress: Progress | None = None) -> None:
    """Download to DESTINATION, unless the right file is there already.

    Raises:
        DownloadError: the host or file cannot be reached, the line drops too often, or the disk is full.
        ChecksumError: the file is not the expected one; it has been removed.
    """
    is_told = (remote.sha256 or remote.git_sha1) is not None
    if is_told and destination.exists() and not _mismatch(destination, remote):
        return
    part = destination.with_name(destination.name + ".part")
    if remote.size is not None and _size(part) > remote.size:
        part.unlink()
    with disk_errors(destination.parent):
        with Connection() as connection:
            persist(lambda: _receive(connection, remote, part, progress), remote.url, lambda: _size(part))
        if wrong := _mismatch(part, remote):
            part.unlink()
            raise ChecksumError(
                f"{remote.url} is not the expected file: {wrong}. The download was removed; try again, and if it stays "
                "so, something between here and the publisher changes it."
            )
        os.replace(part, destination)


def fetch_text(url: str) -> str:
    """The text of a small file, in UTF-8; invalid bytes become \N{REPLACEMENT CHARACTER}.

    Raises:
        DownloadError: as `fetch`.
    """

    def attempt() -> str:
        content = b""
        with connection.answer("GET", url, {}) as answer:
            _check_status(answer, url)
            for block in answer.blocks():
                content += block
                if len(content) > TEXT_BYTES:
                    raise DownloadError(f"{url} is more than {TEXT_BYTES} bytes long, which it should not be.")
        if _is_page(answer, content):
            raise web_page(url)
        return content.decode(errors="replace")

    with Connection() as connection:
        return persist(attempt, url)


def fetch_head(url: str, headers: dict[str, str]) -> Answer:
    """The head of a response, with any status but a transient one; redirects to other hosts are not followed.

    Raises:
        DownloadError: as `fetch`.
    """

    def attempt() -> Answer:
        with connection.answer("HEAD", url, headers, stay=True) as answer:
            if isinstance(error := status_error(answer.status, url), TransientError):
                raise error
            return answer

    with Connection() as connection:
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
        except (httpx2.UnsupportedProtocol, httpx2.InvalidURL, UnicodeError, OverflowError) as error:
            raise DownloadError(f"{url} is not an address to download from: {_reason(error)}.") from None
        except (httpx2.TransportError, TransientError) as error:
            if (now := reached()) > furthest:
                failures, furthest = 0, now
            failures += 1
            if failures >= ATTEMPTS or isinstance(error, Lasting) or _remedy(error):
                raise _given_up(url, error, failures, furthest) from None
        time.sleep(RETRY_SECONDS * 2 ** (failures - 1))


def _remedy(error: Exception) -> str:
    """What to do about a lack of trust or of a password, which no repetition cures; "" for other failures."""
    import httpx2

    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "If the network has a certificate of its own, let SSL_CERT_FILE name a file that holds it."
    if isinstance(error, httpx2.ProxyError) and str(error).startswith("407"):
        return "The proxy wants a name and a password: HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT."
    return ""


def _given_up(url: str, error: Exception, failures: int, reached: int) -> DownloadError:
    often = f" ({failures} times in a row)" if failures > 1 else ""
    way = f", by way of the proxy of {proxy}" if (proxy := proxy_of(url)) else ""
    remedy = _remedy(error) or "Check the connection and any proxy settings."
    kept = f" The {reached} bytes so far are kept: run the command again to go on." if reached else ""
    return DownloadError(f"{url} cannot be downloaded: {_reason(error)}{often}{way}. {remedy}{kept}")


def disk_errors(folder: Path) -> AbstractContextManager[None]:
    """Failures of a disk that cannot take a model, as DownloadErrors."""
    return workdir.disk_errors(folder, " by UNBRAID_CACHE", DownloadError)


def _receive(connection: Connection, remote: Remote, part: Path, progress: Progress | None) -> None:
    """Append the missing bytes to the partial file."""
    done = _size(part)
    if done and done == remote.size:
        return
    headers = remote.headers | ({"Range": f"bytes={done}-"} if done else {})
    with connection.answer("GET", remote.url, headers) as answer:
        if answer.status == 416 and done and answer.number("Content-Range", _TOTAL) == done:  # we have it all
            return
        if answer.status == 416 or (answer.status == 206 and answer.number("Content-Range", _START) != done):
            part.unlink(missing_ok=True)
            raise TransientError("the server sends another part of the file than was asked for")
        _check_status(answer, remote.url)
        if answer.status != 206:
            done = 0
        total = _announced(answer, done)
        _check_size(remote, total)
        _check_space(part.parent, (total or done) - done)
        blocks = answer.blocks()
        first = next(blocks, b"")
        if _is_page(answer, first) and not done:
            raise web_page(remote.url)
        with open(part, "ab" if done else "wb") as file:
            for block in itertools.chain([first], blocks):
                file.write(block)
                done += len(block)
                if done > (limit := remote.most_bytes if remote.size is None else remote.size):
                    raise DownloadError(f"{remote.url} goes on behind its {limit} bytes; it is not the expected file.")
                if progress:
                    progress(done, total)
    if done < (total or 0):
        raise TransientError(f"the connection ended after {done} of {total} bytes")


def _check_size(remote: Remote, total: int | None) -> None:
    """Refuse a response whose stated size is not the expected one."""
    if remote.size is not None and total not in (None, remote.size):
        raise ChecksumError(f"{remote.url} has {total} bytes, but {remote.size} were published.")
    if (total or 0) > remote.most_bytes:
        raise DownloadError(f"{remote.url} has {total} bytes, but at most {remote.most_bytes} can be right.")


def _is_page(answer: Answer, content: bytes) -> bool:
    return "html" in answer.header("Content-Type").lower() and content.lstrip()[:1] == b"<"


def _check_status(answer: Answer, url: str) -> None:
    if answer.status not in (200, 206):
        raise status_error(answer.status, url)


def _announced(answer: Answer, done: int) -> int | None:
    """The size of the whole file, from the headers of a response that starts at byte `done`."""
    total, length = answer.number("Content-Range", _TOTAL), answer.number("Content-Length")
    return total if total is not None or length is None else done + length


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


def _mismatch(path: Path, remote: Remote) -> str:
    """The difference from the expected file in words; empty if there is none."""
    size = _size(path)
    if remote.size is not None and size != remote.size:
        return f"it has {size} bytes, expected {remote.size}"
    blob = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    if remote.sha256 and not (found := _digest(path, hashlib.sha256())).startswith(remote.sha256):
        more = "…" if len(remote.sha256) < len(found) else ""
        return f"its sha256 is {found}, expected {remote.sha256}{more}"
    if remote.git_sha1 and (found := _digest(path, blob)) != remote.git_sha1:
        return f"its git hash is {found}, expected {remote.git_sha1}"
    return ""


def _digest(path: Path, begun: Any) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: begun).hexdigest()


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")[:_REASON_LETTERS] or type(error).__name__
