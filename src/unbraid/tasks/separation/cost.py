"""What separating a recording costs: time and memory of each model, from one measurement on this machine.

`assets/costs.json` has the CPU seconds that each network needs for a second of audio, all measured on one machine
(`bench/costs.py`), and so how they compare. A model of the package is run here for about a second; how long that takes
beside its entry in the table gives the times of all others. A model that is not in the table is run itself.
"""

import json
import math
import time
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from unbraid.hub.defaults import DEFAULTS, MUSIC
from unbraid.hub.names import ListedModel
from unbraid.hub.spec import ModelSpec
from unbraid.tasks.separation.separator import Separator

MEASURED_SECONDS = 1.0  # at least, of the reference
MONO_FAMILIES = ("tiger",)  # that hear each channel by itself, also where they do not separate voices
_LEVEL = 0.1  # of the noise that is separated


@dataclass(frozen=True)
class Cost:
    """The cost of a network on the machine of the table."""

    cpu_seconds: float  # for each second of audio
    megabytes: int  # at most, of the whole process


@dataclass(frozen=True)
class Estimate:
    """What separating a recording with a model would take on this machine."""

    model: ListedModel
    seconds: float  # by the clock
    megabytes: int | None  # None: not known
    is_measured: bool  # by running the model itself


@cache
def costs() -> dict[str, Cost]:
    """The cost of each model that is known, by its name."""
    table = json.loads((resources.files("unbraid") / "assets" / "costs.json").read_text(encoding="utf-8"))
    return {name: Cost(**cost) for name, cost in table["models"].items()}


def candidates(models: list[ListedModel], *, is_music: bool) -> list[ListedModel]:
    """The models that separate songs, or voices, and whose cost is known or can be measured."""
    several = [m for m in models if m.stems not in ((), ("speech",))]
    fitting = [m for m in several if m.stems[0].startswith("voice") != is_music]
    return [m for m in fitting if m.latency_seconds is None and (m.folder is not None or m.name in costs())]


def estimates(models: list[ListedModel], seconds: float, channels: int, threads: int | None = None) -> list[Estimate]:
    """The cost of separating so many seconds with each model, the fastest first.

    A model of songs takes channels in pairs, one of voices or of films each of them.

    Raises:
        ModelError: a model on this machine is damaged.
    """
    slowness: dict[str, float] = {}  # of this machine: seconds by the clock for each CPU second of the table

    def estimate(model: ListedModel) -> Estimate:
        of_songs = not model.stems[0].startswith("voice")
        runs = math.ceil(channels / 2) if of_songs and model.family not in MONO_FAMILIES else channels
        if known := costs().get(model.name):
            reference = MUSIC if of_songs else DEFAULTS["separation"]
            if reference not in slowness:
                slowness[reference] = measured(reference, threads) / costs()[reference].cpu_seconds
            return Estimate(model, slowness[reference] * known.cpu_seconds * seconds * runs, known.megabytes, False)
        assert model.folder is not None
        return Estimate(model, measured(model.folder, threads) * seconds * runs, None, True)

    return sorted(map(estimate, models), key=lambda found: found.seconds)


def measured(model: str | Path, threads: int | None = None) -> float:
    """The seconds by the clock that a model takes for a second of one channel, or of two where it is stereo.

    Whole windows are separated, the first of them untimed, until `MEASURED_SECONDS` have passed; of a model whose first
    window takes longer than that, just this one.
    """
    with Separator(model, threads=threads) as separator:
        rate, (samples, window) = separator.spec.sample_rate, one_window(separator.spec)
        noise = np.random.default_rng(0).normal(0, _LEVEL, (separator.spec.channels, samples))
        audio = noise.astype(np.float32)  # (C, T)
        before = time.monotonic()
        separator(audio, rate)
        if (spent := time.monotonic() - before) >= MEASURED_SECONDS:
            return spent / window
        before, windows = time.monotonic(), 0
        while (spent := time.monotonic() - before) < MEASURED_SECONDS:
            separator(audio, rate)
            windows += 1
    return spent / (windows * window)


def one_window(spec: ModelSpec) -> tuple[int, float]:
    """How many samples a network takes at once, and how many seconds of a long recording that run stands for."""
    if spec.windows is not None:
        return round(spec.windows.seconds * spec.sample_rate), spec.windows.seconds
    assert spec.spectral is not None
    samples = spec.spectral.hop_samples * spec.spectral.frames
    return samples - spec.spectral.frame_samples, samples / spec.sample_rate  # frames reach over its ends
