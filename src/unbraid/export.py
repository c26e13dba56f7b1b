"""From a training checkpoint to a model folder: write it, run it in both engines, keep it only if they agree.

A checkpoint is what training saves as best.pt: {"model": state dict, "config": sizes of the network, …}, with "stems"
and "spectral" for music.
"""

import dataclasses
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unbraid.errors import ModelError, UsageError
from unbraid.folder import write_model_folder
from unbraid.geometry import SepFormerGeometry, UNetGeometry
from unbraid.runtime.eager import EagerExecutor
from unbraid.runtime.ort import OrtExecutor, choose_device
from unbraid.spec import ModelSpec, Spectral, Windows

PARITY = 1e-4  # of the output's peak


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
    if destination.exists():
        raise ModelError(f"{destination} exists; choose another place or remove it first.")
    saved = read_checkpoint(checkpoint)
    tensors = {key: value.numpy() for key, value in saved["model"].items() if not key.endswith("num_batches_tracked")}
    spec = _spec(saved, name)
    if stems is not None:
        spec, tensors = _pick(spec, tensors, stems)
    spec = dataclasses.replace(
        spec,
        level=saved.get("level", "fitted"),
        licence=licence,
        provenance=provenance or f"exported from {checkpoint.name}.",
        scores=scores or {},
    )
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{destination.name}.", dir=destination.parent) as temporary:
        folder = Path(temporary) / destination.name
        spec = write_model_folder(folder, spec, tensors, dtype)
        check_parity(spec, folder)
        shutil.move(folder, destination)
    return spec


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The plain tensors and values of a checkpoint file; nothing in it is ever executed."""
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, AttributeError) as error:
        raise ModelError(f"{path} cannot be read as a torch checkpoint: {error}") from None
    except Exception as error:  # pickle.UnpicklingError and its kin
        raise ModelError(f"{path} is refused: it holds more than plain tensors ({error}).") from None
    if not isinstance(saved, dict) or not {"model", "config"} <= saved.keys():
        raise ModelError(f"{path} is no training checkpoint: expected the keys 'model' and 'config'.")
    return saved


def check_parity(spec: ModelSpec, folder: Path) -> float:
    """Run both engines on the same stored weights; returns the largest difference, relative to the peak.

    The length is one that nothing else depends on: a prime number of samples, an odd number of segments.

    Raises:
        ModelError: they differ by more than 1e-4 of the peak.
    """
    random = np.random.default_rng(0)
    if isinstance(spec.geometry, SepFormerGeometry):
        inputs = {"mixture": random.standard_normal((2, 6007)).astype(np.float32) * 0.1}
    else:
        multiple = 2 ** len(spec.geometry.filters)
        shape = (1, spec.geometry.channels, 3 * multiple, 5 * multiple)
        inputs = {"magnitude": np.abs(random.standard_normal(shape)).astype(np.float32)}
    provider, device, reason = choose_device("cpu")
    graph = OrtExecutor(folder, spec, provider=provider, device=device, reason=reason)
    (ours,) = graph.run(inputs).values()
    (theirs,) = EagerExecutor(spec, folder).run(inputs).values()
    difference = float(np.abs(ours - theirs).max() / (np.abs(theirs).max() + 1e-12))
    if not difference <= PARITY:
        raise ModelError(f"{spec.name}: ONNX Runtime and torch differ by {difference:.1e} of the peak; not exported.")
    return difference


def _spec(saved: dict[str, Any], name: str) -> ModelSpec:
    sizes: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in saved["config"].items()
    }
    if "bottleneck" in sizes:
        raise ModelError("This is a Conv-TasNet's checkpoint; only SepFormers and U-Nets can be exported.")
    rate, text = int(saved.get("sample_rate", 0)), ""
    try:
        if "features" in sizes:
            speech = SepFormerGeometry(**sizes)
            voices = tuple(f"voice{i + 1}" for i in range(speech.sources)) if speech.sources > 1 else ("speech",)
            return ModelSpec(name, "sepformer", rate or 8000, 1, voices, speech, text, text, windows=Windows())
        music, spectral = UNetGeometry(**sizes), Spectral(**saved.get("spectral", {}))
    except (TypeError, ValueError) as error:
        raise ModelError(f"The checkpoint's sizes do not describe a network: {error}") from None
    stems = tuple(saved.get("stems") or (f"stem{i + 1}" for i in range(music.stems)))
    return ModelSpec(name, "unet", rate or 44100, music.channels, stems, music, text, text, spectral=spectral)


def _pick(
    spec: ModelSpec, tensors: dict[str, np.ndarray], stems: tuple[str, ...]
) -> tuple[ModelSpec, dict[str, np.ndarray]]:
    """The spec and the tensors of some stems' networks."""
    if unknown := [stem for stem in stems if stem not in spec.stems]:
        raise UsageError(f"The checkpoint has no stem {unknown[0]!r}; it has {', '.join(spec.stems)}.")
    if not isinstance(spec.geometry, UNetGeometry):
        raise UsageError("Stems are picked from music checkpoints; a SepFormer is one network.")
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
