"""Killed or interrupted at any moment, a command loses nothing, goes on, and leaves nothing hidden behind.

Here at some of the points where it changes names on the disk; `make crash` tries all of them (tests/crash).
"""

import os
import signal
from pathlib import Path

import pytest

if not hasattr(os, "fork"):
    pytest.skip("these tests fork, which this system cannot", allow_module_level=True)

from kill_commands import COMMANDS
from kill_inputs import fake_everything, make_inputs
from kill_trials import Trial, spread

QUICK = {  # how many points of each
    "separate": 6, "separate into one folder": 6, "separate again, otherwise": 6, "transcribe": 6, "import": 4,
    "separate standard input": 4, "doctor": 3,
}  # fmt: skip


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What every command starts from."""
    pytest.importorskip("onnx")
    folder = tmp_path_factory.mktemp("kills") / "inputs"
    make_inputs(folder)
    return folder


@pytest.mark.parametrize("name", QUICK)
def test_a_killed_command_goes_on_as_if_nothing_had_been(name: str, inputs: Path, tmp_path: Path, monkeypatch) -> None:
    fake_everything(monkeypatch, "cache")
    trial = Trial(COMMANDS[name], inputs, tmp_path / "work")
    for point in spread(trial.points, QUICK[name]):
        trial.kill(point)


@pytest.mark.parametrize(
    ("name", "number", "count"),
    [
        ("separate into one folder", signal.SIGINT, 6),
        ("separate into one folder", signal.SIGTERM, 6),
        ("separate standard input", signal.SIGINT, 3),
        ("doctor", signal.SIGINT, 3),
    ],
)
def test_an_interrupt_leaves_nothing_hidden(
    name: str, number: int, count: int, inputs: Path, tmp_path: Path, monkeypatch
) -> None:
    fake_everything(monkeypatch, "cache")
    trial = Trial(COMMANDS[name], inputs, tmp_path / "work")
    for point in spread(trial.points, count):
        trial.interrupt((point, point + 1), number)
