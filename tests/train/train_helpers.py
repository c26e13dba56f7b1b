"""A tiny corpus of tones, and a recipe that trains on it in a second."""

import csv
from pathlib import Path

import numpy as np
import soundfile

from unbraid.train import Recipe, Standing, read_recipe

RECIPE = """\
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
[schedule]
kind = "cosine"
warmup_steps = 2
[trainer]
epochs = 2
batch = 2
parts = 2
ema = 0.9
accelerator = "cpu"
"""
STEPS = 12  # of that recipe, three in a part


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
