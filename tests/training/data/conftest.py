"""A few speakers, each one a tone of its own, on disk."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from unbraid.corpora import Clip

RATE = 8000


def tone(hertz: float, seconds: float) -> np.ndarray:
    """A tone at -9 dBFS whose loudness goes up and down, so that no two pieces are alike."""
    time = np.arange(round(seconds * RATE)) / RATE
    return (0.5 * np.sin(2 * np.pi * hertz * time) * (0.6 + 0.4 * np.sin(2 * np.pi * 3.7 * time))).astype(np.float32)


@pytest.fixture(scope="session")
def speakers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Clip]]:
    """Two recordings of each of five speakers, of 1 s and 3 s, the long ones compressed. Not to be changed."""
    folder = tmp_path_factory.mktemp("speakers")
    found = {}
    for who in range(5):
        clips = []
        for seconds, suffix in ((1.0, "wav"), (3.0, "ogg")):
            path: Path = folder / f"{who}_{seconds:g}.{suffix}"
            soundfile.write(path, tone(200.0 * (who + 1), seconds), RATE)
            clips.append(Clip(path))
        found[str(who)] = clips
    return found


@pytest.fixture(scope="session")
def noises(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    """White noises of 0.3 s and 3 s."""
    folder = tmp_path_factory.mktemp("noises")
    found = []
    for seconds in (0.3, 3.0):
        audio = np.random.default_rng(0).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)
        soundfile.write(folder / f"{seconds:g}.wav", audio, RATE, subtype="FLOAT")
        found.append(Clip(folder / f"{seconds:g}.wav"))
    return found
