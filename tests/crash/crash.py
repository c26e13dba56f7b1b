"""Every command that writes is killed at every point where it changes names on the disk, and 50 times at any moment.

Run by `make crash`, not by `make test`: python -m pytest tests/crash/crash.py
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest

for neighbour in ("faults", "training"):
    sys.path.insert(0, str(Path(__file__).parents[1] / neighbour))

from kill_commands import COMMANDS, Trial, fake_everything, make_inputs  # noqa: E402
from kill_points import child, command, copied, tree  # noqa: E402

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


@pytest.mark.parametrize("name", ["separate into one folder", "import"])
def test_killed_at_any_moment(name: str, inputs: Path, tmp_path: Path) -> None:
    trial, chance = Trial(COMMANDS[name], inputs, tmp_path / "work"), random.Random(0)
    trial.fresh()
    started = time.monotonic()
    child(command(*trial.what.words), trial.folder)
    seconds = time.monotonic() - started
    for number in range(KILLS):
        trial.fresh()
        child(command(*trial.what.words), trial.folder, after=chance.uniform(0, seconds))
        trial.check_killed(f"random kill {number}")


def test_a_training_killed_at_any_moment(tmp_path: Path) -> None:
    """A run that is killed again and again ends where one that is left alone does."""
    for needed in ("torch", "lightning", "tensorboard"):
        pytest.importorskip(needed)
    import torch
    from train_helpers import RECIPE, write_corpus

    import unbraid.training  # noqa: F401

    torch.set_num_threads(1)
    template = tmp_path / "template"
    template.mkdir()
    corpus = write_corpus(tmp_path / "corpus")
    (template / "tiny.toml").write_text(RECIPE.replace('"corpus"', f'"{corpus}"'))
    work, chance, train = copied(template, tmp_path / "work"), random.Random(0), command("train", "tiny.toml")
    started = time.monotonic()
    assert child(train, work).code == 0
    seconds = time.monotonic() - started
    names = {name for name in tree(work, content=False) if "tfevents" not in name}
    weights = torch.load(work / "runs/tiny/best.pt", weights_only=True)["model"]
    log = [line.rsplit(",", 1)[0] for line in (work / "runs/tiny/log.csv").read_text().splitlines()]
    copied(template, work)
    for number in range(KILLS):
        child(train, work, after=chance.uniform(0.3, 1) * seconds)
        if number % 5 == 4:
            end = child(train, work)
            assert end.code == 0, end.said
            again = torch.load(work / "runs/tiny/best.pt", weights_only=True)["model"]
            assert {name for name in tree(work, content=False) if "tfevents" not in name} == names
            assert all(torch.equal(again[name], weights[name]) for name in weights)
            lines = (work / "runs/tiny/log.csv").read_text().splitlines()
            assert [line.rsplit(",", 1)[0] for line in lines] == log
            copied(template, work)
