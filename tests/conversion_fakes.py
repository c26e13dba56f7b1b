"""A converter of voices over fake networks: frames of one level, which a vocoder turns into a tone."""

from collections.abc import Callable

import numpy as np

from unbraid.dsp.framing import Mel
from unbraid.hub.spec import ModelSpec, Windows
from unbraid.models.hifigan.config import HifiganConfig
from unbraid.models.speecht5.config import SpeechT5Config
from unbraid.tasks.conversion.converter import VoiceConverter
from unbraid.tasks.vocoder import HifiganVocoder

RATE, HOP, BINS = 16000, 256, 4
SIZES = SpeechT5Config(
    81,
    8,
    2,
    8,
    1,
    1,
    4,
    BINS,
    2,
    4,
    3,
    2,
    4,
    3,
    source="waveform",
    filters=(4, 4),
    kernels=(10, 64),
    strides=(5, 64),
    position_groups=2,
)
MEL = Mel(1024, HOP, BINS, form="speecht5")
SPEC = ModelSpec("conv", "speecht5", RATE, 1, (), SIZES, "MIT", "a test", windows=Windows(2.0, 0.0), mel=MEL)


class Network:
    """One of the four networks of a converter, which counts what it is given."""

    device, reason = "fake", "a test asked for it"

    def __init__(self, run: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]):
        self._run, self.given = run, list[dict[str, np.ndarray]]()

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.given.append(inputs)
        return self._run(inputs)

    def close(self) -> None:
        pass


def speaking(times: float = 1.0, level: float = -1.0) -> tuple[Network, ...]:
    """Networks that write frames of one level, so many times as many as they read; and their vocoder."""
    wanted = [0]

    def encode(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        wanted[0] = round(times * inputs["waveform"].shape[1] / HOP / 2)
        return dict.fromkeys(("cross_keys", "cross_values"), np.zeros((1, 1, 2, 7, 4), np.float32))

    def step(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        n = inputs["self_keys"].shape[3] + 1
        kept = np.zeros((1, 1, 2, n, 4), np.float32)
        stop = np.full((1, 2), 9.0 if n >= wanted[0] else -9.0, np.float32)
        frames = np.full((1, 2 * BINS), level, np.float32)
        return {"new_frames": frames, "stop": stop, "new_self_keys": kept, "new_self_values": kept}

    return Network(encode), Network(step), Network(lambda inputs: {"refined": inputs["log_mel"]})


def tone(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A vocoder: 250 Hz, which repeats in 64 samples, at the level of the first band of each frame."""
    levels = 10 ** inputs["log_mel"][:, :, 0].repeat(HOP, 1)
    wave = np.sin(2 * np.pi * 250 * np.arange(levels.shape[1]) / RATE)
    return {"waveform": (levels * wave).astype(np.float32)}


def converter(times: float = 1.0, level: float = -1.0) -> VoiceConverter:
    config = HifiganConfig(BINS, 4, (16, 16), (16, 16), (3,), (1,), padding="zeros", edge_frames=0)
    vocoder = HifiganVocoder.over(
        Network(tone), ModelSpec("voco", "hifigan", RATE, 1, (), config, "MIT", "a test", mel=MEL)
    )
    return VoiceConverter.over(speaking(times, level), SPEC, np.ones(3, np.float32), vocoder)


def talk(seconds: float, rate: int = RATE, level: float = 0.1) -> np.ndarray:
    """Noise in syllables, (T,)."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(0).normal(0, level, len(time))
    return (noise * (np.sin(2 * np.pi * 3 * time) > 0)).astype(np.float32)
