"""Tiny corpora of tones and songs, recipes that train on them in a second, and a run that is killed."""

import csv
import itertools
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from unbraid.errors import UsageError
from unbraid.training import Recipe, Standing, look, read_recipe, train
from unbraid.training.warm_start import read_first

FOUR_PARTS = """\
[schedule]
kind = "cosine"
warmup_steps = 2
[trainer]
epochs = 2
batch = 2
parts = 2
ema = 0.9
accelerator = "cpu"
"""  # of two epochs, three steps in each
RECIPE = (
    """\
name = "tiny"
description = "a test"
[model]
family = "sepformer"
features = 8
heads = 2
chunk_frames = 20
blocks = 1
layers = 1
hidden = 8
[data]
folder = "corpus"
layout = "manifest"
epoch_mixtures = 12
[mixing]
crop_seconds = 0.2
[optimizer]
rate = 1e-3
weight_decay = 0.01
"""
    + FOUR_PARTS
)
SONGS_RECIPE = (
    """\
name = "songs"
description = "a test"
[model]
family = "unet"
stems = 3
filters = [2, 3, 4]
output = "softmax"
trunk = "shared"
[spectral]
frame_samples = 256
hop_samples = 64
frames = 32
bins = 64
exponent = 1.0
extension = "average"
[data]
folders = ["songs"]
stems = ["vocals", "drums", "other"]
sample_rate = 8000
epoch_crops = 12
dev_seconds = 1.0
[mixing]
crop_seconds = 0.2
stretch_probability = 0.0
[loss]
relative = true
[optimizer]
rate = 1e-2
clip = 1.0
"""
    + FOUR_PARTS
    + """hold_norm = 0.4
"""
)

WORDS_RECIPE = (
    """\
name = "words"
description = "a test"
[model]
family = "text_to_text"
features = 16
heads = 2
hidden = 32
encoder_layers = 1
decoder_layers = 1
[data]
dictionary = "cmudict.dict"
epoch_words = 12
dev_words = 8
[optimizer]
rate = 1e-2
"""
    + FOUR_PARTS
)
STEPS = 12  # of these recipes


def write_corpus(root: Path, seconds: float = 0.5) -> Path:
    """Four speakers to train on and three for dev, each at a pitch of their own; mixtures of two and three."""
    random, rows = np.random.default_rng(0), []
    for who in range(7):
        for take in range(2):
            name = f"speaker{who}/{take}.wav"
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            time = np.arange(round(8000 * seconds)) / 8000
            voice = 0.2 * np.sin(2 * np.pi * 110 * (who + 1) * time) + 0.01 * random.standard_normal(len(time))
            soundfile.write(root / name, voice, 8000)
            rows.append((name, f"speaker{who}", "train" if who < 4 else "dev"))
    write_csv(root / "manifest.csv", [("path", "speaker", "split"), *rows])
    for sources in (2, 3):
        heads = [f"{column}_{j}" for j in range(1, sources + 1) for column in ("path", "start", "gain_db")]
        lines = [["id", "seconds", *heads]]
        for k in range(2):
            voices = [value for j in range(sources) for value in (f"speaker{4 + j}/{k}.wav", 0.01 * k, j)]
            lines.append([f"mix{k}", 0.4 - 0.1 * k, *voices])
        write_csv(root / f"dev_mix{sources}.csv", lines)
    return root


def write_songs(root: Path, parts: tuple[str, ...] = ("vocals", "drums", "bass", "piano", "other")) -> Path:
    """Three songs to train on and two for dev, stereo; tones for all parts, the drums' in bursts."""
    time = np.arange(9600) / 8000
    for k, split in enumerate(("train", "train", "train", "dev", "dev")):
        folder = root / split / f"song{k}"
        folder.mkdir(parents=True, exist_ok=True)
        for j, part in enumerate(parts):
            tone = 0.2 * np.sin(2 * np.pi * 150 * (j + 1) * (1 + 0.1 * k) * time)
            tone = tone * (time % 0.25 < 0.05) if part == "drums" else tone
            soundfile.write(folder / f"{part}.wav", np.stack((tone, 0.5 * tone), axis=-1), 8000)
    return root


def write_dictionary(folder: Path) -> Path:
    """Words of one to four letters, each said as a phoneme that it alone stands for; `a` has two, with stress marks."""
    words = ("".join(letters) for count in (1, 2, 3, 4) for letters in itertools.product("abcd", repeat=count))
    sounds = {"a": "AA1", "b": "B", "c": "K", "d": "D"}
    lines = [f"{word} {' '.join(sounds[letter] for letter in word)}\n" for word in words]
    lines += [line.replace(" ", "(2) ", 1).replace("AA1", "EY0") for line in lines if "AA1" in line]
    (folder / "cmudict.dict").write_text("".join(lines))
    return folder / "cmudict.dict"


def write_csv(path: Path, lines: list) -> None:
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(lines)


def read_log(out: Path) -> list[dict[str, str]]:
    with open(out / "log.csv", newline="") as file:
        return list(csv.DictReader(file))


def silent(_: Standing) -> None:
    """A watch that does not watch."""


def recipe_of(file: Path, *changes: str) -> Recipe:
    return read_recipe(file, changes)


def write_recipe(path: Path, recipe: str, name: str, place: Path) -> Path:
    """A recipe that trains on the data at a place; its text says a name."""
    path.write_text(recipe.replace(f'"{name}"', f'"{place}"'))
    return path


def refused(file: Path, *changes: str) -> str:
    """Why a recipe cannot be changed like this."""
    with pytest.raises(UsageError) as caught:
        recipe_of(file, *changes)
    return str(caught.value)


def load(path: Path) -> dict:
    return torch.load(path, weights_only=True)


def same(one: object, two: object, at: str = "") -> None:
    """Equal to the last bit, all the way down."""
    assert type(one) is type(two), at
    if isinstance(one, dict):
        assert one.keys() == two.keys(), at
        for key in one:
            same(one[key], two[key], f"{at}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(two), at
        for k, (a, b) in enumerate(zip(one, two, strict=True)):
            same(a, b, f"{at}.{k}")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, two), at
    else:
        assert one == two or one != one, at


def check_pieces(file: Path, folder: Path) -> None:
    """A run that the time limit stops after each step is as one that was never stopped, scores of dev aside."""
    straight, broken = folder / "straight", folder / "broken"
    train(recipe_of(file), straight, silent)
    for step in range(1, STEPS + 1):
        train(recipe := recipe_of(file, "trainer.max_minutes=1e-9"), broken, silent)
        assert look(recipe, broken).step == step
    last = load(broken / "last.ckpt")["state_dict"]
    same(load(straight / "last.ckpt")["state_dict"], last)
    best = load(broken / "best.pt")
    if recipe.task.score.name in best:  # dev is one batch, which is always scored
        same(load(straight / "best.pt"), best)
        return
    assert best["step"] == STEPS
    same(best["model"], recipe.task.exported({key.removeprefix("model."): value for key, value in last.items()}))


def check_start(recipe: Recipe, model: Path, weights: dict[str, torch.Tensor]) -> None:
    """A network that starts from a model folder has these weights."""
    network = recipe.task.network()
    recipe.task.start(network, read_first(str(model)), "model")
    same(dict(network.state_dict()), weights)


def killed(work: Callable[..., None], *arguments: object) -> None:
    """Let another process work, which kills itself; forked from one that has imported torch for all of them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["unbraid.training"])
    process = context.Process(target=work, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def kill_at(step: int, recipe_file: Path, out: Path, *changes: str) -> None:
    """Train in another process, and SIGKILL it after a step."""
    killed(_train_until, step, recipe_file, out, changes)


def _train_until(step: int, recipe_file: Path, out: Path, changes: tuple[str, ...]) -> None:
    def watch(now: Standing) -> None:
        if now.step == step:
            os.kill(os.getpid(), signal.SIGKILL)

    torch.set_num_threads(1)  # as in the process of the tests
    train(read_recipe(recipe_file, changes), out, watch)
