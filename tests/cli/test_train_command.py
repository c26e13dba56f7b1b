"""`unbraid train`: what it says, what it leaves, and the sentences for what cannot be."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from source_tree import ROOT
from unbraid.models.family import tensor_shapes
from unbraid.models.sepformer.config import SepFormerConfig

SIZES = SepFormerConfig(features=8, heads=2, chunk_frames=20, blocks=1, layers=1, hidden=8)
PARAMETERS = sum(math.prod(shape) for shape in tensor_shapes(SIZES).values())
TRAIN_TESTS = Path(__file__).parents[1] / "training"
BLOCKED = """
import sys

class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == {name!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Wall())
from unbraid.cli import main
sys.argv = ["unbraid", "train", "recipe.toml"]
main()
"""


@pytest.fixture
def recipe(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe and its corpus in the current folder."""
    for needed in ("torch", "lightning", "tensorboard"):
        pytest.importorskip(needed)
    monkeypatch.syspath_prepend(str(TRAIN_TESTS))
    from train_helpers import RECIPE, write_corpus

    write_corpus(here / "corpus")
    (here / "tiny.toml").write_text(RECIPE)
    return here / "tiny.toml"


def test_a_dry_run_says_what_a_run_takes_and_writes_nothing(unbraid_command, recipe, tree) -> None:
    before = tree()
    outcome = unbraid_command("train", recipe, "--dry-run")
    assert outcome.code == 0, outcome.err
    assert tree() == before
    lines = dict(line.split("  ", 1) for line in outcome.out.splitlines()[1:-1])
    said = {name: value.strip() for name, value in lines.items()}
    assert outcome.out.splitlines()[0] == "tiny: a test"
    assert outcome.out.splitlines()[-1] == "nothing was written"
    assert said["device"] == "cpu"
    assert said["mixtures"] == "2 × 1600 samples at 8000 Hz"
    assert said["encoder"] == "199 frames, in 22 chunks of 20"  # (1600 - 16) / 8 + 1
    assert len(said["loss"].split(", ")) == 2
    assert said["first dev mixture"].endswith(" dB SI-SDRi")
    assert said["an epoch"].startswith("6 steps, about ")
    assert said["all epochs"].startswith("12 steps, about ")
    assert said["parameters"] == f"{PARAMETERS:,}"
    assert float(said["peak memory"].removesuffix(" MB").replace(",", "")) > 50


def test_a_run_ends_in_a_model_and_is_told_line_by_line(unbraid_command, recipe, here) -> None:
    pytest.importorskip("onnx")
    import unbraid

    outcome = unbraid_command("train", recipe, "trainer.epochs=1", "--export", "model")
    assert outcome.code == 0, outcome.err
    first, last = outcome.errors
    assert first.startswith("tiny: step 3 of 6, epoch 0.5 · loss ")
    assert last.startswith("tiny: step 6 of 6, epoch 1 · dev SI-SDRi ")
    assert outcome.out.splitlines()[0].endswith("; the run is in runs/tiny")
    assert outcome.out.splitlines()[1] == "tiny is at model"
    mixture = np.random.default_rng(0).normal(0, 0.1, (1, 3001)).astype(np.float32)
    assert sorted(unbraid.Separator("model")(mixture, 8000)) == ["voice1", "voice2"]
    outcome = unbraid_command("export", "runs/tiny/best.pt", "--name", "again", "-o", "again")
    assert outcome.code == 0, outcome.err
    outcome = unbraid_command("train", recipe, "trainer.epochs=1", "optimizer.rate=1e-4")
    assert outcome.code == 0, outcome.err
    assert outcome.errors == [
        "tiny: going on in runs/tiny at step 6 of 6",
        "changed since: optimizer.rate = 0.0001 (was 0.001)",
    ]
    assert outcome.out == "tiny: nothing was left to do; the run is in runs/tiny\n"


def test_the_time_limit_leaves_a_model_that_runs(unbraid_command, recipe) -> None:
    """It falls into the first epoch; the next command goes on and replaces the model."""
    pytest.importorskip("onnx")
    import unbraid

    words = ("train", recipe, "--max-minutes", "1e-9", "--export", "model")
    outcome = unbraid_command(*words)
    assert outcome.code == 0, outcome.err
    assert outcome.errors[0].startswith("tiny: step 1 of 12, epoch 0.1667 · loss ")
    assert outcome.errors[1] == (
        "the time limit is over; the same command with --overwrite, to replace the model, goes on from here"
    )
    assert outcome.out == "tiny: step 1 of 12, epoch 0.1667; the run is in runs/tiny\ntiny is at model\n"
    mixture = np.random.default_rng(0).normal(0, 0.1, (1, 3001)).astype(np.float32)
    assert sorted(unbraid.Separator("model")(mixture, 8000)) == ["voice1", "voice2"]
    assert unbraid_command(*words).errors == [
        "error: model exists; choose another place for --export, or use --overwrite."
    ]
    outcome = unbraid_command(*words, "--overwrite")
    assert (outcome.code, outcome.errors[0]) == (0, "tiny: going on in runs/tiny at step 1 of 12")
    assert outcome.out.startswith("tiny: step 2 of 12, epoch 0.3333; ")


def test_the_bar_tells_how_far_the_scoring_of_dev_is(recipe, monkeypatch) -> None:
    import importlib

    from unbraid.training import Standing
    from unbraid.training.tasks.task import Score

    command = importlib.import_module("unbraid.cli.train")  # the package has a function of that name
    monkeypatch.setattr(command, "watched", lambda: True)
    with command.Teller("tiny", Score("dev_si_sdri", "SI-SDRi", "dB"), quiet=False) as teller:
        teller(Standing(3, 10, 0.3, 1.0, math.nan, 2.5, 0, dev_batches=(3, 60)))
        assert teller._bar.tasks[0].fields["text"] == "scoring dev: 3 of 60, best 2.50 dB"
        teller(Standing(4, 10, 0.4, 1.0, math.nan, 2.5, 0))
        assert teller._bar.tasks[0].fields["text"] == "loss   1.00"


def test_help_lists_the_recipes(unbraid_command) -> None:
    from unbraid.hub.recipes import known_recipes

    outcome = unbraid_command("train", "--help")
    listed = outcome.out.partition("Recipes (")[2].splitlines()[1:]
    assert [line.split()[0] for line in listed if line] == list(known_recipes())
    assert all(len(line.split()) > 2 for line in listed if line)  # and say what they are


@pytest.mark.parametrize("words", [["speech-2", "--help"], ["-h", "speech-2"], ["speech-2", "trainer.batch=4", "-h"]])
def test_help_of_a_recipe_names_the_data_that_it_needs(unbraid_command, words) -> None:
    outcome = unbraid_command("train", *words)
    lines = [line.strip() for line in outcome.out.splitlines()]
    assert (outcome.code, outcome.errors) == (0, [])
    assert any(line.startswith("data.folder: one folder for each speaker, or manifest.csv") for line in lines)
    assert "unbraid train speech-2 data.folder=FOLDER data.noise=NOISES --max-minutes 60 --export my-speech-2" in lines
    assert "trainer.batch=2                items in a batch; fewer need less memory" in lines
    assert "trainer.max_minutes=0.0        the time limit, as --max-minutes; 0: none" in lines


def test_every_recipe_says_what_it_needs(unbraid_command) -> None:
    from unbraid.cli.recipe_help import recipe_help
    from unbraid.hub.recipes import find_recipe, known_recipes, outline

    for name in known_recipes():
        told = outline(find_recipe(name))
        assert told.given, name
        comment = " ".join(told.comment)
        assert all(key in comment for key in told.given if key not in ("data.noise", "data.extra")), name
        assert any(line.startswith(f"  unbraid train {name} ") for line in recipe_help(name)), name


def test_help_names_the_defaults_that_hold(recipe) -> None:
    from unbraid.cli.recipe_help import ALWAYS, OFTEN
    from unbraid.training import read_recipe

    values = read_recipe(recipe, ["trainer.accelerator=auto", "trainer.batch=1"]).values()
    defaults = {key: default for key, (default, _) in OFTEN.items() if default is not ALWAYS}
    assert {key: values[key] for key in defaults} == defaults


def test_help_of_an_unknown_recipe_is_an_error(unbraid_command) -> None:
    outcome = unbraid_command("train", "speach-2", "--help")
    assert outcome.code == 2
    assert outcome.errors[0].startswith("error: There is no recipe 'speach-2'; did you mean speech-2")


@pytest.fixture
def songs_recipe(recipe: Path, here: Path) -> Path:
    """A recipe for songs and a folder of them in the current folder."""
    from train_helpers import SONGS_RECIPE, write_songs

    write_songs(here / "songs")
    (here / "songs.toml").write_text(SONGS_RECIPE)
    return here / "songs.toml"


def test_a_dry_run_on_songs(unbraid_command, songs_recipe, tree) -> None:
    before = tree()
    outcome = unbraid_command("train", songs_recipe, "--dry-run")
    assert outcome.code == 0, outcome.err
    assert tree() == before
    lines = dict(line.split("  ", 1) for line in outcome.out.splitlines()[1:-1])
    said = {name: value.strip() for name, value in lines.items()}
    assert said["crops"] == "2 × 1600 samples at 8000 Hz"
    assert said["spectrogram"] == "24 frames of 64 bins"  # (1600 - 256) // 64 + 1 = 22, and 24 is a multiple of 8
    assert said["first dev song"].endswith(" dB uSDRi")


def test_songs_end_in_a_model_that_needs_no_flags(unbraid_command, songs_recipe, here) -> None:
    pytest.importorskip("onnx")
    import unbraid

    outcome = unbraid_command("train", songs_recipe, "trainer.epochs=1", "--export", "model")
    assert outcome.code == 0, outcome.err
    assert outcome.errors[-1].startswith("songs: step 6 of 6, epoch 1 · dev uSDRi ")
    song = np.random.default_rng(0).normal(0, 0.1, (2, 9001)).astype(np.float32)
    stems = unbraid.Separator("model")(song, 8000)
    assert sorted(stems) == ["drums", "other", "vocals"]
    np.testing.assert_allclose(sum(stems.values()), song, atol=1e-4)
    outcome = unbraid_command("export", "runs/songs/best.pt", "--name", "songs", "-o", "again")
    assert outcome.code == 0, outcome.err
    assert (here / "again/model.safetensors").read_bytes() == (here / "model/model.safetensors").read_bytes()
    outcome = unbraid_command("export", "runs/songs/best.pt", "--name", "v", "--stems", "vocals", "-o", "v")
    message = "error: v is one network for all its stems, of which none can be picked; leave out --stems."
    assert (outcome.code, outcome.errors) == (2, [message])


def test_a_bad_batch_is_told(unbraid_command, recipe, monkeypatch) -> None:
    from unbraid.training.data import DynamicMixtures

    clean = DynamicMixtures.__getitem__
    monkeypatch.setattr(
        DynamicMixtures, "__getitem__", lambda self, k: tuple(x * (np.nan if k == 4 else 1) for x in clean(self, k))
    )
    outcome = unbraid_command("train", recipe, "trainer.epochs=1", "trainer.parts=1")
    assert outcome.code == 0, outcome.err
    assert outcome.errors[0] == "warning: step 3 had gradients that are not finite and was skipped (1 so far)"
    assert len(outcome.errors) == 2


def test_a_file_that_a_worker_cannot_read_is_one_sentence(unbraid_command, recipe, here) -> None:
    for path in here.glob("corpus/speaker[0-3]/*.wav"):  # those that are trained on
        soundfile.write(path, np.full(8000, np.nan), 8000, subtype="FLOAT")
    outcome = unbraid_command("train", recipe, "data.workers=1")
    assert outcome.code == 1
    line = next(line for line in outcome.errors if line.startswith("error:"))
    assert line.startswith("error: Too few speakers can be read for 2 voices.")
    assert " set aside, the first because: corpus/speaker" in line and " holds NaN at " in line


def test_files_that_are_no_audio_are_told_of_before_the_first_step(unbraid_command, recipe, here) -> None:
    for path in here.glob("corpus/speaker[1-3]/*.wav"):
        path.write_text("not audio")
    outcome = unbraid_command("train", recipe)
    assert outcome.code == 2
    told = [line for line in outcome.errors if "is not audio that can be read" in line]
    assert len(told) == 7 and all(line.startswith("warning: corpus/speaker") for line in told[:6])
    assert told[6].startswith(
        "error: 2 voices in a mixture need 2 speakers or more; there are 1. 6 set aside, the first "
    )


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (
            "CUDA out of memory. Tried to allocate 2.00 GiB.", 1,
            "There is not enough memory to train this; set trainer.batch lower and trainer.accumulate higher, "
            "mixing.crop_seconds shorter, or choose a smaller [model].",
        ),
        (
            "DataLoader worker (pid 9) is killed by signal: Killed. ", 1,
            "A process that reads data is dead, most likely for lack of memory; set data.workers lower, and give the "
            "same command again to go on.",
        ),
        ("DataLoader worker (pid 9) is killed by signal: Terminated. ", 130, "interrupted."),
        (
            "shapes differ", 1,
            "unexpected RuntimeError: shapes differ. This is a bug; set UNBRAID_DEBUG=1 to see where it comes from, "
            "and report it.",
        ),
    ],
)  # fmt: skip
def test_what_pytorch_says_becomes_a_sentence(unbraid_command, recipe, monkeypatch, text, code, message) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError(text)

    monkeypatch.setattr("unbraid.training.train", fails)
    outcome = unbraid_command("train", recipe)
    assert (outcome.code, outcome.errors) == (code, [f"error: {message}"])


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["optimizer.rates=1"], 2, "[optimizer] does not know 'rates'; did you mean rate?"),
        (["data.folder=away"], 2, "The data folder away is not there; say where it is with data.folder=PATH."),
        (
            ["--export", "corpus", "--overwrite"], 2,
            "corpus exists and is no model folder; choose another place for --export.",
        ),
        (["--export", "corpus"], 2, "corpus exists; choose another place for --export, or use --overwrite."),
        (["--out", "corpus"], 2, "corpus is not empty and holds no run; choose another folder with --out."),
        (
            ['model={family="conv_tasnet",features=4,hidden=4,blocks=1,repeats=1}', "optimizer.kind=muon"], 2,
            "Muon is for the matrices of linear layers, AdamW for the rest, and this network has no linear layers; "
            "set optimizer.kind=adamw.",
        ),
        (
            ["trainer.init=no.pt"], 1,
            "no.pt cannot be read as a torch checkpoint: [Errno 2] No such file or directory: 'no.pt'",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_sentence(unbraid_command, recipe, tree, words, code, message) -> None:
    before = tree()
    outcome = unbraid_command("train", recipe, *words)
    assert (outcome.code, outcome.errors) == (code, [f"error: {message}"])
    assert tree() == before


@pytest.mark.parametrize("name", ["torch", "lightning"])
def test_without_the_extra_the_sentence_names_it(here: Path, name: str) -> None:
    pytest.importorskip("torch")
    env = os.environ | {"PYTHONPATH": str(ROOT.parent)}
    code = BLOCKED.format(name=name)
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    message = f"error: Training needs {name}, which is not installed; get it with `pip install 'unbraid[train]'`.\n"
    assert (done.returncode, done.stderr) == (2, message)
