"""Servers that are killed, stopped, full, or asked by strangers."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from service_fakes import recording, until
from typer.testing import CliRunner

from unbraid.cli import app
from unbraid.errors import UsageError
from unbraid.service.client import Client, ServiceError
from unbraid.service.limits import Limits, limits_of

pytest.importorskip("fastapi", reason="no web extra: pip install 'unbraid[web]'")
TOKEN, OTHER = "a-token-of-enough-characters", "another-token-of-characters"
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")


def test_a_server_killed_in_the_middle_goes_on(serving, tmp_path: Path) -> None:
    server = serving()
    with Client(server.url) as client:
        first = client.submit(recording(tmp_path / "short.wav", 0.5), "diarize")
        kept = client.wait(first.id)
        running = client.submit(recording(tmp_path / "talk.wav", 60.0), "separate", {"model": "speech"})
        waiting = client.submit(recording(tmp_path / "next.wav", 1.0), "diarize")
        until(lambda: client.job(running.id).progress or None)
    server.kill()
    server.start()
    with Client(server.url) as client:
        assert client.job(first.id) == kept
        done = client.wait(running.id)
        assert (done.state, done.attempts) == ("done", 2)
        assert client.wait(waiting.id).state == "done"
        folder = server.data / "jobs" / running.id
        assert sorted(path.name for path in folder.iterdir()) == ["input", "result-2"]
        client.download(running.id, tmp_path / "out")


def test_ctrl_c_ends_the_workers_and_keeps_the_jobs(serving, tmp_path: Path) -> None:
    server = serving()
    with Client(server.url) as client:
        job = client.submit(recording(tmp_path / "talk.wav", 60.0), "separate", {"model": "speech"})
        until(lambda: client.job(job.id).progress or None)
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(server.process.pid)], capture_output=True, text=True, check=False
        ).stdout.split()
    assert server.stop() == 0
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(int(child), 0)
    server.start()
    with Client(server.url) as client:
        assert client.cancel(job.id).attempts <= 1
        assert client.wait(job.id).state == "cancelled"


def test_limits_of_jobs(serving, tmp_path: Path) -> None:
    server = serving("--limit", "per-client=1", "--limit", "quota-gb=0.0009")
    with Client(server.url) as client:
        job = client.submit(recording(tmp_path / "talk.wav", 50.0), "separate", {"model": "speech"})
        with httpx2.Client(base_url=server.url) as http:
            refused = http.post("/v1/jobs", files={"file": b"RIFF"})
        assert refused.status_code == 429 and int(refused.headers["retry-after"]) > 0
        assert refused.json()["detail"].startswith("You have 1 unfinished jobs")
        client.cancel(job.id)
        client.wait(job.id)
        with pytest.raises(ServiceError, match="^The service keeps at most 0.0009 GB; delete old jobs") as error:
            client.submit(tmp_path / "talk.wav")
        assert error.value.status == 507


def test_tokens_separate_clients(serving, tmp_path: Path) -> None:
    server = serving("--token", TOKEN, "--token", OTHER)
    song = recording(tmp_path / "a.wav", 0.5)
    with Client(server.url) as nobody, pytest.raises(ServiceError, match="^This service needs a token") as error:
        nobody.jobs()
    assert error.value.status == 401
    with Client(server.url, token=TOKEN) as anna, Client(server.url, token=OTHER) as bert:
        job = anna.submit(song)
        assert bert.jobs() == []
        for ask in (bert.job, bert.cancel, bert.delete):
            with pytest.raises(ServiceError, match="^You have no such job"):
                ask(job.id)
        assert anna.cancel(job.id).id == job.id
    with httpx2.Client(base_url=server.url) as page:
        assert page.get("/").status_code == 200
        assert page.get("/v1/health").json()["needs_token"]
        assert page.post("/v1/session", json={"token": "wrong"}).status_code == 401
        signed = page.post("/v1/session", json={"token": TOKEN})
        assert "HttpOnly" in signed.headers["set-cookie"] and "SameSite=strict" in signed.headers["set-cookie"]
        assert TOKEN not in signed.headers["set-cookie"]
        assert [job.id] == [job["id"] for job in page.get("/v1/jobs").json()]


def test_strangers_are_refused(serving) -> None:
    server = serving()
    with httpx2.Client(base_url=server.url) as http:

        def status(method: str = "POST", path: str = "/v1/jobs", **headers: str) -> int:
            return http.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()}).status_code

        assert status("GET", host="evil.example") == 421  # DNS rebinding
        assert status("GET", host="127.0.0.1.evil.example:8080") == 421
        assert status("GET", host="localhost:1") == 200
        assert status(origin="http://evil.example") == 403
        assert status(origin="null") == 403
        assert status(sec_fetch_site="cross-site") == 403
        assert status(sec_fetch_site="same-site") == 403
        assert status("DELETE", "/v1/jobs/x", origin="http://evil.example") == 403
        assert status(origin=server.url) == 415  # ours, but no form


def serve(*options: str, data: Path) -> tuple[int, str]:
    """The exit status and the sentence of a command that cannot serve."""
    done = CliRunner().invoke(app, ["serve", "--no-browser", "--data", str(data), *options])
    return done.exit_code, done.stderr.strip()


def test_what_cannot_be_served(serving, tmp_path: Path) -> None:
    server = serving()
    port = server.url.rpartition(":")[2]
    told = f"error: Port {port} is in use; stop the program that uses it, or choose another with --port."
    assert serve("--port", port, data=tmp_path / "other") == (2, told)
    told = f"error: Another server uses {server.data}; stop it, or choose another folder with --data."
    assert serve("--port", "0", data=server.data) == (2, told)
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert serve("--port", "0", data=tmp_path / "file")[1].startswith(f"error: {tmp_path / 'file'} cannot be written")
    told = "error: Others could use the service at 0.0.0.0; give a token with --token or UNBRAID_TOKEN, or leave"
    assert serve("--host", "0.0.0.0", data=tmp_path / "other")[1].startswith(told)
    assert serve("--token", "short", data=tmp_path / "other")[1].startswith("error: A token has at least 16 characters")
    assert serve("--limit", "x=1", data=tmp_path / "other")[1].startswith("error: There is no limit called 'x'; choose")


def test_workers_that_cannot_be_started_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path))
    told = f"error: No worker can be started: {tmp_path}: Permission denied. Check the rights of this Python."
    assert serve("--port", "0", data=tmp_path / "data") == (2, told)


def test_a_broken_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "jobs.sqlite").write_bytes(b"no database at all, but text" * 100)
    code, told = serve("--port", "0", data=tmp_path / "data")
    assert (code, told) == (
        2,
        f"error: {tmp_path / 'data' / 'jobs.sqlite'} cannot be used as a queue (file is not a database); move it "
        "away, or choose another folder with --data.",
    )


def test_no_service_no_client(tmp_path: Path) -> None:
    with (
        Client("http://127.0.0.1:9") as client,
        pytest.raises(ServiceError, match="^There is no answer from http://127"),
    ):
        client.jobs()


@pytest.mark.parametrize("host", ["192.168.1.7", "0.0.0.0", "::", "example.org"])
def test_another_host_needs_a_token(host: str) -> None:
    from unbraid.service.security import Guard

    with pytest.raises(UsageError, match="^Others could use the service at"):
        Guard(host)
    assert Guard(host, (TOKEN,)).answers_to("192.168.1.7:80")
    assert not Guard(host, (TOKEN,)).answers_to("evil.example")
    assert Guard(host, (TOKEN,), ("good.example",)).answers_to("good.example")


def test_limits_on_the_command_line() -> None:
    limits = limits_of(["upload-mb=1.5", "minutes=60", "memory-mb=0"])
    assert limits == Limits(upload_bytes=1_500_000, audio_seconds=3600.0, memory_bytes=0)
    told = "^The limit minutes is a number above 0, such as minutes=20, not 'x'.$"
    with pytest.raises(UsageError, match=told):
        limits_of(["minutes=x"])
    with pytest.raises(UsageError, match="not '0'"):
        limits_of(["queued=0"])


def test_a_dead_workers_signal_is_no_ones_loss(serving, tmp_path: Path) -> None:
    server = serving()
    with Client(server.url) as client:
        job = client.submit(recording(tmp_path / "talk.wav", 60.0), "separate", {"model": "speech"})
        until(lambda: client.job(job.id).progress or None)
        workers = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(server.process.pid)], capture_output=True, text=True, check=False
        ).stdout.split()
        os.kill(int(workers[0]), signal.SIGKILL)
        assert client.wait(job.id).attempts == 2
