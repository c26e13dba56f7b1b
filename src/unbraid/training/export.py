"""Export of a training checkpoint to a model folder, kept only if ONNX Runtime and torch agree on it.

A checkpoint is the best.pt of a training run: {"family": name, "model": state dict, "config": sizes of the network, …},
with "stems" and "spectral" for music, "vocabularies" for text.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unbraid.errors import ModelError, UsageError, quoted, shortened
from unbraid.files.atomic import appearing
from unbraid.files.strict import build
from unbraid.files.workdir import sweep
from unbraid.hub.folder import WEIGHTS, write_model_folder
from unbraid.hub.spec import Mel, ModelSpec, Spectral, Vocabularies, Windows
from unbraid.models.audio_transformer.config import AudioTransformerConfig, SpectrogramSide, TextSide, source_name
from unbraid.models.audio_transformer.padding import whole_steps
from unbraid.models.config import Config
from unbraid.models.family import FAMILIES, families_with, family_of, signature
from unbraid.models.shapes import COUNTER
from unbraid.models.signatures import axis_size
from unbraid.models.tensors import read_weights
from unbraid.models.unet.config import UNetConfig
from unbraid.runtime import Engine, open_executor
from unbraid.runtime.eager import load_module
from unbraid.tasks.decoding.state import DecoderState, batch

PARTS = {"spectral": Spectral, "windows": Windows, "vocabularies": Vocabularies, "mel": Mel}  # of a spec
NEEDED = {  # parts without defaults
    "vocabularies": "The checkpoint has no vocabularies, without which its network's symbols mean nothing.",
    "mel": "The checkpoint does not say which spectrogram its network knows (the key 'mel').",
}
PARITY = 1e-4  # of the output's peak
LEAST_SYMBOLS = 5  # of a vocabulary
LARGEST_VARIANCE = 3e4  # half of what float16 holds


def export_checkpoint(
    checkpoint: Path,
    destination: Path,
    *,
    name: str,
    dtype: str = "float32",
    stems: tuple[str, ...] | None = None,
    licence: str = "as stated by whoever trained it",
    provenance: str = "",
    scores: dict[str, float] | None = None,
) -> ModelSpec:
    """Write a checkpoint as a model folder, its weights in `dtype` (float32 or float16).

    `stems` picks some of a music checkpoint's networks, in that order; by default all of them.

    Raises:
        ModelError: the file is no checkpoint, its tensors do not fit its sizes, or the two engines disagree.
        UsageError: a stem that the checkpoint lacks.
    """
    sweep(destination.parent)
    if destination.exists():
        raise ModelError(f"{destination} exists; choose another place or remove it first.")
    saved = read_checkpoint(checkpoint)
    tensors = {key: value.numpy() for key, value in saved["model"].items() if not key.endswith(COUNTER)}
    if dtype == "float16":
        tensors = _in_range(tensors)
    spec = _spec(saved, name)
    if stems is not None:
        spec, tensors = _pick(spec, tensors, stems)
    spec = dataclasses.replace(
        spec,
        level=saved.get("level", "fitted"),
        silent_outputs=saved.get("silent_outputs") is True,
        licence=licence,
        provenance=provenance or f"exported from {checkpoint.name}.",
        scores=scores or {},
    )
    with appearing(destination, replace=False) as folder:
        spec = write_model_folder(folder, spec, tensors, dtype)
        check_parity(spec, folder)
    return spec


def _in_range(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same network with no batch norm's variance beyond float16: where one is, its weight goes down with it."""
    out = dict(tensors)
    for name in (name for name in tensors if name.endswith(".running_var")):
        over = np.maximum(tensors[name] / LARGEST_VARIANCE, 1)
        weight = name.replace("running_var", "weight")
        out[name], out[weight] = tensors[name] / over, tensors[weight] / np.sqrt(over)
    return out


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The plain tensors and values of a checkpoint file; nothing in it is ever executed.

    Raises:
        ModelError: it is unreadable, no training checkpoint, or holds more than plain tensors.
    """
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, AttributeError) as error:
        raise ModelError(
            f"{path} cannot be read as a torch checkpoint: {shortened(str(error)) or 'it is empty or cut off'}"
        ) from None
    except Exception as error:  # pickle.UnpicklingError and its kin
        raise ModelError(f"{path} is refused: it holds more than plain tensors ({shortened(str(error))}).") from None
    if not isinstance(saved, dict) or not {"model", "config"} <= saved.keys():
        raise ModelError(f"{path} is no training checkpoint: expected the keys 'model' and 'config'.")
    _check_saved(saved, path)
    return saved


def _check_saved(saved: dict[str, Any], path: Path) -> None:
    """Refuse a checkpoint whose parts are of other kinds, or whose tensors are larger than the file can hold."""
    model, config, rate = saved["model"], saved["config"], saved.get("sample_rate", 0)
    if not isinstance(model, dict) or not isinstance(config, dict) or type(rate) is not int:
        raise ModelError(f"{path} is no training checkpoint: 'model' and 'config' are tables, 'sample_rate' a number.")
    for name, value in model.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor) or value.layout != torch.strided:
            raise ModelError(f"{path} holds a {type(value).__name__} under {quoted(name)}, expected names and tensors.")
    if sum(value.numel() * value.element_size() for value in model.values()) > 2 * path.stat().st_size + (16 << 20):
        raise ModelError(f"{path} describes tensors that are larger than the file; it is damaged.")


def check_parity(spec: ModelSpec, folder: Path) -> float:
    """Run both engines on the same stored weights; returns the largest difference, relative to the peak.

    Raises:
        ModelError: they differ by more than 1e-4 of the peak.
    """
    geometry = spec.geometry
    difference = max(_difference(spec, folder, graph) for graph in geometry.graphs)
    if isinstance(geometry, AudioTransformerConfig) and not geometry.is_aligned:
        difference = max(difference, _difference_of_steps(spec, geometry, folder))
    if not difference <= PARITY:
        raise ModelError(f"{spec.name}: ONNX Runtime and torch differ by {difference:.1e} of the peak; not exported.")
    return difference


def _difference_of_steps(spec: ModelSpec, geometry: AudioTransformerConfig, folder: Path) -> float:
    """The largest difference between decoding step by step in ONNX Runtime and one pass in torch, relative to the peak.

    Both read the same two items, of different lengths, and the same random target of 31 steps.
    """
    random, side = np.random.default_rng(1), geometry.target
    full, other = example_inputs(geometry, "encoder")[source_name(geometry.source)]
    items = [full, whole_steps(other[: len(other) // 2], geometry.source)]
    encoder, decoder = (open_executor(spec, folder, graph, Engine("cpu")) for graph in ("encoder", "decoder"))
    state, read = DecoderState(encoder, decoder, geometry, items), batch(items, geometry.source)
    if isinstance(side, TextSide):
        target = random.integers(1, side.symbols, (2, 31))  # (B, M)
        ours = [np.stack([state.logits(symbols) for symbols in target.T], 1)]  # (B, M, V)
    else:
        assert isinstance(side, SpectrogramSide)
        target = random.uniform(-1, 1, (2, 31, side.stride * side.bins)).astype(np.float32)  # (B, M, r·F)
        steps = [state.frames(target[:, step]) for step in range(31)]
        ours = [np.stack(part, 1) for part in zip(*steps, strict=True)]  # (B, M, r·F), (B, M)
    module = load_module(geometry, read_weights(folder / WEIGHTS))
    with torch.inference_mode():
        found = module(*map(torch.from_numpy, read.values()), torch.from_numpy(target))
    theirs = [part.numpy() for part in ((found,) if isinstance(side, TextSide) else found)]
    return max(map(_relative, ours, theirs))


def _difference(spec: ModelSpec, folder: Path, graph: str) -> float:
    """The largest difference of one graph's outputs, relative to the peak of each."""
    inputs = example_inputs(spec.geometry, graph)
    ours, theirs = (open_executor(spec, folder, graph, Engine(device)).run(inputs) for device in ("cpu", "torch"))
    return max(_relative(ours[name], theirs[name]) for name in theirs)


def _relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference, relative to the peak of theirs."""
    return float(np.abs(ours - theirs).max() / (np.abs(theirs).max() + 1e-12))


def example_inputs(geometry: Config, graph: str) -> dict[str, np.ndarray]:
    """Random inputs of one of a network's graphs: an item of full length and perhaps a shorter one."""
    random, expected, sizes = np.random.default_rng(0), signature(geometry, graph), geometry.example_sizes
    inputs = dict[str, np.ndarray]()
    for name, axes in expected.inputs.items():
        shape = [axis_size(axis, sizes) for axis in axes]
        if name == "lengths":
            inputs[name] = np.array([sizes["N"], sizes["N"] // 2])
        elif name in expected.integers:
            inputs[name] = random.integers(1, LEAST_SYMBOLS, shape)
        else:
            least = 0 if name in ("magnitude", "state") else -1  # a state holds powers, too
            inputs[name] = random.uniform(least, 1, shape).astype(np.float32)
    return inputs


def _spec(saved: dict[str, Any], name: str) -> ModelSpec:
    """What a checkpoint says about its network; earlier releases do not name the family."""
    sizes = saved["config"]
    family = saved.get("family") or next(iter(families_with(sizes)), "")
    if family not in ("", *FAMILIES):
        raise ModelError(f"The checkpoint's family {quoted(family)} is not one of {', '.join(FAMILIES)}.")
    try:
        told = json.loads(json.dumps({key: saved.get(key) for key in ("config", *PARTS)}))  # with lists for tuples
        config: Config = build(FAMILIES[family or "unet"].config_type(), told["config"], "config")
        if missing := [part for part in config.needs if part in NEEDED and told[part] is None]:
            raise ModelError(NEEDED[missing[0]])
        parts: dict[str, Any] = {part: build(PARTS[part], told[part] or {}, part) for part in config.needs}
    except (TypeError, ValueError) as error:
        raise ModelError(f"The checkpoint's sizes do not describe a network: {error}") from None
    kind, rate = ("stem", 44100) if "spectral" in parts else ("voice", 8000)
    stems = [f"{kind}{i + 1}" for i in range(config.outputs)] if config.task != "enhancement" else ["speech"]
    return ModelSpec(
        name,
        family_of(config),
        (saved.get("sample_rate") or rate) if config.channels else 0,
        config.channels,
        tuple(saved.get("stems") or stems),
        config,
        licence="",
        provenance="",
        **parts,
    )


def _pick(
    spec: ModelSpec, tensors: dict[str, np.ndarray], stems: tuple[str, ...]
) -> tuple[ModelSpec, dict[str, np.ndarray]]:
    """The spec and the tensors of some stems' networks."""
    if not isinstance(spec.geometry, UNetConfig):
        raise UsageError("Stems are picked from music checkpoints; this one is a single network, so leave out --stems.")
    if unknown := [stem for stem in stems if stem not in spec.stems]:
        raise UsageError(f"The checkpoint has no stem {unknown[0]!r}; it has {', '.join(spec.stems)}.")
    if spec.geometry.trunk == "shared":
        raise UsageError(
            f"{spec.name} is one network for all its stems, of which none can be picked; leave out --stems."
        )
    picked: dict[str, np.ndarray] = {}
    for k, stem in enumerate(stems):
        old = f"nets.{spec.stems.index(stem)}."
        picked |= {f"nets.{k}.{key.removeprefix(old)}": v for key, v in tensors.items() if key.startswith(old)}
    geometry = dataclasses.replace(spec.geometry, stems=len(stems))
    return dataclasses.replace(spec, stems=stems, geometry=geometry), picked
