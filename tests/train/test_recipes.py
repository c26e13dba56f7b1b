"""Every recipe in recipes/ runs two steps, shrunk, on a tiny corpus in the layout that it is for."""

import dataclasses
from pathlib import Path

import corpora_trees as trees
import pytest
import torch
from train_helpers import read_log, silent

from source_tree import ROOT
from unbraid.geometry import SepFormerGeometry
from unbraid.models.sepformer import SepFormer
from unbraid.train import read_recipe, train
from unbraid.train.config import Plateau

FOLDER = ROOT.parents[1] / "recipes"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))
PUBLISHED = {
    "sepformer-wsj02mix": trees.wsj0mix,
    "sepformer-wsj03mix": lambda root: trees.wsj0mix(root, 3),
    "sepformer-libri2mix": trees.librimix,
    "sepformer-libri3mix": lambda root: trees.librimix(root, 3),
    "sepformer-wham": trees.wham,
    "sepformer-whamr": trees.whamr,
}
SMALL = {
    "sepformer": ("features=8", "heads=2", "layers=1", "blocks=1", "hidden=8", "chunk_frames=10"),
    "conv_tasnet": ("features=8", "bottleneck=4", "skip=4", "hidden=4", "blocks=2", "repeats=1"),
}


def test_every_recipe_is_known_here() -> None:
    assert set(NAMES) == PUBLISHED.keys() | {"speech-2", "speech-3", "conv-tasnet-2"}


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_short_and_called_like_its_file(name: str) -> None:
    recipe = read_recipe(FOLDER / f"{name}.toml")
    assert recipe.name == name
    assert recipe.description
    lines = (FOLDER / f"{name}.toml").read_text().splitlines()
    assert 20 <= sum(" = " in line and not line.startswith("#") for line in lines) <= 40


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_papers_settings(name: str) -> None:
    """Subakan et al., section 3.2, and SpeechBrain's recipes."""
    recipe = read_recipe(FOLDER / f"{name}.toml")
    assert recipe.model == SepFormerGeometry(sources=3 if "3mix" in name else 2)
    assert recipe.schedule == Plateau(factor=0.5, patience=2, hold_epochs=85)
    assert (recipe.trainer.epochs, recipe.trainer.batch) == (200, 1)
    assert (recipe.optimizer.rate, recipe.optimizer.weight_decay, recipe.optimizer.clip) == (1.5e-4, 0, 5)
    assert (recipe.loss.kind, recipe.loss.threshold_db) == ("si_sdr", -30)
    assert (recipe.data.dynamic, recipe.mixing.speed, recipe.mixing.crop_seconds) == (True, (0.95, 1.05), 4)


@pytest.mark.parametrize("name", NAMES)
def test_two_steps(name: str, corpus: Path, tmp_path: Path) -> None:
    file = FOLDER / f"{name}.toml"
    whole = read_recipe(file)
    folder = PUBLISHED[name](tmp_path / "corpus") if name in PUBLISHED else corpus
    family = "sepformer" if isinstance(whole.model, SepFormerGeometry) else "conv_tasnet"
    changes = [f"model.{size}" for size in SMALL[family]]
    changes += [
        f"data.folder={folder}",
        f"data.noise={folder}",
        "data.workers=0",
        f"data.epoch_mixtures={2 * whole.step_mixtures}",
    ]
    changes += ["mixing.crop_seconds=0.05", "trainer.epochs=1", "trainer.parts=1", "trainer.accelerator=cpu"]
    if whole.data.train == "train-360":
        changes.append("data.train=train-100")
    if whole.trainer.init:
        sizes = dataclasses.replace(read_recipe(file, changes).model, sources=2)
        torch.save({"model": SepFormer(sizes).state_dict(), "config": dataclasses.asdict(sizes)}, tmp_path / "two.pt")
        changes.append(f"trainer.init={tmp_path / 'two.pt'}")
    train(read_recipe(file, changes), tmp_path / "run", silent)
    (line,) = read_log(tmp_path / "run")
    assert (line["step"], line["epoch"], line["skipped"]) == ("2", "1", "0")
    assert -60 < float(line["train_loss"]) < 60
    assert -60 < float(line["dev_si_sdri"]) < 60
    assert (tmp_path / "run" / "best.pt").is_file()
