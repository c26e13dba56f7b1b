"""A corpus of people who hum: each at a pitch of their own, in recordings with silence around and inside."""

import csv
from pathlib import Path

import numpy as np

from unbraid import audio

RATE = 8000


def humming(hertz: float, *parts: tuple[float, float], seconds: float, rate: int = RATE) -> np.ndarray:
    """(T,): a tone in each part, from and to in seconds, over faint noise."""
    time = np.arange(round(seconds * rate)) / rate
    sound = np.random.default_rng(round(hertz)).normal(0, 1e-5, time.size)
    for start, end in parts:
        sound += 0.1 * np.sin(2 * np.pi * hertz * time) * ((time >= start) & (time < end))
    return sound.astype(np.float32)


def write_talkers(folder: Path, people: int = 4, recordings: int = 3, *, text: bool = True) -> Path:
    """A manifest with so many speakers in its split `dev`."""
    rows = []
    for person in range(people):
        for number in range(recordings):
            path = Path(f"home/p{person}", f"{number}.flac")
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            length = 2.0 + 0.5 * number
            parts = (0.3, 0.3 + length / 2), (1.2 + length / 2, 1.2 + length)
            sound = humming(300 + 150 * person, *parts, seconds=1.5 + length)
            audio.write(folder / path, sound[None], RATE, audio.choose_format("flac", subtype="16"))
            rows.append((path.as_posix(), f"home/p{person}", "dev", f"person {person} text {number}" * text))
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "speaker", "split", "text"), *rows])
    return folder
