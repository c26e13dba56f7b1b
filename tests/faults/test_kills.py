"""Killed or interrupted at any moment, a command loses nothing, goes on, and leaves nothing hidden behind.

Here at some of the points where it changes names on the disk; `make crash` tries all of them (tests/crash).
"""

import functools
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

import unbraid.cli

if not hasattr(os, "fork"):
    pytest.skip("these tests fork, which this system cannot", allow_module_level=True)

from kill_commands import COMMANDS
from kill_inputs import fake_everything, make_inputs
from kill_points import copied
from kill_trials import Trial, spread

QUICK = {  # how many points of each
    "separate": 6, "separate into one folder": 6, "separate again, otherwise": 6, "separate standard input": 4,
    "separate and count": 4, "separate people": 3, "diarize": 3, "converse": 2, "transcribe": 6, "import": 4,
    "import in place of another": 6, "remove": 6, "int8": 2, "export": 2, "render": 2, "speak": 2, "doctor": 3,
    "analyse": 2, "singers": 2, "separate into a stem file": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What every command starts from."""
    pytest.importorskip("onnx")
    folder = tmp_path_factory.mktemp("kills") / "inputs"
    make_inputs(folder)
    return folder


@pytest.fixture(scope="module")
def trial_of(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Trial]:
    """The trial of a command, which begins with carrying it out once."""
    return functools.cache(lambda name: Trial(COMMANDS[name], inputs, tmp_path_factory.mktemp("trial") / "work"))


@pytest.mark.parametrize("name", QUICK)
def test_a_killed_command_goes_on_as_if_nothing_had_been(name: str, trial_of, monkeypatch) -> None:
    fake_everything(monkeypatch, "cache")
    trial = trial_of(name)
    for point in spread(trial.points, QUICK[name]):
        trial.kill(point)


@pytest.mark.parametrize(
    ("name", "number", "count"),
    [
        ("separate into one folder", signal.SIGINT, 6),
        ("separate into one folder", signal.SIGTERM, 6),
        ("separate standard input", signal.SIGINT, 3),
        ("separate and count", signal.SIGTERM, 6),
        ("doctor", signal.SIGINT, 3),
    ],
)
def test_an_interrupt_leaves_nothing_hidden(name: str, number: int, count: int, trial_of, monkeypatch) -> None:
    fake_everything(monkeypatch, "cache")
    trial = trial_of(name)
    for point in spread(trial.points, count):
        trial.interrupt((point, point + 1), number)


RENDERING = """
import os, signal
from pathlib import Path
from unbraid.corpora.rendering import Rendering, Stock, render_songs

stock = Stock((Path("none.mid"),), (Path("none.sf2"),))
next(render_songs(stock, Rendering(2.0), Path("songs"), range(4), workers=2))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_processes_that_render_end_with_the_one_that_started_them(inputs: Path, tmp_path: Path, monkeypatch) -> None:
    """They hold its standard output, so that it is open for as long as one of them is alive."""
    pytest.importorskip("mido")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    monkeypatch.setenv("PATH", f"{inputs / 'bin'}{os.pathsep}{os.environ['PATH']}")
    words = [sys.executable, "-c", RENDERING]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_stems_are_on_the_disk_before_they_have_their_names(inputs: Path, tmp_path: Path, monkeypatch) -> None:
    fake_everything(monkeypatch, "cache")
    monkeypatch.chdir(copied(inputs, tmp_path / "work"))
    synced = set()
    monkeypatch.setattr(os, "fsync", lambda file: synced.add(os.fstat(file).st_ino))
    for template in ("{track}/{stem}.{ext}", "{track}_{stem}.{ext}"):
        done = CliRunner().invoke(unbraid.cli.app, ["separate", "a.wav", "-o", "out", "--template", template])
        assert done.exit_code == 0, done.output
    written = [path.stat().st_ino for path in Path("out").rglob("*") if path.is_file()]
    assert len(written) == 6
    assert synced >= set(written)
