"""ClearerVoice's MossFormer2 folders for separation, read without torch.

A published model (`alibabasglab/MossFormer2_SS_16K` on the Hugging Face hub) is `last_best_checkpoint`, a line with the
name of a file, and that file, in which the state dict lies beside the state of the training. Sizes follow from the
tensors, whose names and shapes are then checked both ways; the frames in a group, which no tensor shows, are the same
in all published models, and so is the sample rate. Two kinds of tensors become part of others: the gain g of a norm
without an offset, W (g x) = (g W) x, and the path around a depthwise convolution, a one in the middle of its kernel.

Source: ClearerVoice-Studio (clearvoice/models/mossformer2_ss, networks.py).
"""

import re
from pathlib import Path

import numpy as np

from unbraid.errors import ModelError, quoted
from unbraid.files.bounded import read_bytes
from unbraid.hub.importers.checkpoint import Checkpoint, as_weight, size_of
from unbraid.hub.importers.torch_pickle import read_state_dict
from unbraid.hub.spec import ModelSpec, Windows, is_file_name
from unbraid.models.family import tensor_shapes
from unbraid.models.mossformer2.config import MossFormer2Config
from unbraid.models.shapes import Shapes
from unbraid.models.tensors import compare_shapes, shapes_of

POINTER = "last_best_checkpoint"
FILES = f"{POINTER} and the .pt file that it names"
WITHIN = "model"  # key that the state dict lies under
PARALLEL = "module."  # in front of every name where a network was trained on several devices
SAMPLE_RATE = 16000
WINDOWS = Windows(4.0, 1.0)  # trained on crops of 2 s; see docs/models.md
MOST_POINTER_BYTES = 1000
BLOCKS = "mask_net.mdl.intra_mdl.mossformerM"
ANGLES = re.compile(rf"{re.escape(BLOCKS)}\.layers\.\d+\.rotary_pos_emb\.freqs")

OUTER = {  # modules and tensors; ours: published
    "encoder": "enc.conv1d",
    "decoder": "dec",
    "masknet.norm": "mask_net.norm",
    "masknet.inlet": "mask_net.conv1d_encoder",
    "masknet.position_rates": "mask_net.pos_enc.inv_freq",
    "masknet.position_scale": "mask_net.pos_enc.scale",
    "masknet.layers_norm": "mask_net.mdl.intra_mdl.norm",
    "masknet.block_norm": "mask_net.mdl.intra_norm",
    "masknet.prelu": "mask_net.prelu",
    "masknet.split": "mask_net.conv1d_out",
    "masknet.value": "mask_net.output.0",
    "masknet.gate": "mask_net.output_gate.0",
    "masknet.outlet": "mask_net.conv1_decoder",
}
LAYER = {  # within a layer; {i} is its number
    "attention.values": "layers.{i}.to_hidden",
    "attention.gates": "layers.{i}.to_hidden",
    "attention.keys": "layers.{i}.to_qk",
    "attention.outlet": "layers.{i}.to_out",
    "attention.head_scales": "layers.{i}.qk_offset_scale.gamma",
    "attention.head_offsets": "layers.{i}.qk_offset_scale.beta",
    "memory.inlet": "fsmn.{i}.conv1.0",
    "memory.prelu": "fsmn.{i}.conv1.1",
    "memory.inlet_norm": "fsmn.{i}.norm1",
    "memory.values_norm": "fsmn.{i}.gated_fsmn.to_v.mdl.0",
    "memory.values": "fsmn.{i}.gated_fsmn.to_v",
    "memory.gates_norm": "fsmn.{i}.gated_fsmn.to_u.mdl.0",
    "memory.gates": "fsmn.{i}.gated_fsmn.to_u",
    "memory.hidden": "fsmn.{i}.gated_fsmn.fsmn.linear",
    "memory.project": "fsmn.{i}.gated_fsmn.fsmn.project",
    "memory.convs.0.conv": "fsmn.{i}.gated_fsmn.fsmn.conv.conv1",
    "memory.convs.0.norm": "fsmn.{i}.gated_fsmn.fsmn.conv.norm1",
    "memory.convs.0.prelu": "fsmn.{i}.gated_fsmn.fsmn.conv.prelu1",
    "memory.convs.1.conv": "fsmn.{i}.gated_fsmn.fsmn.conv.conv2",
    "memory.convs.1.norm": "fsmn.{i}.gated_fsmn.fsmn.conv.norm2",
    "memory.convs.1.prelu": "fsmn.{i}.gated_fsmn.fsmn.conv.prelu2",
    "memory.outlet_norm": "fsmn.{i}.norm2",
    "memory.outlet": "fsmn.{i}.conv2",
}
PARTS = {".linear.weight": ".mdl.1.weight", ".linear.bias": ".mdl.1.bias",
         ".conv.weight": ".mdl.3.sequential.1.conv.weight"}  # of a projection; ours: published  # fmt: skip
HALVES = ("attention.values", "attention.gates")  # of one published projection, in this order
ONE_BY_ONE = re.compile(  # published convolutions: an axis of size 1 at the end that our weights lack
    r"masknet\.(inlet|split|value|gate|outlet|layers\.\d+\.memory\.(inlet|outlet|convs\.\d\.conv))\.weight"
)


def is_checkpoint(folder: Path) -> bool:
    """Whether the folder looks like one of ClearerVoice's."""
    return (folder / POINTER).exists()


def read_checkpoint(folder: Path, name: str) -> Checkpoint:
    """Read a MossFormer2 folder.

    Raises:
        ModelError: a file is missing or damaged, the network is not a MossFormer2 for separation, or a tensor does not
            fit.
    """
    path = folder / pointed_file(folder / POINTER)
    if not path.is_file():
        raise ModelError(f"{folder / POINTER} names {path.name}, which is not beside it; add that file.")
    state = read_state_dict(path, within=(WITHIN,))
    found = {key.removeprefix(PARALLEL): value for key, value in state.items()}
    config = _config(found, path)
    angles = _angles(found, config, path)
    compare_shapes(shapes_of(found), published_shapes(config), str(path))
    weights = {theirs: as_weight(tensor, theirs, str(path)) for theirs, tensor in found.items()}
    tensors = _renamed(weights, config) | {"masknet.rotary_rates": angles}
    official = "/" in name
    spec = ModelSpec(
        name=name,
        family="mossformer2",
        sample_rate=SAMPLE_RATE,
        channels=1,
        stems=("speech",) if config.sources == 1 else tuple(f"voice{i + 1}" for i in range(config.sources)),
        geometry=config,
        licence="Apache-2.0" if official else "as stated by its publisher",
        provenance=f"A MossFormer2 trained with ClearerVoice, imported from {name if official else folder.name}.",
        windows=WINDOWS,
    )
    return Checkpoint(dict(sorted(tensors.items())), spec)


def pointed_file(pointer: Path) -> str:
    """The name of the weights file, which the first line of another file tells.

    Raises:
        ModelError: it tells none, or one outside its folder.
    """
    try:
        line = read_bytes(pointer, MOST_POINTER_BYTES).decode("utf-8").partition("\n")[0].strip()
    except (OSError, ValueError) as error:
        raise ModelError(f"{pointer} cannot be read: {error}.") from None
    if not is_file_name(line) or not line.endswith(".pt"):
        raise ModelError(f"{pointer} names {quoted(line)}, expected the name of a .pt file beside it.")
    return line


def published_names(g: MossFormer2Config) -> dict[str, str]:
    """The published name of each of our tensors, but for the angles of queries and keys."""
    modules = OUTER | {
        f"masknet.layers.{i}.{ours}": f"{BLOCKS}.{theirs.format(i=i)}"
        for i in range(g.layers)
        for ours, theirs in LAYER.items()
    }
    names = {}
    for tensor in tensor_shapes(g):
        for part in ("", ".weight", ".bias", *PARTS):
            if (module := tensor.removesuffix(part)) in modules and tensor.endswith(part):
                names[tensor] = modules[module] + PARTS.get(part, part)
    return names


def published_shapes(g: MossFormer2Config) -> Shapes:
    """Name and shape of every tensor that a published network of these sizes has, but for those angles."""
    shapes: Shapes = {}
    ours = tensor_shapes(g)
    for name, theirs in published_names(g).items():
        shape = ours[name] + ((1,) if ONE_BY_ONE.fullmatch(name) else ())
        shapes[theirs] = (2 * shape[0], *shape[1:]) if _half(name) is not None else shape
    for i in range(g.layers):
        shapes |= {f"{BLOCKS}.layers.{i}.{part}.mdl.0.g": (1,) for part in ("to_hidden", "to_qk", "to_out")}
    return shapes


def _half(name: str) -> int | None:
    """Which half of a published tensor one of ours is."""
    return next((i for i, part in enumerate(HALVES) if f".{part}." in name), None)


def _renamed(weights: dict[str, np.ndarray], g: MossFormer2Config) -> dict[str, np.ndarray]:
    """The tensors under our names, with gains and paths around convolutions inside."""
    tensors, shapes = {}, tensor_shapes(g)
    for name, theirs in published_names(g).items():
        weight, half = weights[theirs], _half(name)
        if half is not None:
            weight = np.split(weight, 2)[half]
        if ".attention." in name and name.endswith(".linear.weight"):
            weight = weight * weights[theirs.replace(".mdl.1.weight", ".mdl.0.g")]
        if theirs.endswith(PARTS[".conv.weight"]):
            weight = weight.copy()
            weight[..., g.kernel_frames // 2] += 1
        tensors[name] = np.ascontiguousarray(weight).reshape(shapes[name])
    return tensors


def _angles(found: dict[str, np.ndarray], g: MossFormer2Config, path: Path) -> np.ndarray:
    """Take the rates (R/2,) of angles out of the tensors: every layer has a copy, or none has; else the usual ones.

    Raises:
        ModelError: copies differ, or have another shape.
    """
    size = g.rotated_features
    usual = (10000 ** (-np.arange(0, size, 2) / size)).astype(np.float32)
    copies = {name: as_weight(found.pop(name), name, str(path)) for name in list(found) if ANGLES.fullmatch(name)}
    first = next(iter(copies.values()), usual)
    for name, copy in copies.items():
        if copy.shape != usual.shape or not np.array_equal(copy, first):
            raise ModelError(
                f"{path}: tensor {quoted(name)} differs from those of the other layers, or is not of {len(usual)} "
                "angles; a network that can be imported has one set of them."
            )
    return first


def _config(found: dict[str, np.ndarray], path: Path) -> MossFormer2Config:
    """Sizes from the tensors."""

    def size(name: str, axis: int) -> int:
        return size_of(found, name, axis, path, "a MossFormer2 that separates voices")

    features, keys = size("enc.conv1d.weight", 0), f"{BLOCKS}.layers.0.to_qk.mdl"
    memory = f"{BLOCKS}.fsmn.0.gated_fsmn.fsmn"
    pattern = re.compile(rf"{re.escape(BLOCKS)}\.layers\.(\d+)\.")
    try:
        return MossFormer2Config(
            sources=size("mask_net.conv1d_out.weight", 0) // features,
            features=features,
            kernel_samples=size("enc.conv1d.weight", 2),
            layers=len({match[1] for name in found if (match := pattern.match(name))}),
            key_features=size(f"{keys}.1.weight", 0),
            kernel_frames=size(f"{keys}.3.sequential.1.conv.weight", 2),
            memory_features=size(f"{memory}.linear.weight", 0),
            memory_frames=size(f"{memory}.conv.conv1.weight", 2),
        )
    except ValueError as error:
        raise ModelError(f"{path}: the sizes describe no network: {error}") from None
