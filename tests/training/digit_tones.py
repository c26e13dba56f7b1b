"""Digits that are tones, two voices that say them, and a recipe that hears them."""

from pathlib import Path

import numpy as np
import soundfile
from train_helpers import FOUR_PARTS, write_csv

RECIPE = (
    """\
name = "digits"
description = "a test"
[model]
family = "audio_to_text"
source = "spectrogram"
strides = [2, 2]
features = 16
heads = 2
hidden = 32
encoder_layers = 1
decoder_layers = 1
dropout = 0.0
[data]
folder = "tones"
dev_every = 4
epoch_utterances = 12
[mel]
bins = 16
[optimizer]
rate = 1e-2
"""
    + FOUR_PARTS
)


def write_tones(root: Path, takes: int = 8, digits: str = "123") -> Path:
    """By each of two speakers some strings of one to four digits: tones of 0.15 s with pauses between them."""
    random, rows = np.random.default_rng(0), []
    time = np.arange(1200) / 8000
    for who, voice in enumerate(("tones/ann", "tones/bob")):
        for take in range(takes):
            text = [str(digit) for digit in random.choice(list(digits), random.integers(1, 5))]
            sound = [(0.2 * np.sin(2 * np.pi * (600 * int(digit) + 60 * who) * time), np.zeros(800)) for digit in text]
            name = f"{voice}_{take}.wav"
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(root / name, np.concatenate([part for pair in sound for part in pair]), 8000)
            rows.append((name, voice, "train" if take else "dev", " ".join(text)))
    write_csv(root / "manifest.csv", [("path", "speaker", "split", "text"), *rows])
    return root
