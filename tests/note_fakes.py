"""A Basic Pitch network with the published sizes and seeded noise for weights, its published file, and a fake one."""

from pathlib import Path

import numpy as np

from unbraid.hub.importers.basic_pitch import PUBLISHED
from unbraid.hub.spec import ModelSpec
from unbraid.models.basic_pitch.config import LOWEST_PITCH, BasicPitchConfig
from unbraid.models.family import tensor_shapes

RATE = 22050
HOP = BasicPitchConfig().hop_samples
HEARD_PITCH = 60  # the pitch of every note of the fake network


def noise_weights() -> dict[str, np.ndarray]:
    """Weights by our names, such that activations are neither 0 nor 1."""
    random = np.random.default_rng(0)
    weights = {}
    for name, shape in tensor_shapes(BasicPitchConfig()).items():
        fan_in = max(1, int(np.prod(shape[1:])))
        weights[name] = (random.normal(0, 3, shape) / np.sqrt(fan_in)).astype(np.float32)
    return weights | {"cqt.scale": np.full((BasicPitchConfig().bins, 1), 20, np.float32)}


def window_audio() -> np.ndarray:
    """A window of audio (1, T): two tones that fade, and noise."""
    seconds = np.arange(BasicPitchConfig().window_samples) / RATE
    tones = np.sin(2 * np.pi * 220 * seconds) * np.exp(-seconds) + 0.5 * np.sin(2 * np.pi * 1000 * seconds)
    return (0.2 * tones + 0.01 * np.random.default_rng(1).normal(size=len(seconds)))[None].astype(np.float32)


def write_published(path: Path, weights: dict[str, np.ndarray], shapes: dict[str, tuple[int, ...]]) -> None:
    """The file that the package basic-pitch has, as far as its weights; `shapes` are the published ones."""
    from onnx import helper, numpy_helper

    tensors = [
        numpy_helper.from_array(weights[ours].reshape(shapes.get(ours, weights[ours].shape)), f"model_1/x;{theirs}")
        for ours, theirs in PUBLISHED.items()
        if ours in weights
    ]
    counts = numpy_helper.from_array(np.array([1, 2]), "const_ends__1")  # the original has integers, too
    graph = helper.make_graph([], "g", [], [], [*tensors, counts])
    path.write_bytes(helper.make_model(graph).SerializeToString())


def note_spec(config: BasicPitchConfig = BasicPitchConfig()) -> ModelSpec:
    """A model that hears notes."""
    return ModelSpec("tiny-notes", "basic_pitch", RATE, 1, (), config, "MIT", "a test")


class Bursts:
    """An executor that hears a note of one pitch in each frame whose samples are loud; an onset where it begins."""

    device, reason = "fake", "a test asked for it"

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        audio = inputs["audio"]
        assert audio.dtype == np.float32 and audio.flags.c_contiguous
        self.shapes.append(audio.shape)
        frames = BasicPitchConfig().frames
        padded = np.pad(audio, ((0, 0), (0, frames * HOP - audio.shape[1])))
        loud = np.abs(padded).reshape(len(audio), frames, HOP).mean(2) > 0.01  # (B, N)
        notes = np.zeros((len(audio), frames, BasicPitchConfig().pitches), np.float32)
        onsets = np.zeros_like(notes)
        notes[..., HEARD_PITCH - LOWEST_PITCH] = 0.8 * loud
        onsets[:, 1:, HEARD_PITCH - LOWEST_PITCH] = 0.9 * (loud[:, 1:] & ~loud[:, :-1])
        return {"notes": notes, "onsets": onsets}

    def close(self) -> None:
        pass
