"""Mel-Band RoFormers and BS-RoFormers as music-source-separation-training publishes them, read without torch.

A published model is a state dict (`.ckpt`, `.pt`, `.pth`, `.th` or `.safetensors`) and the YAML file that it was
trained with. The YAML says which kind it is: a Mel-Band RoFormer has `num_bands`, a BS-RoFormer `freqs_per_bands`, or
neither and a norm in front of its masks. All names and shapes of tensors are checked both ways. Source: the files and
configs of github.com/ZFTurbo/Music-Source-Separation-Training and of the packages that run them.
"""

from pathlib import Path

import numpy as np

from unbraid.errors import ModelError, quoted
from unbraid.hub.importers.checkpoint import Checkpoint, as_weight
from unbraid.hub.importers.roformer_config import config_of, read_settings, stems_of, windows_of
from unbraid.hub.importers.torch_pickle import read_state_dict
from unbraid.hub.spec import ModelSpec
from unbraid.models.family import tensor_shapes
from unbraid.models.roformer.config import RoformerConfig
from unbraid.models.tensors import compare_shapes, read_weights, shapes_of

SETTINGS = (".yaml", ".yml")
WEIGHTS = (".ckpt", ".pt", ".pth", ".th", ".safetensors")
FILES = f"a {' or '.join(SETTINGS)} of settings and a {', '.join(WEIGHTS[:-1])} or {WEIGHTS[-1]} of weights"
WRAPPERS = ("state_dict", "state", "model_state_dict")  # keys that a state dict may lie under
FINAL_NORM = "final_norm.gamma"
AXES = {"time": 0, "bands": 1}  # place of the two Transformers in a block
LAYER = {  # ours: published
    "attention_norm.weight": "0.norm.gamma",
    "attention.in_proj.weight": "0.to_qkv.weight",
    "attention.gate.weight": "0.to_gates.weight",
    "attention.gate.bias": "0.to_gates.bias",
    "attention.out_proj.weight": "0.to_out.0.weight",
    "feed_norm.weight": "1.net.0.gamma",
    "feed_in.weight": "1.net.1.weight",
    "feed_in.bias": "1.net.1.bias",
    "feed_out.weight": "1.net.4.weight",
    "feed_out.bias": "1.net.4.bias",
}


def is_checkpoint(folder: Path) -> bool:
    """Whether the folder has a file of settings and one of weights."""
    return bool(_files(folder, SETTINGS) and _files(folder, WEIGHTS))


def read_checkpoint(folder: Path, name: str) -> Checkpoint:
    """Read a folder with the two files of a RoFormer.

    Raises:
        ModelError: a file is damaged, there are several of a kind, the network is another one, or a tensor does not
            fit.
    """
    path = _only(folder, WEIGHTS)
    settings = read_settings(_only(folder, SETTINGS))
    settings.check_network()
    found = read_weights(path) if path.suffix.lower() == ".safetensors" else read_state_dict(path, within=WRAPPERS)
    config = config_of(settings, has_final_norm=FINAL_NORM in found)
    stems, remainder = stems_of(settings, config.stems)
    windows = windows_of(settings, config.hop_samples)
    rotary = _rotary(found, config, path)
    names = published_names(config)
    expected = {names[ours]: shape for ours, shape in tensor_shapes(config).items() if ours in names}
    compare_shapes(shapes_of(found), expected, str(path))
    tensors = {ours: as_weight(found[theirs], theirs, str(path)) for ours, theirs in names.items()}
    kind = "Mel-Band RoFormer" if config.mel_bands else "BS-RoFormer"
    spec = ModelSpec(
        name=name,
        family="roformer",
        sample_rate=settings.sample_rate,
        channels=config.channels,
        stems=stems,
        geometry=config,
        licence="as stated by its publisher",
        provenance=f"A {kind}, imported from {path.name} with {settings.path.name}.",
        windows=windows,
        level="own",
        remainder=remainder,
    )
    return Checkpoint(tensors | rotary, spec)


def published_names(g: RoformerConfig) -> dict[str, str]:
    """Our name of each tensor: the published one; without the angles, of which a checkpoint has copies or none."""
    names = {"norm.weight": FINAL_NORM} if g.final_norm else {}
    for k in range(len(g.spans)):
        names[f"inlet.{k}.norm.weight"] = f"band_split.to_features.{k}.0.gamma"
        for part in ("weight", "bias"):
            names[f"inlet.{k}.linear.{part}"] = f"band_split.to_features.{k}.1.{part}"
            for s in range(g.stems):
                for i in range(g.mask_layers + 1):  # activations in between count too
                    names[f"masks.{s}.{k}.{i}.{part}"] = f"mask_estimators.{s}.to_freqs.{k}.0.{2 * i}.{part}"
    for i in range(g.blocks):
        for axis, layers in (("time", g.time_layers), ("bands", g.band_layers)):
            ours, theirs = f"blocks.{i}.{axis}", f"layers.{i}.{AXES[axis]}"
            names |= {
                f"{ours}.layers.{j}.{mine}": f"{theirs}.layers.{j}.{other}"
                for j in range(layers)
                for mine, other in LAYER.items()
            }
            if g.block_norm:
                names[f"{ours}.norm.weight"] = f"{theirs}.norm.gamma"
    return names


def _rotary(found: dict[str, np.ndarray], g: RoformerConfig, path: Path) -> dict[str, np.ndarray]:
    """Take the angles out of the tensors: one set for each axis, of which every layer has a copy; else the usual ones.

    Raises:
        ModelError: copies differ, or have another shape.
    """
    usual = (10000 ** (-np.arange(0, g.head_features, 2) / g.head_features)).astype(np.float32)
    angles = {}
    for axis, layers in (("time", g.time_layers), ("bands", g.band_layers)):
        names = [
            f"layers.{i}.{AXES[axis]}.layers.{j}.0.rotary_embed.freqs" for i in range(g.blocks) for j in range(layers)
        ]
        copies = {name: as_weight(found.pop(name), name, str(path)) for name in names if name in found}
        first = next(iter(copies.values()), usual)
        for name, copy in copies.items():
            if copy.shape != usual.shape or not np.array_equal(copy, first):
                raise ModelError(
                    f"{path}: tensor {quoted(name)} differs from those of the other layers, or is not of {len(usual)} "
                    "angles; a network that can be imported has one set of them for each axis."
                )
        angles[f"rotary.{axis}"] = first
    return angles


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() in suffixes and not path.name.startswith(".")
    )


def _only(folder: Path, suffixes: tuple[str, ...]) -> Path:
    """The only file of a kind."""
    files = _files(folder, suffixes)
    if len(files) > 1:
        named = ", ".join(path.name for path in files[:3])
        raise ModelError(f"{folder} holds several candidates ({named}); leave one file of settings and one of weights.")
    return files[0]
