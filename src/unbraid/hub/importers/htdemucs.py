"""Hybrid Transformer Demucs as Demucs publishes it, read without torch or Demucs.

A model is a file (`demucs_package`), or a YAML file that names several (`models`) and says which of them gives which
stem (`weights`, a row for each network). Of such a bag, each network is kept with the outputs of its own stem only. All
names and shapes of tensors are checked both ways. Scales behind a layer are multiplied into its weights. Source: demucs
4.1.0, htdemucs.py, hdemucs.py, transformer.py and repo.py.
"""

import dataclasses
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from unbraid.errors import ModelError, quoted
from unbraid.files.plain_yaml import read_yaml
from unbraid.hub.importers import demucs_package, settings
from unbraid.hub.importers.checkpoint import Checkpoint, as_weight
from unbraid.hub.importers.demucs_package import WEIGHTS, Package, read_demucs
from unbraid.hub.importers.htdemucs_names import published_shapes, unscaled
from unbraid.hub.importers.settings import Rules, Settings
from unbraid.hub.spec import ModelSpec, Windows
from unbraid.models.htdemucs.config import KERNEL, STRIDE, HtdemucsConfig
from unbraid.models.htdemucs.layout import BRANCHES, prefix
from unbraid.models.tensors import compare_shapes, shapes_of

BAGS = (".yaml", ".yml")
FILES = f"a {WEIGHTS[0]} or {WEIGHTS[1]} of Demucs's, or several and the {BAGS[0]} that names them"
OVERLAP = 0.25  # of a segment, by default
RULES: Rules = {  # argument: (its default, what our network has)
    "channels_time": (None, None),
    "growth": (2, 2),
    "wiener_iters": (0, 0),
    "end_iters": (0, 0),
    "wiener_residual": (False, False),
    "cac": (True, True),
    "rewrite": (True, True),
    "kernel_size": (KERNEL, KERNEL),
    "stride": (STRIDE, STRIDE),
    "context": (1, 1),
    "context_enc": (0, 0),
    "t_emb": ("sin", "sin"),
    "t_norm_in": (True, True),
    "t_norm_in_group": (False, False),
    "t_group_norm": (False, False),
    "t_norm_first": (True, True),
    "t_norm_out": (True, True),
    "t_max_period": (10_000, 10_000),
    "t_layer_scale": (True, True),
    "t_gelu": (True, True),
    "t_weight_pos_embed": (1, 1),
    "t_sparse_self_attn": (False, False),
    "t_sparse_cross_attn": (False, False),
    "t_cross_first": (False, False),
    "use_train_segment": (True, True),
}


@dataclass(frozen=True)
class Network:
    """A network of one file, under our names."""

    config: HtdemucsConfig
    stems: tuple[str, ...]
    sample_rate: int
    tensors: dict[str, np.ndarray]


def is_checkpoint(folder: Path) -> bool:
    """Whether the folder has the YAML file of a bag, or files of Demucs's and no YAML file."""
    if bags := _files(folder, BAGS):
        return any(_names_models(path) for path in bags)
    return any(path.suffix.lower() == ".th" or demucs_package.names_class(path) for path in _files(folder, WEIGHTS))


def read_checkpoint(folder: Path, name: str) -> Checkpoint:
    """Read a folder with a file of Demucs's, or with a bag.

    Raises:
        ModelError: a file is missing or damaged, the networks are others, or differ, or stems are averages of several.
    """
    files, chosen = _bag(folder)
    network = _joined([read_network(path) for path in files], files, chosen)
    config, rate = network.config, network.sample_rate
    overlap = config.segment_samples - int((1 - OVERLAP) * config.segment_samples)
    named = ", ".join(path.name for path in files)
    spec = ModelSpec(
        name=name,
        family="htdemucs",
        sample_rate=rate,
        channels=config.channels,
        stems=network.stems,
        geometry=config,
        licence="as stated by its publisher",
        provenance=f"A Hybrid Transformer Demucs, imported from {named}.",
        windows=Windows(config.segment_samples / rate, overlap / rate),
        level="own",
    )
    return Checkpoint(network.tensors, spec)


def read_network(path: Path) -> Network:
    """The network in one file.

    Raises:
        ModelError: it is another one, or a tensor does not fit.
    """
    package = read_demucs(path)
    config, stems, rate = config_of(package)
    compare_shapes(shapes_of(package.state), published_shapes(config), str(path))
    weights = {name: as_weight(value, name, str(path)) for name, value in package.state.items()}
    scale = (
        np.float32(_number(package.arguments, "emb_scale", 10)),
        np.float32(_number(package.arguments, "freq_emb", 0.2)),
    )
    return Network(config, stems, rate, unscaled(config, weights, scale))


def config_of(package: Package) -> tuple[HtdemucsConfig, tuple[str, ...], int]:
    """The sizes of a network, its stems and its sample rate.

    Raises:
        ModelError: an argument is missing, or would make another network.
    """
    given, path = package.arguments, package.path
    given.require(RULES)
    if given.get("multi_freqs"):
        raise ModelError(f"{path}: multi_freqs is {quoted(given.get('multi_freqs'))}; only networks without are read.")
    if not _number(given, "freq_emb", 0.2):
        raise ModelError(f"{path}: freq_emb is 0; a network that can be imported has an embedding of frequencies.")
    sources = given.get("sources")
    if not isinstance(sources, list | tuple) or not sources or not all(isinstance(name, str) for name in sources):
        raise given.misfit("sources", sources, "the names of the stems, a list")
    levels, rate = given.positive("depth", 4), given.positive("samplerate", 44_100)
    if (starts := given.positive("norm_starts", 4)) < levels:
        raise ModelError(f"{path}: norm_starts is {starts}; a network that can be imported has no norms in {levels}.")
    if (mode := given.get("dconv_mode", 1)) not in (1, 3):
        raise ModelError(f"{path}: dconv_mode is {quoted(mode)}; a network that can be imported has 1 or 3.")
    features, bottom = given.positive("channels", 48), given.get("bottom_channels", 0)
    inner = given.positive("bottom_channels") if bottom else features << min(levels - 1, 20)
    try:
        config = HtdemucsConfig(
            stems=len(sources),
            channels=given.positive("audio_channels", 2),
            frame_samples=given.positive("nfft", 4096),
            segment_samples=int(_number(given, "segment", 10) * rate),
            features=features,
            levels=levels,
            residual_layers=given.positive("dconv_depth", 2),
            squeeze=int(_number(given, "dconv_comp", 8)),
            decoder_residuals=mode == 3,
            bottom=bottom and inner,
            layers=given.positive("t_layers", 5),
            heads=given.positive("t_heads", 8),
            hidden=int(inner * _number(given, "t_hidden_scale", 4)),
        )
    except ValueError as error:
        raise ModelError(f"{path}: the arguments describe no network that can be imported: {error}") from None
    return config, tuple(name.lower() for name in sources), rate


def _number(given: Settings, key: str, default: float) -> Any:
    """A number that is not below zero, and not large."""
    value = given.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float | Fraction) or not 0 <= value < 1e6:
        raise given.misfit(key, value, "a number from 0 on")
    return value


def _bag(folder: Path) -> tuple[list[Path], list[int] | None]:
    """The files of the networks, and for each stem the number of its network; None where one gives all."""
    weights = _files(folder, WEIGHTS)
    if not (bags := _files(folder, BAGS)):
        if len(weights) == 1:
            return weights, None
        raise ModelError(
            f"{folder} holds {len(weights)} networks ({', '.join(path.name for path in weights[:3])}); leave one, or "
            "add the YAML file of the bag that they are."
        )
    if len(bags) > 1:
        raise ModelError(f"{folder} holds several YAML files ({', '.join(path.name for path in bags[:3])}); leave one.")
    bag = settings.read_settings(bags[0], read_yaml, "is not YAML", "is not a YAML mapping of names to settings")
    files = [_only(bag, signature, weights) for signature in bag.get("models")]
    if bag.get("segment") is not None:
        raise ModelError(
            f"{bag.path}: segment is {quoted(bag.get('segment'))}; only whole segments of networks are read."
        )
    return files, None if len(files) == 1 else _chosen(bag, len(files))


def _only(bag: Settings, signature: Any, weights: list[Path]) -> Path:
    """The file of a network in a bag."""
    found = [path for path in weights if path.stem.split("-")[0] == str(signature)]
    if len(found) != 1:
        count = "no file" if not found else f"{len(found)} files"
        raise ModelError(
            f"{bag.path} names the network {quoted(signature)}, of which there is {count}; put one beside it."
        )
    return found[0]


def _chosen(bag: Settings, networks: int) -> list[int]:
    """The number of the only network of each stem."""
    rows = bag.get("weights")
    is_table = isinstance(rows, list) and len(rows) == networks and all(isinstance(row, list) for row in rows)
    columns: list[Any] = list(zip(*rows, strict=False)) if is_table else []
    chosen = [[k for k, weight in enumerate(column) if weight] for column in columns]
    if not chosen or any(len(networks_of) != 1 for networks_of in chosen):
        raise ModelError(
            f"{bag.path}: stems are averages of {networks} networks; a bag that can be imported has 'weights' that "
            "take each stem from one of them. Import the networks one by one, and name several models with -m."
        )
    return [networks_of[0] for networks_of in chosen]


def _joined(networks: list[Network], files: list[Path], chosen: list[int] | None) -> Network:
    """One network, or for each stem its own, with the outputs of that stem only."""
    first = networks[0]
    for network, path in zip(networks[1:], files[1:], strict=True):
        if (network.config, network.stems, network.sample_rate) != (first.config, first.stems, first.sample_rate):
            raise ModelError(f"{path} differs from {files[0].name} in sizes, stems or sample rate; a bag has one kind.")
    if chosen is None:
        return first
    if len(chosen) != len(first.stems):
        raise ModelError(
            f"{files[0].parent}: weights are for {len(chosen)} stems, and the networks give {len(first.stems)}."
        )
    if len(chosen) == 1:
        return networks[chosen[0]]
    config = dataclasses.replace(first.config, networks=len(chosen))
    tensors: dict[str, np.ndarray] = {}
    for stem, (part, number) in enumerate(zip(config.graphs, chosen, strict=True)):
        own = networks[number].tensors
        tensors |= {f"{prefix(config, part)}{name}": value for name, value in _of_stem(config, own, stem).items()}
    return dataclasses.replace(first, config=config, tensors=tensors)


def _of_stem(config: HtdemucsConfig, tensors: dict[str, np.ndarray], stem: int) -> dict[str, np.ndarray]:
    """The tensors of a network with the outputs of one stem."""
    cut = {}
    for branch in BRANCHES:
        last = f"{branch}.decoder.{config.levels - 1}.conv"
        count = len(tensors[f"{last}.bias"]) // config.stems
        own = slice(stem * count, (stem + 1) * count)
        cut[f"{last}.bias"] = tensors[f"{last}.bias"][own]
        cut[f"{last}.weight"] = np.ascontiguousarray(tensors[f"{last}.weight"][:, own])
    return {**tensors, **cut}


def _names_models(path: Path) -> bool:
    """Whether a YAML file lists the networks of a bag."""
    try:
        bag = settings.read_settings(path, read_yaml, "is not YAML", "is not a YAML mapping of names to settings")
    except ModelError:
        return False
    return isinstance(models := bag.get("models"), list) and 0 < len(models) <= 64


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() in suffixes and not path.name.startswith(".")
    )
