"""Several runs with --resume on one folder share its tracks: each is made once, and a killed run's by another one."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from unbraid import audio
from unbraid.files.workdir import claimed, is_working_name

pytest.importorskip("fcntl", reason="without locks between processes, runs do not see each other")

RATE = 8000  # Hz
TRACKS = 6
UNBRAID = (sys.executable, "-m", "unbraid")
WORDS = {
    "separate": ("separate", "in", "-m", "speech-2", "-o", "out", "--resume", "--json"),
    "several at a time": ("separate", "in", "-m", "speech-2", "-o", "out", "--resume", "--json", "-j", "2"),
    "enhance": ("enhance", "in", "-o", "out", "--resume", "--json"),
}
HOLD = """
import sys, time
from pathlib import Path
from unbraid.files.workdir import claimed
with claimed(Path("out"), "work on " + sys.argv[1]) as ours:
    print(ours, flush=True)
    time.sleep(600)
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with recordings, as the current one."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for number in range(TRACKS):
        noise = 0.1 * rng.standard_normal((1, 2 * RATE)).astype(np.float32)
        audio.write(tmp_path / "in" / f"{number}.wav", noise, RATE, audio.choose_format("wav", subtype="16"))
    return tmp_path


@pytest.fixture
def start(here: Path) -> Iterator[Start]:
    """Start a process, which does not outlive the test."""
    started: list[subprocess.Popen[str]] = []

    def run(*words: str) -> "subprocess.Popen[str]":
        started.append(subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def statuses(output: str) -> dict[str, str]:
    """The status of each track, in the order of the report."""
    return {Path(file["input"]).stem: file["status"] for file in json.loads(output)["files"]}


def locks(folder: Path) -> list[str]:
    """Names of locks and of folders to work in."""
    return [name for name in os.listdir(folder) if is_working_name(name)] if folder.is_dir() else []


@pytest.mark.parametrize("kind", WORDS)
def test_two_runs_make_each_track_once(here: Path, start: Start, kind: str) -> None:
    runs = [start(*UNBRAID, *WORDS[kind]) for _ in range(2)]
    outputs = [run.communicate(timeout=300) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    first, second = (statuses(output) for output, _ in outputs)
    assert list(first) == list(second) == [str(number) for number in range(TRACKS)]
    assert all({first[track], second[track]} == {"done", "skipped"} for track in first)
    assert locks(here / "out") == []
    assert set(statuses(start(*UNBRAID, *WORDS[kind]).communicate(timeout=300)[0]).values()) == {"skipped"}


def test_the_tracks_of_a_killed_run_are_made_by_the_other(here: Path, start: Start) -> None:
    killed, other = (start(*UNBRAID, *WORDS["separate"]) for _ in range(2))
    while killed.poll() is None and not locks(here / "out"):
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    output, told = other.communicate(timeout=300)
    assert other.returncode == 0, told
    assert set(statuses(output).values()) <= {"done", "skipped"}
    assert len(list((here / "out").glob("*/voice2.wav"))) == TRACKS
    assert locks(here / "out") == []


def test_a_track_under_way_elsewhere_comes_last_and_is_told(here: Path, start: Start) -> None:
    holder = start(sys.executable, "-c", HOLD, "0/.unbraid.json")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    words = [word for word in WORDS["separate"] if word != "--json"]
    run = start(*UNBRAID, *words)
    assert run.stderr is not None
    told = run.stderr.readline()
    assert told == "another run is working on 0.wav; waiting for it\n"
    assert sorted(path.parent.name for path in (here / "out").glob("*/voice1.wav")) == ["1", "2", "3", "4", "5"]
    holder.kill()
    output, _ = run.communicate(timeout=300)
    assert run.returncode == 0
    assert output.startswith("in/0.wav -> out/0/voice1.wav")  # in the order of the inputs
    assert locks(here / "out") == []


def test_a_track_that_another_run_finishes_meanwhile_is_not_made_again(here: Path, start: Start) -> None:
    with claimed(here / "out", "work on 0/.unbraid.json") as ours:
        assert ours
        run = start(*UNBRAID, *(word for word in WORDS["separate"] if word != "--json"))
        assert run.stderr is not None
        assert "another run is working on 0.wav" in run.stderr.readline()
        plain = [word for word in WORDS["separate"] if word not in ("--resume", "--json")]
        plain[plain.index("in")] = "in/0.wav"  # a run without --resume takes no notice of claims
        made = start(*UNBRAID, *plain)
        assert made.communicate(timeout=300) and made.returncode == 0
    output, _ = run.communicate(timeout=300)
    assert run.returncode == 0
    assert output.startswith("in/0.wav was done by another run: out/0/voice1.wav")


def test_a_claim_in_vain_leaves_no_folder(here: Path) -> None:
    place = here / "new" / "out"
    with claimed(place, "work") as ours:
        assert ours
        with claimed(place, "work") as again:
            assert not again
        with claimed(place, "other work") as other:
            assert other
    assert not (here / "new").exists()
