"""Two processes train one model: different data, equal weights, and those of one process with the double batch."""

import os
import subprocess
import sys
from pathlib import Path

import torch
from train_helpers import STEPS, read_log

from source_tree import ROOT
from unbraid.training import run
from unbraid.training.data import DynamicMixtures

PROGRAM = """
import math, sys
from pathlib import Path
import torch
from unbraid.training.data import DynamicMixtures
from unbraid.training import read_recipe, run, train
from unbraid.training.system import System

seen, clean = [], DynamicMixtures.__getitem__

def item(self, position):
    seen.append(position)
    mixture, sources = clean(self, position)
    return (mixture * math.nan if position == 9 else mixture), sources  # the second rank's

class Spy(System):
    def on_train_end(self):
        kept = {"seen": seen, "model": self.model.state_dict(), "skipped": self.skipped, "score": self.score}
        torch.save(kept, f"{sys.argv[2]}.{self.trainer.world_size}.{self.global_rank}.pt")

DynamicMixtures.__getitem__, run.System = item, Spy
train(read_recipe(Path(sys.argv[1]), sys.argv[3:]), Path(sys.argv[2]), lambda now: None)
"""


def test_two_ranks_are_one_with_twice_the_batch(tmp_path: Path, recipe_file: Path, monkeypatch) -> None:
    program, env = tmp_path / "program.py", os.environ | {"PYTHONPATH": str(ROOT.parent), "OMP_NUM_THREADS": "1"}
    program.write_text(PROGRAM)
    once = "trainer.epochs=1"
    words = [sys.executable, program, recipe_file, tmp_path / "two", once, "trainer.devices=2", "trainer.batch=1"]
    done = subprocess.run(list(map(str, words)), env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    monkeypatch.setattr(sys, "argv", [str(program), str(recipe_file), str(tmp_path / "one"), once])
    monkeypatch.setattr(DynamicMixtures, "__getitem__", DynamicMixtures.__getitem__)  # both are put back
    monkeypatch.setattr(run, "System", run.System)
    exec(PROGRAM, {})
    first, second, alone = (
        torch.load(tmp_path / name, weights_only=True) for name in ("two.2.0.pt", "two.2.1.pt", "one.1.0.pt")
    )
    assert first["seen"] == list(range(0, STEPS, 2))
    assert second["seen"] == list(range(1, STEPS, 2))
    assert first["skipped"] == second["skipped"] == alone["skipped"] == 1
    for name, value in first["model"].items():
        assert torch.equal(value, second["model"][name]), name
        torch.testing.assert_close(value, alone["model"][name], rtol=1e-3, atol=1e-5)
    assert first["score"] == second["score"]
    assert abs(first["score"] - alone["score"]) < 1e-2  # dB; each rank scored half of the mixtures
    assert [line["step"] for line in read_log(tmp_path / "two")] == ["3", "6"]
