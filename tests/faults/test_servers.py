"""What servers can answer: each oddity ends in one sentence of a DownloadError, in bounded time and memory."""

import hashlib
import json
import resource
import time
import zlib
from pathlib import Path

import pytest
from odd_servers import Talk, endless, says, server

from unbraid.errors import ChecksumError, DownloadError
from unbraid.hub import connection, download, publishers
from unbraid.hub import names as hub
from unbraid.hub.catalogue import catalogue
from unbraid.hub.download import Remote

CONTENT = bytes(range(256)) * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
PIN = catalogue().published["spleeter:2stems"].sha256["2stems.tar.gz"]
SUMS = json.dumps({"2stems": PIN}).encode()
HEAD = b"HTTP/1.1 200 OK\r\n"
BOMB = (lambda c: c.compress(bytes(40 << 20)) + c.flush())(zlib.compressobj(9, zlib.DEFLATED, 31))


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variables of this machine, quick attempts, little patience."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("UNBRAID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setattr(download, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(connection, "SLOW_SECONDS", 0.5)


TEXTS: dict[str, tuple[Talk, str]] = {
    "not gzip": (says("200 OK", {"Content-Encoding": "gzip"}, b"xxx"), "is sent compressed ('gzip'), though"),
    "a gzip bomb": (says("200 OK", {"Content-Encoding": "gzip"}, BOMB), "is sent compressed ('gzip'), though"),
    "an unknown coding": (says("200 OK", {"Content-Encoding": "x" * 99}, b"{}"), f"is sent compressed ('{'x' * 20}')"),
    "no end": (endless(HEAD + b"\r\n", b"a" * 65536), "is more than 1048576 bytes long"),
    "chunks without end": (
        endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"a" * 65536 + b"\r\n"),
        "is more than 1048576 bytes long",
    ),
    "nested JSON": (says("200 OK", {}, b"[" * 200_000), "does not state the checksum of 2stems"),
    "a key twice": (says("200 OK", {}, b'{"2stems": "a", "2stems": "b"}'), "does not state the checksum of 2stems"),
    "JSON of another kind": (says("200 OK", {}, b"[1]"), "does not state the checksum of 2stems"),
    "a number of 5000 digits": (says("200 OK", {}, b"9" * 5000), "does not state the checksum of 2stems"),
    "a strange charset": (
        says("200 OK", {"Content-Type": "text/plain; charset=base64"}, b"\xff\xfe"),
        "does not state the checksum of 2stems",
    ),
    "a page to sign in": (
        says("200 OK", {"Content-Type": "text/html"}, b"<!doctype html><title>Sign in"),
        "is answered with a web page instead of the file",
    ),
    "206": (says("206 Partial Content", {"Content-Range": "bytes 5-9/10"}, b"aaaaa"), "does not state the checksum"),
    "204": (says("204 No Content", {"Content-Length": None}), "answers with HTTP status 204"),
    "407": (says("407 Proxy Authentication Required"), "HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT"),
    "a status that is none": (says("999 Odd"), "answers with HTTP status 999"),
    "a length of 5000 digits": (says("200 OK", {"Content-Length": "9" * 5000}), "cannot be downloaded: "),
    "a negative length": (says("200 OK", {"Content-Length": "-1"}), "cannot be downloaded: "),
    "two lengths": (says("200 OK", {"Content-Length": 3, "content-length": 4}, b"abc"), "cannot be downloaded: "),
    "too little": (says("200 OK", {"Content-Length": 100}, b"abc"), "cannot be downloaded: "),
    "no HTTP": (lambda c, _: c.sendall(b"\x00\x1b[2J\r\n\r\n"), "cannot be downloaded: "),
    "nothing": (lambda c, _: None, "cannot be downloaded: "),
    "headers without end": (endless(HEAD, b"X-More: " + b"y" * 5000 + b"\r\n"), "cannot be downloaded: "),
    "a head that trickles": (endless(HEAD + b"X: ", b"a", 0.05), "fewer than 1000 bytes came in 0.5 s. Check"),
    "interim answers without end": (
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.001),
        "fewer than 1000 bytes came in 0.5 s. Check",
    ),
    "a body that trickles": (
        endless(HEAD + b"Content-Length: 9999\r\n\r\n", b"a", 0.05),
        "fewer than 1000 bytes came in 0.5 s. Check",
    ),
    "a chunk's head that trickles": (
        endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a", 0.05),
        "fewer than 1000 bytes came in 0.5 s. Check",
    ),
    "a circle": (says("302 Found", {"Location": "/checksum.json"}), "is redirected more than 10 times"),
    "a redirect with a body without end": (
        endless(b"HTTP/1.1 302 Found\r\nLocation: /a\r\n\r\n", b"a" * 65536),
        "is redirected more than 10 times",
    ),
    "a redirect to a file": (says("302 Found", {"Location": "file:///etc/passwd"}), "which is not on the web"),
    "a redirect to nowhere": (says("302 Found", {"Location": "http://[::1"}), "answers with HTTP status 302"),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_a_table_of_checksums(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    talk, told = TEXTS[kind]
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with server(talk) as url, pytest.raises(DownloadError) as caught:
        monkeypatch.setenv("UNBRAID_SPLEETER_URL", url)
        hub.pull("spleeter:2stems")
    assert told in str(caught.value)
    assert str(caught.value).startswith(f"{url}/checksum.json ") or f": {url}/checksum.json " in str(caught.value)
    assert len(str(caught.value)) < 500
    assert time.monotonic() - started < 8
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


FILES: dict[str, tuple[Talk, str]] = {
    "206 that was not asked for": (
        says("206 Partial Content", {"Content-Range": "bytes 5-9/10"}, b"aaaaa"),
        "the server sends another part of the file than was asked for (5 times in a row)",
    ),
    "a range of 5000 digits": (
        says("206 Partial Content", {"Content-Range": f"bytes 0-9/{'9' * 4999}"}, b"a" * 10),
        "is not the expected file",
    ),
    "416 that was not asked for": (
        says("416 Range Not Satisfiable"),
        "the server sends another part of the file than was asked for (5 times in a row)",
    ),
    "a length beyond all bounds": (says("200 OK", {"Content-Length": 10**12}), "has 1000000000000 bytes, but at most"),
    "no end": (endless(HEAD + b"\r\n", b"a" * 65536), "goes on behind its 1000000 bytes"),
    "a page to sign in": (
        says("200 OK", {"Content-Type": "text/html; charset=utf-8"}, b"\n <html>"),
        "is answered with a web page instead of the file",
    ),
    "gzip": (says("200 OK", {"Content-Encoding": "gzip"}, BOMB), "is sent compressed ('gzip'), though"),
    "other bytes": (says("200 OK", {}, b"x" * len(CONTENT)), "is not the expected file: its sha256 is"),
    "nothing": (says("200 OK"), "is not the expected file: its sha256 is"),
    "a trickle": (
        endless(HEAD + b"Content-Length: 256000\r\n\r\n" + CONTENT[:5000], CONTENT[:1], 0.05),
        "bytes so far are kept: run the command again to go on.",
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file(kind: str, tmp_path: Path) -> None:
    talk, told = FILES[kind]
    with server(talk) as url, pytest.raises((DownloadError, ChecksumError)) as caught:
        download.fetch(Remote(f"{url}/x", sha256=DIGEST, most_bytes=1_000_000), tmp_path / "x")
    assert told in str(caught.value)
    assert not (tmp_path / "x").exists()


def test_a_page_to_sign_in_leaves_what_had_come(tmp_path: Path) -> None:
    (tmp_path / "x.part").write_bytes(CONTENT[:1000])
    page = says("200 OK", {"Content-Type": "text/html"}, b"<html>")
    with server(page) as url, pytest.raises(DownloadError, match="is answered with a web page"):
        download.fetch(Remote(f"{url}/x", sha256=DIGEST), tmp_path / "x")
    assert (tmp_path / "x.part").read_bytes() == CONTENT[:1000]


def test_a_trickle_is_gone_on_with_when_the_line_is_better(tmp_path: Path) -> None:
    slow = endless(HEAD + b"Content-Length: 256000\r\n\r\n" + CONTENT[:5000], CONTENT[:1], 0.05)
    with server(slow) as url, pytest.raises(DownloadError, match="fewer than 1000 bytes came in"):
        download.fetch(Remote(f"{url}/x", sha256=DIGEST), tmp_path / "x")
    here = len((tmp_path / "x.part").read_bytes())
    assert here >= 5000
    (tmp_path / "x.part").write_bytes(CONTENT[:here])
    rest = says("206 Partial Content", {"Content-Range": f"bytes {here}-255999/256000"}, CONTENT[here:])
    with server(rest) as url:
        download.fetch(Remote(f"{url}/x", sha256=DIGEST), tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == CONTENT


COMMIT = "0123456789abcdef0123456789abcdef01234567"
HEADS: dict[str, tuple[dict[str, object], str]] = {
    "no hub": ({}, "is not answered by a Hugging Face hub"),
    "a commit that is none": ({"X-Repo-Commit": "x" * 5000}, "which is not a Git commit of 40 hexadecimal digits"),
    "a size beyond all bounds": (
        {"X-Repo-Commit": COMMIT, "ETag": f'"{COMMIT}"', "X-Linked-Size": 10**13},
        "is said to have 10000000000000 bytes, but at most",
    ),
    "a redirect in a circle": ({"Location": "/x"}, "is redirected more than 10 times"),
}


@pytest.mark.parametrize("kind", HEADS)
def test_what_a_hub_states(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    headers, told = HEADS[kind]
    entry = catalogue().published["speechbrain/sepformer-whamr-enhancement"]
    talk = says("302 Found" if "Location" in headers else "200 OK", headers)
    with server(talk) as url, pytest.raises((DownloadError, ChecksumError)) as caught:
        monkeypatch.setenv("HF_ENDPOINT", url)
        publishers.fetch_published(entry, tmp_path, None)
    assert told in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_token_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = catalogue().published["speechbrain/sepformer-whamr-enhancement"]
    monkeypatch.setenv("HF_TOKEN", "hf_é\x1b")
    with pytest.raises(DownloadError, match=r"^The token for the Hugging Face hub has characters"):
        publishers.fetch_published(entry, tmp_path, None)
