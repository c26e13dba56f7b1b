"""The network of one's own in docs/training.md: its files are a package that trains, exports and separates."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from train_helpers import read_log, write_corpus

from source_tree import ROOT

PAGE = Path(__file__).parents[2] / "docs" / "training.md"
FILES = {"mynet/config.py", "mynet/network.py", "mynet/layout.py", "mynet/graph.py", "mynet/__init__.py",
         "mynet/__main__.py", "train.py"}  # fmt: skip
LITTLE = '"trainer.accelerator=cpu", "trainer.batch=2", "trainer.parts=1", "trainer.epochs=1", "data.workers=0", '
LITTLE += '"mixing.crop_seconds=0.2", "data.epoch_mixtures=8", '


def page_files() -> dict[str, str]:
    """The files on the page, by the comment that each begins with."""
    blocks = re.findall(r"^```python\n# (\S+\.py)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    return dict(blocks)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with the files of the page, a corpus, and values with which training takes seconds."""
    pytest.importorskip("onnx")
    write_corpus(tmp_path / "speakers")
    (tmp_path / "noises").mkdir()
    for k in range(3):
        hiss = np.random.default_rng(k).normal(0, 0.05, 8000)
        soundfile.write(tmp_path / "noises" / f"hiss{k}.wav", hiss, 8000)
    for name, text in page_files().items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    script = tmp_path / "train.py"
    text = script.read_text()
    assert '"trainer.max_minutes=10"' in text
    script.write_text(text.replace('"trainer.max_minutes=10"', f"{LITTLE}'data.dev_mixtures=2'"))
    return tmp_path


def python(home: Path, *words: str) -> str:
    env = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT.parent), str(home))), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *words], cwd=home, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page_has_every_file() -> None:
    assert set(page_files()) == FILES


def test_the_network_on_the_page_is_trained_exported_scored_and_separates(home: Path) -> None:
    assert re.search(r"^step 4: dev -?\d+\.\d\d dB$", python(home, "train.py"), re.M)
    (line,) = read_log(home / "runs" / "mine")
    record = json.loads((home / "runs/mine/recipe.json").read_text())
    assert (record["model.family"], record["model.features"]) == ("mynet", 64)
    spec = json.loads((home / "my-model/spec.json").read_text())
    assert (spec["name"], spec["family"], spec["stems"]) == ("mine", "mynet", ["voice1", "voice2"])
    assert spec["scores"] == {"dev SI-SDRi (dB)": round(float(line["dev_si_sdri"]), 2)}
    words = ["evaluate", "./my-model", "speakers", "--split", "dev", "--metrics", "si-sdr", "--json"]
    told = json.loads(python(home, "-m", "mynet", *words))
    assert (told["model"], told["mixtures"]) == ("mine", 2)
    soundfile.write(home / "mix.wav", np.random.default_rng(1).normal(0, 0.1, 9000), 8000)
    python(home, "-m", "mynet", "separate", "mix.wav", "-m", "./my-model", "--raw")
    assert soundfile.info(home / "mix" / "voice1.wav").frames == 9000
