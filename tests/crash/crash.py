"""Every command that writes is killed at every point where it changes names on the disk, and 50 times at any moment.

Run by `make crash`, not by `make test`: python -m pytest tests/crash/crash.py
"""

import os
import random
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))

from kill_commands import COMMANDS
from kill_inputs import fake_everything, make_inputs
from kill_points import child
from kill_trials import Trial

KILLS = int(os.environ.get("UNBRAID_CRASH_KILLS", "50"))  # at random moments, of each


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What every command starts from."""
    folder = tmp_path_factory.mktemp("kills") / "inputs"
    make_inputs(folder)
    return folder


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_everything(monkeypatch, "cache")


@pytest.mark.parametrize("name", COMMANDS)
def test_killed_before_and_after_every_change(name: str, inputs: Path, tmp_path: Path) -> None:
    trial = Trial(COMMANDS[name], inputs, tmp_path / "work")
    for point in range(trial.points):
        trial.kill(point)
    print(f"{name}: {trial.points} points")


@pytest.mark.parametrize("name", COMMANDS)
def test_interrupted_before_and_after_every_change(name: str, inputs: Path, tmp_path: Path) -> None:
    trial = Trial(COMMANDS[name], inputs, tmp_path / "work")
    for point in range(trial.points):
        trial.interrupt((point,) if point % 2 else (point, point + 1, point + 2), signal.SIGINT)


@pytest.mark.parametrize("name", ["separate into one folder", "import", "render"])
def test_killed_at_any_moment(name: str, inputs: Path, tmp_path: Path) -> None:
    trial, chance = Trial(COMMANDS[name], inputs, tmp_path / "work"), random.Random(0)
    for number in range(KILLS):
        trial.fresh()
        child(trial.what.work, trial.folder, after=chance.uniform(0, trial.seconds))
        trial.check_killed(f"random kill {number}")


def test_a_training_killed_again_and_again(inputs: Path, tmp_path: Path) -> None:
    """It ends where one that is left alone does."""
    trial, chance = Trial(COMMANDS["train"], inputs, tmp_path / "work"), random.Random(0)
    trial.fresh()
    for number in range(1, KILLS + 1):
        child(trial.what.work, trial.folder, after=chance.uniform(0.3, 1) * trial.seconds)
        if number % 5 == 0:
            trial.check_killed(f"random kill {number}")
            trial.fresh()
