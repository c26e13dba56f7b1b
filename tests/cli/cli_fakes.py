"""A stand-in for the Separator: each stem is the mixture times a weight, so that what is right is known."""

import dataclasses
import time
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from unbraid.audio import Excerpt, Reader
from unbraid.errors import ModelNotFound
from unbraid.tasks.results import Diagnostics, Run
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.stream import Track

WEIGHTS = {
    "speech": {"voice1": 0.75, "voice2": 0.25},
    "speechbrain/three": {"voice1": 0.5, "voice2": 0.25, "voice3": 0.25},
    "music-4": {"vocals": 0.5, "drums": 0.25, "bass": 0.125, "other": 0.125},
    "music-2": {"vocals": 0.75, "accompaniment": 0.25},
    "loud": {"vocals": 4.0, "accompaniment": -3.0},
    "clean": {"speech": 0.5},
}


class FakeSeparator:
    """As much of a Separator as the command line uses."""

    made = 0  # how many there have been
    pause_seconds = 0.0  # per block
    follows_people = False
    passes = 2  # so that pipes are copied first

    def __init__(self, model: str, *, device: str, precision: str, threads: int | None, options: Options) -> None:
        if model not in WEIGHTS:
            raise ModelNotFound(f"No model or folder is called {model!r}.")
        type(self).made += 1
        self.weights, self.options = WEIGHTS[model], dataclasses.replace(options, stems=())  # of one network
        self.spec = SimpleNamespace(
            licence="MIT",
            name=model,
            sample_rate=8000,
            channels=1,
            files={"model.safetensors": f"of {model}"},
            separates_songs=model.startswith("music"),
        )
        self.device, self.device_reason = "cpu", "no GPU provider is installed"

    def stems(self) -> tuple[str, ...]:
        return (*self.weights, "residual") if self.options.residual else tuple(self.weights)

    def output_rate(self, sample_rate: int) -> int:
        return sample_rate

    def output_channels(self, channels: int) -> int:
        return channels

    def run(self, source: Path, excerpt: Excerpt, progress: Any = None, tap: Any = None) -> Run[dict[str, np.ndarray]]:
        diagnostics = Diagnostics(self.spec.name)
        return Run(self._blocks(source, excerpt, (progress, tap), diagnostics), diagnostics)

    def _blocks(
        self, source: Path, excerpt: Excerpt, told: tuple[Any, Any], diagnostics: Diagnostics
    ) -> Generator[dict[str, np.ndarray], None, None]:
        with Reader(source, excerpt) as reader:
            rate, done = reader.info.sample_rate, 0
            progress, tap = told
            track = Track(rate, reader.info.channels, reader.frames, lambda: reader.blocks(1000))
            for block in track.tapped(tap, 1).blocks():
                time.sleep(self.pause_seconds)
                if (block == 0.123).any():
                    raise RuntimeError("the fake dislikes this file")
                done += block.shape[1]
                if progress:
                    progress(done / rate, reader.frames and reader.frames / rate)
                yield {stem: block * np.float32(self.weights.get(stem, 0.0)) for stem in self.stems()}
            diagnostics.notices = reader.notices

    def close(self) -> None:
        pass
