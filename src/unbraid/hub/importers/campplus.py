"""3D-Speaker's CAM++ folders, read without torch.

A published model (`iic/speech_campplus_sv_en_voxceleb_16k` on ModelScope, `funasr/campplus` on the Hugging Face hub) is
the state dict of the network, campplus_….bin or .pt. Sizes follow from the tensors, whose names and shapes are then
checked both ways; dilations and segments, which no tensor shows, are the same in all published models, and so is the
sample rate. The batch norm behind the last layer has no weights of its own and becomes part of that layer:

    (W x - mean) / √(variance + ε) = (W / √…) x - mean / √…

Source: 3D-Speaker (speakerlab/models/campplus, speakerlab/process/processor.py).
"""

import re
from pathlib import Path

import numpy as np

from unbraid.errors import ModelError
from unbraid.hub.importers.checkpoint import Checkpoint, as_weight, size_of
from unbraid.hub.importers.residual import BLOCKS, blocks_of_stages, published_module
from unbraid.hub.importers.torch_pickle import read_state_dict
from unbraid.hub.spec import Mel, ModelSpec
from unbraid.models.campplus.config import CampplusConfig
from unbraid.models.family import tensor_shapes
from unbraid.models.shapes import BATCH_NORM_EPS, COUNTER, Shapes
from unbraid.models.speaker_config import WINDOWS
from unbraid.models.tensors import compare_shapes, shapes_of

FILES = "campplus_….bin or campplus_….pt"
WEIGHTS = re.compile(r"campplus_\w+\.(bin|pt)")
SAMPLE_RATE = 16000
FRAME_SAMPLES, HOP_SAMPLES = 400, 160
SAME_SPEAKER = 0.44  # cosine; chosen on dev conversations (docs/conversations.md)
LAST_NORM = "xvector.dense.nonlinear.batchnorm"

MODULES = {  # ours, as a pattern: published; {stage} and {layer} are counted from 1
    r"inlet\.conv": "tdnn.linear",
    r"inlet\.norm": "tdnn.nonlinear.batchnorm",
    r"stages\.(\d+)\.layers\.(\d+)\.norm": "block{stage}.tdnnd{layer}.nonlinear1.batchnorm",
    r"stages\.(\d+)\.layers\.(\d+)\.inlet\.conv": "block{stage}.tdnnd{layer}.linear1",
    r"stages\.(\d+)\.layers\.(\d+)\.inlet\.norm": "block{stage}.tdnnd{layer}.nonlinear2.batchnorm",
    r"stages\.(\d+)\.layers\.(\d+)\.local": "block{stage}.tdnnd{layer}.cam_layer.linear_local",
    r"stages\.(\d+)\.layers\.(\d+)\.squeeze": "block{stage}.tdnnd{layer}.cam_layer.linear1",
    r"stages\.(\d+)\.layers\.(\d+)\.mask": "block{stage}.tdnnd{layer}.cam_layer.linear2",
    r"stages\.(\d+)\.norm": "transit{stage}.nonlinear.batchnorm",
    r"stages\.(\d+)\.halve": "transit{stage}.linear",
    "norm": "out_nonlinear.batchnorm",
    "embedding": "dense.linear",
}


def is_checkpoint(folder: Path) -> bool:
    """Whether the folder looks like one of these."""
    return bool(_weights(folder))


def read_checkpoint(folder: Path, name: str) -> Checkpoint:
    """Read a CAM++ folder.

    Raises:
        ModelError: there are weights of several models, they are damaged or not those of a CAM++, or a tensor does not
            fit.
    """
    path, *others = _weights(folder)
    if others:
        raise ModelError(f"{folder} holds {path.name} and {others[0].name}; leave one of them in it.")
    found = {k: v for k, v in read_state_dict(path).items() if not k.endswith(COUNTER)}
    config, where = _config(found, path), str(path)
    compare_shapes(shapes_of(found), published_shapes(config), where)
    weights = {theirs: as_weight(tensor, theirs, where) for theirs, tensor in found.items()}
    if weights[f"{LAST_NORM}.running_var"].min() < 0:
        raise ModelError(f"{where}: {LAST_NORM} has a variance below 0; the checkpoint is damaged.")
    official = "/" in name
    spec = ModelSpec(
        name=name,
        family="campplus",
        sample_rate=SAMPLE_RATE,
        channels=1,
        stems=(),
        geometry=config,
        licence="Apache-2.0" if official else "as stated by its publisher",
        provenance=f"A CAM++ trained with 3D-Speaker, imported from {name if official else folder.name}.",
        windows=WINDOWS,
        same_speaker=SAME_SPEAKER,
        mel=Mel(FRAME_SAMPLES, HOP_SAMPLES, config.bins),
    )
    return Checkpoint(dict(sorted(_renamed(weights, config).items())), spec)


def published_names(config: CampplusConfig) -> dict[str, str]:
    """{published: ours} for every tensor but those of the last batch norm and the bias that it becomes."""
    return {_published(name): name for name in tensor_shapes(config) if name != "embedding.bias"}


def published_shapes(config: CampplusConfig) -> Shapes:
    """Name and shape of every tensor that a published network of these sizes has."""
    ours = tensor_shapes(config)
    shapes = {theirs: ours[name] for theirs, name in published_names(config).items()}
    shapes["xvector.dense.linear.weight"] += (1,)
    return shapes | {f"{LAST_NORM}.{part}": (config.features,) for part in ("running_mean", "running_var")}


def _weights(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if WEIGHTS.fullmatch(path.name))


def _published(name: str) -> str:
    """The published name of one of our tensors."""
    module, _, kind = name.rpartition(".")
    if module.startswith("front."):
        return f"head.{published_module(module.removeprefix('front.'))}.{kind}"
    for ours, theirs in MODULES.items():
        if match := re.fullmatch(ours, module):
            stage, layer = (int(number or 0) + 1 for number in (*match.groups(), "0", "0")[:2])
            return f"xvector.{theirs.format(stage=stage, layer=layer)}.{kind}"
    raise KeyError(name)


def _renamed(weights: dict[str, np.ndarray], config: CampplusConfig) -> dict[str, np.ndarray]:
    """The tensors under our names, the last batch norm within the embedding."""
    tensors = {ours: weights[theirs] for theirs, ours in published_names(config).items()}
    mean, variance = (weights[f"{LAST_NORM}.{part}"].astype(np.float64) for part in ("running_mean", "running_var"))
    scale = 1 / np.sqrt(variance + BATCH_NORM_EPS)  # (D,)
    tensors["embedding.weight"] = (tensors["embedding.weight"][..., 0] * scale[:, None]).astype(np.float32)
    tensors["embedding.bias"] = (-mean * scale).astype(np.float32)
    return tensors


def _config(found: dict[str, np.ndarray], path: Path) -> CampplusConfig:
    """Sizes from the tensors."""

    def size(name: str, axis: int) -> int:
        return size_of(found, name, axis, path, "a CAM++")

    front = blocks_of_stages(found, rf"head\.{BLOCKS}")
    planes = size("head.conv1.weight", 0)
    layer = "xvector.block1.tdnnd1"
    try:
        return CampplusConfig(
            bins=size("xvector.tdnn.linear.weight", 1) // planes * 2 ** (len(front) + 1),
            planes=planes,
            front_blocks=front,
            width=size("xvector.tdnn.linear.weight", 0),
            kernel=size("xvector.tdnn.linear.weight", 2),
            layers=blocks_of_stages(found, r"xvector\.block(\d+)\.tdnnd(\d+)\."),
            growth=size(f"{layer}.cam_layer.linear_local.weight", 0),
            bottleneck=size(f"{layer}.linear1.weight", 0),
            block_kernel=size(f"{layer}.cam_layer.linear_local.weight", 2),
            squeezed=size(f"{layer}.cam_layer.linear1.weight", 0),
            features=size("xvector.dense.linear.weight", 0),
        )
    except ValueError as error:
        raise ModelError(f"{path}: the sizes describe no network: {error}") from None
