"""Spleeter's checkpoints, read without Spleeter or TensorFlow.

A model is a folder: `checkpoint` (text that names the prefix), `<prefix>.index` and `<prefix>.data-…` (see
`tf_bundle`), and for models that users trained, their JSON configuration (see `spleeter_config`). The networks have
no scopes: Keras numbers the layers of all stems in the order of their construction. The deepest batch norm of each
encoder is dead: it was built, and saved, but its output is not used.
Source: deezer/spleeter 2.4.2, model/functions/unet.py and model/__init__.py.
"""

import hashlib
import re
from fnmatch import fnmatchcase
from pathlib import Path

from unbraid.errors import ModelError, shortened
from unbraid.files.bounded import read_bytes, readable
from unbraid.files.walk import files_in
from unbraid.hub.importers import tf_bundle
from unbraid.hub.importers.checkpoint import Checkpoint, as_weight
from unbraid.hub.importers.spleeter_config import SHIPPED_STEMS, SpleeterConfig, read_config, shipped_config
from unbraid.hub.spec import ModelSpec
from unbraid.models.family import tensor_shapes
from unbraid.models.shapes import Shapes
from unbraid.models.tensors import compare_shapes
from unbraid.models.unet.config import UNetConfig

OFFICIAL = {  # SHA-256 of an official model.index, which holds the checksum of every tensor: stems
    "55661a09f79c86071fc7077b44b4cf1f01b6d82bbbb83ed94cb68a2f9944e378": 2,
    "99ea41b3ef9bfbc6a34520409427af5ba7a883173e57ea25d6c487584b891b18": 4,
    "b20377789eb084cb5ac78d141a1d480dfdbf8c796ecc554a9b8e4376cd3cee20": 5,
}
NARROW, WIDE = "stems", "stems-16kHz"  # the two variants of each official model: 1024 and 1536 bins, same weights
WIDE_BINS = 1536
CONVOLUTION = {"kernel": "weight", "bias": "bias"}
BATCH_NORM = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
KERNEL = re.compile(r"conv2d(_\d+)?/kernel")
OPTIMISER = re.compile(r"global_step|beta[12]_power|.*/(Adam|Adadelta)(_1)?")  # saved, but no part of the network
PREFIX = re.compile(r'^model_checkpoint_path:\s*"(.+)"', re.MULTILINE)
LAYOUT = "checkpoint, model.index and model.data-00000-of-00001"


def is_checkpoint(folder: Path) -> bool:
    """Whether the folder looks like one of Spleeter's."""
    return (folder / "checkpoint").is_file() or bool(_visible(folder, "*.index") or _visible(folder, "*.data-*-of-*"))


def read_checkpoint(folder: Path, name: str) -> Checkpoint:
    """Read a Spleeter model folder.

    Raises:
        ModelError: there are no weights, or damaged ones, or ones that do not fit the configuration, or a
            configuration that cannot be met.
    """
    path = find_index(folder)
    index = tf_bundle.read_index(path)
    config = _config(folder, name, index)
    geometry = config.geometry
    found = {key: entry.shape for key, entry in index.entries.items() if not OPTIMISER.fullmatch(key)}
    compare_shapes(found, published_shapes(geometry), str(path))
    published = tf_bundle.read_tensors(index, index.entries.keys() & found.keys())
    tensors = {}
    for theirs, ours in published_names(geometry).items():
        weight = published[theirs]
        if weight.ndim == 4:  # (H, W, in, out) -> (out, in, H, W); transposed convolutions have in and out swapped
            weight = weight.transpose(3, 2, 0, 1)
        tensors[ours] = as_weight(weight, theirs, str(path))
    official = OFFICIAL.get(hashlib.sha256(path.read_bytes()).hexdigest())
    spec = ModelSpec(
        name=name,
        family="unet",
        sample_rate=config.sample_rate,
        channels=geometry.channels,
        stems=config.stems,
        geometry=geometry,
        licence="MIT" if official else "as stated by its publisher",
        provenance=(
            f"Spleeter's official {official}-stem model (Deezer, release v1.4.0), imported from its checkpoint."
            if official
            else f"A model trained with Spleeter, imported from the checkpoint {folder.name}/{path.stem}."
        ),
        spectral=config.spectral,
    )
    return Checkpoint(dict(sorted(tensors.items())), spec)


def find_index(folder: Path) -> Path:
    """The index file that `checkpoint` names, in the same folder whatever path it was saved under.

    Raises:
        ModelError: there is none, or `checkpoint` does not say which of several.
    """
    present = {path.name for path in _visible(folder, "*.index")}
    if not present:
        raise ModelError(
            f"{folder} holds no weights (Spleeter itself would run random ones): it has no *.index file; "
            f"expected {LAYOUT}. Fetch the model again."
        )
    pointer = folder / "checkpoint"
    if not pointer.is_file():
        if len(present) == 1:
            return folder / present.pop()
        raise ModelError(f"{folder} has no file 'checkpoint' that says which of {', '.join(sorted(present))} to read.")
    with readable(pointer, ModelError):
        match = PREFIX.search(read_bytes(pointer, 1 << 20).decode("utf-8", errors="replace"))
    if not match:
        raise ModelError(f'{pointer} names no checkpoint; expected a line like model_checkpoint_path: "model".')
    name = re.split(r"[/\\]", match[1])[-1] + ".index"
    if name not in present:
        raise ModelError(
            f"{pointer} names {shortened(name)}, which is not in the folder; it has {', '.join(sorted(present))}."
        )
    return folder / name


def published_names(geometry: UNetConfig) -> dict[str, str]:
    """{published: ours} for every variable in use."""
    names: dict[str, str] = {}
    levels = len(geometry.filters)
    for k in range(geometry.stems):
        for i in range(levels):
            names |= _layer("conv2d", (levels + 1) * k + i, f"nets.{k}.down.{i}", CONVOLUTION)
            names |= _layer("conv2d_transpose", levels * k + i, f"nets.{k}.up.{i}", CONVOLUTION)
            names |= _layer("batch_normalization", levels * (2 * k + 1) + i, f"nets.{k}.up_norm.{i}", BATCH_NORM)
        for i in range(levels - 1):
            names |= _layer("batch_normalization", levels * 2 * k + i, f"nets.{k}.down_norm.{i}", BATCH_NORM)
        names |= _layer("conv2d", (levels + 1) * k + levels, f"nets.{k}.last", CONVOLUTION)
    return names


def published_shapes(geometry: UNetConfig) -> Shapes:
    """Name and shape of every variable of a published network, the dead ones included."""
    ours, levels = tensor_shapes(geometry), len(geometry.filters)
    shapes = {theirs: _published_shape(ours[name]) for theirs, name in published_names(geometry).items()}
    for k in range(geometry.stems):
        dead = _layer("batch_normalization", levels * (2 * k + 1) - 1, "", BATCH_NORM)
        shapes |= {theirs: (geometry.filters[-1],) for theirs in dead}
    return shapes


def _layer(kind: str, number: int, ours: str, variables: dict[str, str]) -> dict[str, str]:
    layer = f"{kind}_{number}" if number else kind
    return {f"{layer}/{theirs}": f"{ours}.{variable}" for theirs, variable in variables.items()}


def _published_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[2], shape[3], shape[1], shape[0]) if len(shape) == 4 else shape


def _visible(folder: Path, pattern: str) -> list[Path]:
    """Files that match; not hidden ones (the official archives hold `._` files of a Mac)."""
    return [path for path in files_in(folder, recursive=False) if fnmatchcase(path.name, pattern)]


def _config(folder: Path, name: str, index: tf_bundle.Index) -> SpleeterConfig:
    """The configuration in the folder, else the official one for that many networks."""
    kernels = sum(1 for key in index.entries if KERNEL.fullmatch(key))
    nets = -(-kernels // 7)
    files = _visible(folder, "*.json")
    config_file = folder / "config.json"
    if config_file not in files and len(files) > 1:
        raise ModelError(f"{folder} has several *.json files; name the model's configuration config.json.")
    if files:
        config = read_config(config_file if config_file in files else files[0])
        if len(config.stems) != nets:
            raise ModelError(
                f"{folder}: the configuration names {len(config.stems)} stems, {index.path.name} holds {nets} U-Nets."
            )
        return config
    if nets not in SHIPPED_STEMS:
        raise ModelError(
            f"{folder} has no configuration, and {index.path.name} holds {nets} U-Nets; only those of 2, 4 and 5 stems "
            "are known without one. Put the JSON file it was trained with beside it, as config.json."
        )
    _check_name(name, nets, folder)
    return shipped_config(nets, WIDE_BINS) if name.endswith(WIDE) else shipped_config(nets)


def _check_name(name: str, nets: int, folder: Path) -> None:
    """A name of Spleeter's own must be one that exists, and that of these weights."""
    allowed = [f"spleeter:{nets}{variant}" for variant in (NARROW, WIDE)]
    if name.startswith("spleeter:") and name not in allowed:
        choice = " or ".join(allowed)
        raise ModelError(f"{name} is not a name for {folder}, which holds {nets} stems; it can be {choice}.")
