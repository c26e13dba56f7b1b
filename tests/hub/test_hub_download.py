"""One file: resumed, retried, verified; what a server can do wrong, and what is said then."""

import errno
import hashlib
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hub_server import Fault, Publisher

from unbraid.errors import ChecksumError, DownloadError
from unbraid.hub import download
from unbraid.hub.download import Remote, fetch

CONTENT = bytes(np.random.default_rng(1).integers(0, 256, 200_000, np.uint8))
DIGEST = hashlib.sha256(CONTENT).hexdigest()
HALF = 100_000


@pytest.fixture
def remote(publisher: Publisher) -> Remote:
    """A file whose hash is known and whose size is not."""
    publisher.files["/file"] = CONTENT
    return Remote(f"{publisher.url}/file", sha256=DIGEST)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where it goes."""
    return tmp_path / "file"


def files_of(target: Path) -> list[str]:
    """What lies in the target's folder."""
    return sorted(file.name for file in target.parent.iterdir() if file.is_file())


def test_plain_download_reports_progress(remote: Remote, target: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    fetch(remote, target, lambda done, total: seen.append((done, total)))
    assert target.read_bytes() == CONTENT
    assert files_of(target) == ["file"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)


def test_right_file_is_not_fetched_again(remote: Remote, target: Path, publisher: Publisher) -> None:
    target.write_bytes(CONTENT)
    fetch(remote, target)
    assert publisher.requests == []


def test_dropped_connection_is_resumed(remote: Remote, target: Path, publisher: Publisher) -> None:
    publisher.faults["/file"] = [Fault(drop_after=HALF), Fault(drop_after=0), Fault(status=503)]
    fetch(remote, target)
    assert target.read_bytes() == CONTENT
    assert publisher.gets("/file") == [None, *[f"bytes={HALF}-"] * 3]


def test_many_drops_are_survived_as_long_as_bytes_come(remote: Remote, target: Path, publisher: Publisher) -> None:
    publisher.always["/file"] = Fault(drop_after=10_000)
    fetch(remote, target)
    assert target.read_bytes() == CONTENT
    assert len(publisher.gets("/file")) == 20


def test_interrupt_keeps_what_came(remote: Remote, target: Path, publisher: Publisher) -> None:
    def interrupt(done: int, total: int | None) -> None:
        if done > HALF:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(remote, target, interrupt)
    assert files_of(target) == ["file.part"]
    had = (target.parent / "file.part").stat().st_size
    assert had > HALF
    fetch(remote, target)
    assert publisher.gets("/file") in ([None, f"bytes={had}-"], [None])
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("fault", [Fault(ignore_range=True), Fault(wrong_range=True)])
def test_server_that_does_not_continue_is_started_over(
    remote: Remote, target: Path, publisher: Publisher, fault: Fault
) -> None:
    publisher.faults["/file"] = [Fault(drop_after=HALF), fault]
    fetch(remote, target)
    assert target.read_bytes() == CONTENT


def test_complete_part_is_just_renamed(remote: Remote, target: Path, publisher: Publisher) -> None:
    target.with_name("file.part").write_bytes(CONTENT)
    fetch(remote, target)  # the server says 416 and the size
    assert target.read_bytes() == CONTENT
    target.unlink()
    target.with_name("file.part").write_bytes(CONTENT)
    publisher.requests.clear()
    fetch(Remote(remote.url, size=len(CONTENT), sha256=DIGEST), target)  # the size is known
    assert publisher.requests == []


@pytest.mark.parametrize("size", [None, len(CONTENT)])
def test_part_that_is_too_long_is_thrown_away(remote: Remote, target: Path, size: int | None) -> None:
    target.with_name("file.part").write_bytes(CONTENT + b"more")
    fetch(Remote(remote.url, size=size, sha256=DIGEST), target)
    assert target.read_bytes() == CONTENT


def test_wrong_bytes_are_removed_and_both_hashes_named(remote: Remote, target: Path, publisher: Publisher) -> None:
    publisher.files["/file"] = lie = b"x" * len(CONTENT)
    with pytest.raises(ChecksumError) as error:
        fetch(remote, target)
    assert str(error.value) == (
        f"{remote.url} is not the expected file: its sha256 is {hashlib.sha256(lie).hexdigest()}, expected {DIGEST}. "
        "The download was removed; try again, and if it stays so, something between here and the publisher changes it."
    )
    assert files_of(target) == []


def test_git_hash_is_checked_too(publisher: Publisher, target: Path) -> None:
    publisher.files["/file"] = b"hello\n"
    url = f"{publisher.url}/file"
    fetch(Remote(url, git_sha1="ce013625030ba8dba906f756967f9e9ca394464a"), target)  # `git hash-object` says so
    target.unlink()
    with pytest.raises(ChecksumError, match=r"its git hash is ce0136\w+, expected 0000"):
        fetch(Remote(url, git_sha1="0" * 40), target)


def test_size_that_differs_from_the_published_is_refused(remote: Remote, target: Path) -> None:
    with pytest.raises(ChecksumError) as error:
        fetch(Remote(remote.url, size=7), target)
    assert str(error.value) == f"{remote.url} has {len(CONTENT)} bytes, but 7 were published."
    assert files_of(target) == []


def test_content_length_that_is_too_small_truncates_and_is_caught(
    remote: Remote, target: Path, publisher: Publisher
) -> None:
    publisher.always["/file"] = Fault(length_off=-10)
    with pytest.raises(ChecksumError, match="is not the expected file: its sha256 is"):
        fetch(remote, target)
    assert files_of(target) == []


def test_file_that_ends_too_early_every_time_is_given_up(remote: Remote, target: Path, publisher: Publisher) -> None:
    publisher.always["/file"] = Fault(drop_after=HALF, ignore_range=True)
    with pytest.raises(DownloadError) as error:
        fetch(remote, target)
    text = str(error.value)
    assert text.startswith(f"{remote.url} cannot be downloaded: ")
    assert text.endswith(
        f"(5 times in a row). Check the connection and any proxy settings. The {HALF} bytes so far are kept: "
        "run the command again to go on."
    )
    assert files_of(target) == ["file.part"]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, "There is no such file: {url} answers with HTTP status 404."),
        (403, "Access is refused: {url} answers with HTTP status 403."),
        (410, "The server refuses: {url} answers with HTTP status 410."),
    ],
)
def test_final_status_is_not_tried_again(
    remote: Remote, target: Path, publisher: Publisher, status: int, message: str
) -> None:
    publisher.always["/file"] = Fault(status=status)
    with pytest.raises(DownloadError) as error:
        fetch(remote, target)
    assert str(error.value) == message.format(url=remote.url)
    assert len(publisher.requests) == 1
    assert files_of(target) == []


def test_status_that_stays_bad_is_given_up(remote: Remote, target: Path, publisher: Publisher) -> None:
    publisher.always["/file"] = Fault(status=500)
    with pytest.raises(DownloadError) as error:
        fetch(remote, target)
    assert str(error.value) == (
        f"{remote.url} cannot be downloaded: the server answered with status 500 (5 times in a row). "
        "Check the connection and any proxy settings."
    )


def test_nobody_answers(target: Path) -> None:
    with pytest.raises(DownloadError, match=r"^http://127\.0\.0\.1:1/x cannot be downloaded: .*refused.* \(5 times"):
        fetch(Remote("http://127.0.0.1:1/x"), target)


@pytest.mark.parametrize("url", ["ftp://example.org/x", "no address"])
def test_address_that_is_none(target: Path, url: str) -> None:
    with pytest.raises(DownloadError, match=f"^{url} is not an address to download from: "):
        fetch(Remote(url), target)


def test_full_disk_is_seen_before_the_download(remote: Remote, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(DownloadError, match=r"^The download needs 0 MB, but the disk of .* has 0 MB free; free some"):
        fetch(remote, target)
    assert files_of(target) == []


def test_full_disk_while_writing(remote: Remote, target: Path) -> None:
    def full(done: int, total: int | None) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DownloadError) as error:
        fetch(remote, target, full)
    assert str(error.value) == (
        f"{target.parent} cannot be written: No space left on device. Free some space, or choose another folder by "
        "UNBRAID_CACHE."
    )


def test_folder_that_cannot_be_written(remote: Remote, tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with pytest.raises(DownloadError) as error:
        fetch(remote, tmp_path / "plain" / "file")
    assert str(error.value) == (
        f"{tmp_path / 'plain'} cannot be written: Not a directory. Check the disk, or choose another folder by "
        "UNBRAID_CACHE."
    )


def test_small_text(publisher: Publisher) -> None:
    publisher.files["/t"] = b"text"
    publisher.faults["/t"] = [Fault(status=502), Fault(drop_after=1)]
    assert download.fetch_text(f"{publisher.url}/t") == "text"
