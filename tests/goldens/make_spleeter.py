"""Make Spleeter checkpoints in the published layout, and what Spleeter itself makes of them.

    python make_spleeter.py                    # the goldens beside this script
    python make_spleeter.py --full 2 FOLDER    # full-size networks for 2 (4, 5) stems, random weights: for bench/

Weights are seeded noise, with every BatchNorm term away from 0 and 1 (the published files leave the moving
statistics there), and the input is synthetic. The outputs come from `spleeter.separator.Separator`. Needs Python
3.11 and `pip install spleeter safetensors` (`bench/envs.py` makes such an environment), never the project's own.
"""

import argparse
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from safetensors.numpy import save_file
from spleeter.model import EstimatorSpecBuilder
from spleeter.separator import Separator

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Golden:
    """A small model: what replaces the values of the shipped configuration, and what is kept of its output."""

    stems: int
    changes: dict[str, Any]
    filters: tuple[int, ...]
    samples: int
    wiener_stems: tuple[str, ...]


SHORT_FRAMES = {"frame_length": 512, "frame_step": 128}  # two segments of T = 64 frames fit into 7801 samples
GOLDENS = {
    # Published frames, one segment, filled up with zeros.
    "spleeter_2stems": Golden(2, {"T": 64, "F": 128}, (2, 3, 4, 4, 6, 6), 6001, ("vocals", "accompaniment")),
    "spleeter_4stems": Golden(
        4, {"T": 64, "F": 128, "mask_extension": "average", **SHORT_FRAMES}, (3, 2, 4, 5, 4, 6), 7801, ("drums", "bass")
    ),
    "spleeter_5stems": Golden(5, {"T": 64, "F": 192, **SHORT_FRAMES}, (2, 3, 3, 4, 5, 4), 7801, ("piano",)),
}


def configuration(stems: int, folder: Path) -> dict[str, Any]:
    """Spleeter's own configuration for a number of stems, pointed at `folder`."""
    text = (resources.files("spleeter.resources") / f"{stems}stems.json").read_text()
    return {**json.loads(text), "model_dir": str(folder.resolve()), "MWF": False}


def song(samples: int, sample_rate: int = 44100) -> np.ndarray:
    """A bass, a vibrato voice and decaying noise bursts, placed apart in stereo: (T, 2), whole 16-bit steps."""
    rng = np.random.default_rng(7)
    time = np.arange(samples) / sample_rate  # seconds
    bass = np.sin(2 * np.pi * 98 * time) + 0.4 * np.sin(2 * np.pi * 196 * time)
    phase = 2 * np.pi * (440 * time + 2 * np.sin(2 * np.pi * 6 * time))
    voice = sum(np.sin(k * phase) / k for k in range(1, 9))
    burst = rng.standard_normal(samples) * np.exp(-((time * 12) % 1) * 9)
    left = 0.2 * bass + 0.10 * voice + 0.12 * burst
    right = 0.2 * bass + 0.16 * voice + 0.05 * np.roll(burst, 9)
    return (np.round(32767 * np.stack((left, right), axis=1).clip(-1, 1)) / 32768).astype(np.float32)


def calibrations(graph: tf.Graph) -> Iterator[tuple[str, tf.Tensor]]:
    """Each BatchNorm's name and input, in the order in which the network meets them."""
    for operation in graph.get_operations():
        if operation.type == "FusedBatchNormV3":
            yield operation.name.split("/")[0], operation.inputs[0]  # (B, N, F, channels)


def randomise(session: tf.compat.v1.Session, seed: int, waveform: np.ndarray, feed: tf.Tensor) -> None:
    """Give every variable a random value; moving statistics are those of `waveform`, with some jitter."""
    rng = np.random.default_rng(seed)
    variables = {v.op.name: v for v in tf.compat.v1.global_variables()}

    def assign(name: str, value: np.ndarray) -> None:
        variables[name].load(value.astype(np.float32), session)

    for name, variable in variables.items():
        shape = variable.shape.as_list()
        if name.endswith("/kernel"):
            fan_in = np.prod(shape[:2]) * min(shape[2:])
            assign(name, rng.standard_normal(shape) * np.sqrt(2 / fan_in))
        elif name.endswith(("/bias", "/beta")):
            assign(name, 0.2 * rng.standard_normal(shape))
        elif name.endswith("/gamma"):
            assign(name, 1 + 0.3 * rng.standard_normal(shape))
    for layer, tensor in calibrations(session.graph):
        values = session.run(tensor, {feed: waveform})
        mean, std = values.mean(axis=(0, 1, 2)), values.std(axis=(0, 1, 2)) + 1e-3
        assign(f"{layer}/moving_mean", mean + 0.2 * std * rng.standard_normal(mean.shape))
        assign(f"{layer}/moving_variance", std**2 * np.exp(0.3 * rng.standard_normal(std.shape)))


def write_checkpoint(folder: Path, config: dict[str, Any], waveform: np.ndarray, seed: int) -> None:
    """Write `model.index`, `model.data-00000-of-00001`, `checkpoint` and `config.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        feed = tf.compat.v1.placeholder(tf.float32, (None, 2))
        tf.compat.v1.train.get_or_create_global_step()
        _ = EstimatorSpecBuilder({"waveform": feed}, config).outputs
        session.run(tf.compat.v1.global_variables_initializer())
        randomise(session, seed, waveform, feed)
        saver = tf.compat.v1.train.Saver(save_relative_paths=True)
        saver.save(session, str(folder / "model"), write_meta_graph=False)
    (folder / "config.json").write_text(json.dumps({**config, "model_dir": folder.name}, indent=1) + "\n")


def separate(config: dict[str, Any], waveform: np.ndarray, wiener: bool, scratch: Path) -> dict[str, np.ndarray]:
    """What Spleeter returns: (T, 2) -> stem: (2, T)."""
    scratch.write_text(json.dumps(config))
    try:
        stems = Separator(str(scratch), MWF=wiener, multiprocess=False).separate(waveform)
    finally:
        scratch.unlink()
    return {name: np.ascontiguousarray(audio.T) for name, audio in stems.items()}


def write_golden(name: str, golden: Golden) -> None:
    """Write one golden folder beside this script."""
    folder = HERE / name
    config = {**configuration(golden.stems, folder), **golden.changes}
    config["model"]["params"]["conv_n_filters"] = list(golden.filters)
    waveform = song(golden.samples)
    write_checkpoint(folder, config, waveform, seed=golden.stems)
    masked = separate(config, waveform, False, folder / "scratch.json")
    wiener = separate(config, waveform, True, folder / "scratch.json")
    tensors = {"waveform": np.ascontiguousarray(waveform.T)}
    tensors |= {f"mask/{stem}": audio for stem, audio in masked.items()}
    tensors |= {f"mwf/{stem}": wiener[stem] for stem in golden.wiener_stems}
    save_file(tensors, folder / "reference.safetensors")
    print(name, {key: round(float(value.std()), 4) for key, value in tensors.items()})


def main() -> None:
    """Read the command line and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", nargs=2, metavar=("STEMS", "FOLDER"))
    full = parser.parse_args().full
    if full:
        stems, folder = int(full[0]), Path(full[1])
        write_checkpoint(folder, configuration(stems, folder), song(12 * 44100), seed=stems)
    else:
        for name, golden in GOLDENS.items():
            write_golden(name, golden)


if __name__ == "__main__":
    main()
