"""Workers that crash, hang or fail: the others go on, and every file has one end."""

import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from batch_fakes import fake_work, item

from unbraid.batch.items import Item, longest_first
from unbraid.batch.local import run_local
from unbraid.batch.outcome import Outcome
from unbraid.batch.settings import Settings
from unbraid.batch.worker import Crashed, Worker, ended, judged
from unbraid.errors import UnbraidError


def run(folder: Path, *names: str, workers: int = 1, limit: float | None = None) -> list[Outcome]:
    told: list[Outcome] = []
    started = [Worker(Settings(str(folder)), fake_work) for _ in range(workers)]  # type: ignore[arg-type]
    try:
        run_local([item(name) for name in names], started, told.append, limit_seconds=limit)
    finally:
        for worker in started:
            worker.stop()
    return told


def attempts(folder: Path) -> Counter[str]:
    return Counter((folder / "attempts").read_text().split())


def test_a_file_that_crashes_is_tried_three_times_and_set_aside_and_the_others_are_done(tmp_path: Path) -> None:
    told = run(tmp_path, "crash", "a", "b", "c", workers=2)
    assert attempts(tmp_path) == {"crash": 3, "a": 1, "b": 1, "c": 1}
    last = {outcome.name: outcome for outcome in told}
    assert {name for name, outcome in last.items() if outcome.status == "done"} == {"a", "b", "c"}
    assert [outcome.status for outcome in told if outcome.name == "crash"] == ["again", "again", "failed"]
    assert last["crash"].attempts == 3 and last["crash"].error_kind == "crash"
    assert last["crash"].error == (
        "The worker was ended by SIGKILL in the last of 3 attempts: the file may crash a decoder, or need more memory "
        "than there is. Convert it to WAV or FLAC, or cut it."
    )


def test_a_file_that_crashes_twice_is_done_at_last(tmp_path: Path) -> None:
    told = run(tmp_path, "twice", "a")
    assert [(o.name, o.status, o.attempts) for o in told] == [
        ("twice", "again", 1),
        ("a", "done", 1),
        ("twice", "again", 2),
        ("twice", "done", 3),
    ]


def test_what_may_pass_is_tried_again_and_what_may_not_is_not(tmp_path: Path) -> None:
    told = run(tmp_path, "network", "bad")
    assert [(o.name, o.status) for o in told] == [("network", "again"), ("bad", "failed"), ("network", "done")]


def test_a_full_disk_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(UnbraidError, match=r"^of full\. Then go on with --resume\.$"):
        run(tmp_path, "full", "a")
    assert attempts(tmp_path) == {"full": 1}


def test_workers_that_always_crash_end_the_run(tmp_path: Path) -> None:
    with pytest.raises(UnbraidError, match="^The workers crash whatever the file"):
        run(tmp_path, *(f"crash{k}" for k in range(20)))
    assert attempts(tmp_path).total() == 5


def test_a_file_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    told = run(tmp_path, "hang", limit=0.5)
    assert [(o.status, o.error_kind) for o in told] == [("again", "time"), ("again", "time"), ("failed", "time")]
    assert told[-1].error == "The worker took longer than --limit-minutes allows; give more, or cut the file."


def test_a_worker_ends_with_its_parent(tmp_path: Path) -> None:
    """Also in the middle of a file."""
    reading, writing = os.pipe()
    if not (parent := os.fork()):
        worker = Worker(Settings(str(tmp_path)), fake_work)  # type: ignore[arg-type]
        worker.send(item("hang"))
        os.write(writing, str(worker.process.pid).encode())
        time.sleep(600)
    child = int(os.read(reading, 20))
    while not (tmp_path / "attempts").exists():
        time.sleep(0.05)
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    for _ in range(600):
        if not is_running(child):
            return
        time.sleep(0.05)
    raise AssertionError("the worker is still there")


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_longest_come_first() -> None:
    items = [
        Item("/a.mp3", "a", 20_000 * 60),
        Item("/b.wav", "b", 176_400 * 30),
        Item("/c.wav", "c", 176_400 * 90),
        Item("https://x/d.mp3", "d", None),
    ]
    assert [one.name for one in longest_first(items)] == ["d", "c", "a", "b"]


def test_how_a_process_ended() -> None:
    assert [ended(-11), ended(3), ended(-77)] == ["was ended by SIGSEGV", "ended (status 3)", "was ended by signal 77"]


def test_a_crash_keeps_what_is_known_of_the_file() -> None:
    told = judged(item("a"), Crashed("ended (status 1)"), 1)
    assert (told.status, told.input_bytes, told.input_version, told.attempts) == ("again", 1000, "1", 1)
