"""The campaign of the default speech model: resumed after a kill, or from nothing but what is committed."""

import csv
import importlib.util
import os
import signal
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from train_helpers import killed, load

from source_tree import ROOT
from unbraid.errors import ModelError
from unbraid.training.export import export_checkpoint

pytest.importorskip("fcntl")
SCRIPT = ROOT.parents[1] / "training" / "campaign.py"
SMALL = (
    "model.frame_samples=64", "model.bands=4", "model.features=8", "model.heads=2", "model.blocks=1",
    "model.hidden=8", "model.band_hidden=8", "data.epoch_mixtures=12", "mixing.crop_seconds=0.1",
    "trainer.accelerator=cpu", "trainer.precision=32", "data.dev_mixtures=2",
)  # fmt: skip
STAGES = """
[[stage]]
name = "first"
until_step = 3
changes = ["mixing.voice_shares=[0, 1, 0]"]
[[stage]]
name = "second"
changes = []
"""


@pytest.fixture(scope="module")
def campaign() -> ModuleType:
    spec = importlib.util.spec_from_file_location("campaign", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["campaign"] = module  # dataclasses look for it
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def place(campaign: ModuleType, tmp_path: Path):
    committed, log = tmp_path / "committed", tmp_path / "training.md"
    committed.mkdir()
    (committed / "stages.toml").write_text(STAGES)
    log.write_text(f"{campaign.LOG_HEAD}\n|--|\n\nAfter the table.\n")
    return campaign.Place(committed, tmp_path / "runs", campaign.RECIPE, log)


@pytest.fixture
def go(campaign: ModuleType, corpus: Path, place, monkeypatch: pytest.MonkeyPatch):
    """Run the command with a small network; the test's own process is not made nicer."""
    monkeypatch.setattr(os, "nice", lambda _: 0)

    def run(minutes: float, *words: str, where=place) -> None:
        arguments = ["--data", corpus, "--noise", corpus, "--minutes", minutes, "--every", 0.0001, *SMALL, *words]
        campaign.main([str(argument) for argument in arguments], where)

    return run


def curve(place) -> list[dict[str, str]]:
    with open(place.committed / "curve.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_it_goes_on_and_records(go, place, corpus: Path, campaign: ModuleType) -> None:
    go(0.0001)
    first = load(place.committed / "checkpoint.pt")
    assert all(value.dtype == torch.float16 for value in first["model"].values())
    (line,) = curve(place)
    assert (int(line["step"]), line["stage"]) == (first["step"], campaign.stage_of(place, first["step"])[0])
    assert -60 < float(line["dev_2_voices"]) < 60 and -60 < float(line["dev_3_voices"]) < 60
    assert line["dev_long"] == "", "there is no list of long mixtures"
    (place.committed / "dev_long_mix2.csv").write_text((corpus / "dev_mix2.csv").read_text())
    go(0.0001)
    second = load(place.committed / "checkpoint.pt")
    assert second["step"] > first["step"]
    assert second["cpu_seconds"] > first["cpu_seconds"] > 0
    assert -60 < float(curve(place)[1]["dev_long"]) < 60
    assert len(curve(place)) == 2
    lines = place.log.read_text().splitlines()
    assert lines[2].split(" | ")[1] == str(first["step"])
    assert lines[3].split(" | ")[1] == str(second["step"])
    assert lines[4:] == ["", "After the table."]
    spec = export_checkpoint(place.committed / "checkpoint.pt", place.committed / "model", name="speech")
    assert (spec.family, spec.stems, spec.level) == ("band_split", ("voice1", "voice2", "voice3"), "own")
    assert spec.silent_outputs


def test_a_new_machine_goes_on_from_what_is_committed(go, place, campaign: ModuleType, tmp_path: Path) -> None:
    go(0.0001)
    first = load(place.committed / "checkpoint.pt")
    elsewhere = campaign.Place(place.committed, tmp_path / "elsewhere", place.recipe, place.log)
    run = campaign.find_run(elsewhere)
    assert (run.step, run.first) == (first["step"], str(place.committed / "checkpoint.pt"))
    go(0.0001, where=elsewhere)
    second = load(place.committed / "checkpoint.pt")
    assert second["step"] > first["step"]
    assert second["cpu_seconds"] > first["cpu_seconds"]
    assert campaign.find_run(elsewhere).step == second["step"], "and it is taken up again"
    assert campaign.find_run(place).step == second["step"], "the first machine starts anew from it"


def test_stages_follow_the_step(campaign: ModuleType, place) -> None:
    assert campaign.stage_of(place, 2) == ("first", ["mixing.voice_shares=[0, 1, 0]"])
    assert campaign.stage_of(place, 3) == ("second", [])


def _campaign_until(committed: Path, runs: Path, recipe: Path, log: Path, corpus: Path) -> None:
    """Run the command, and kill it when the second part is over."""
    sys.path.insert(0, str(SCRIPT.parent))
    import campaign

    plain, told = campaign.write_atomically, []

    def stop(content: bytes, path: Path) -> None:
        told.append(path)
        if len(told) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        plain(content, path)

    campaign.write_atomically = stop
    words = ["--data", corpus, "--noise", corpus, "--minutes", 9, *SMALL]
    campaign.main(list(map(str, words)), campaign.Place(committed, runs, recipe, log))


def test_a_kill_loses_only_the_part_that_was_going(go, place, campaign: ModuleType, corpus: Path) -> None:
    """The run is killed when it reports its second part; what the first one wrote is recorded and resumed."""
    killed(_campaign_until, place.committed, place.runs, place.recipe, place.log, corpus)
    go(0)
    step = load(place.committed / "checkpoint.pt")["step"]
    assert step > 0
    go(0)
    assert len(curve(place)) == 1, "nothing new, so nothing is recorded"
    go(0.0001)
    assert load(place.committed / "checkpoint.pt")["step"] > step


def test_only_one_trains(go, place, campaign: ModuleType) -> None:
    with campaign.alone(place.runs), pytest.raises(SystemExit, match="A campaign trains in .* already; stop it first"):
        go(1)


def test_a_checkpoint_of_other_sizes_is_refused(go, place, campaign: ModuleType, tmp_path: Path) -> None:
    go(0.0001)
    elsewhere = campaign.Place(place.committed, tmp_path / "elsewhere", place.recipe, place.log)
    with pytest.raises(ModelError, match=r"checkpoint\.pt is of other sizes"):
        go(0.0001, "model.hidden=6", where=elsewhere)


def test_products_in_bfloat16_are_left_to_processors_that_have_them(campaign: ModuleType) -> None:
    assert campaign.precision_word(["trainer.precision=bf16"]) == []
    assert campaign.precision_word(["trainer.accelerator=cpu"]) in ([], ["trainer.precision=32"])
