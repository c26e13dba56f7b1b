"""From a training checkpoint to a model folder: write it, run it in both engines, keep it only if they agree.

A checkpoint is what training saves as best.pt: {"model": state dict, "config": sizes of the network, …}, with "stems"
and "spectral" for music, "vocabularies" for text.
"""

import dataclasses
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unbraid.errors import ModelError, UsageError
from unbraid.folder import WEIGHTS, write_model_folder
from unbraid.generate import Steps
from unbraid.geometry import AudioTransformerGeometry, SepFormerGeometry, TextSide, UNetGeometry
from unbraid.runtime import open_executor
from unbraid.runtime.eager import load_module
from unbraid.spec import ModelSpec, Spectral, Vocabularies, Windows
from unbraid.weights import read_weights

Array = np.ndarray
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
        raise ModelError(
            f"{path} cannot be read as a torch checkpoint: {str(error) or 'it is empty or cut off'}"
        ) from None
    except Exception as error:  # pickle.UnpicklingError and its kin
        raise ModelError(f"{path} is refused: it holds more than plain tensors ({error}).") from None
    if not isinstance(saved, dict) or not {"model", "config"} <= saved.keys():
        raise ModelError(f"{path} is no training checkpoint: expected the keys 'model' and 'config'.")
    return saved


def check_parity(spec: ModelSpec, folder: Path) -> float:
    """Run both engines on the same stored weights; returns the largest difference, relative to the peak.

    The length is one that nothing else depends on: a prime number of samples or symbols, an odd number of segments.

    Raises:
        ModelError: they differ by more than 1e-4 of the peak.
    """
    if isinstance(spec.geometry, AudioTransformerGeometry):
        ours, theirs = _both_logits(spec, spec.geometry, folder)
    else:
        ours, theirs = _both_stems(spec, spec.geometry, folder)
    difference = float(np.abs(ours - theirs).max() / (np.abs(theirs).max() + 1e-12))
    if not difference <= PARITY:
        raise ModelError(f"{spec.name}: ONNX Runtime and torch differ by {difference:.1e} of the peak; not exported.")
    return difference


def _both_stems(spec: ModelSpec, geometry: SepFormerGeometry | UNetGeometry, folder: Path) -> tuple[Array, Array]:
    """The output of ONNX Runtime, and of torch, for noise."""
    random = np.random.default_rng(0)
    if isinstance(geometry, SepFormerGeometry):
        inputs = {"mixture": random.standard_normal((2, 6007)).astype(np.float32) * 0.1}
    else:
        multiple = 2 ** len(geometry.filters)
        shape = (1, geometry.channels, 3 * multiple, 5 * multiple)
        inputs = {"magnitude": np.abs(random.standard_normal(shape)).astype(np.float32)}
    ours, theirs = (open_executor(spec, folder, device=device).run(inputs) for device in ("cpu", "torch"))
    return next(iter(ours.values())), next(iter(theirs.values()))


def _both_logits(spec: ModelSpec, geometry: AudioTransformerGeometry, folder: Path) -> tuple[Array, Array]:
    """Logits (B, M, V) of a random text: of ONNX Runtime, step by step, and of torch, all steps at once."""
    random = np.random.default_rng(0)
    items = [random.integers(1, geometry.source.symbols, length) for length in (13, 29)]
    target = random.integers(1, geometry.target.symbols, (2, 31))  # (B, M)
    encoder, decoder = (open_executor(spec, folder, graph=graph, device="cpu") for graph in ("encoder", "decoder"))
    steps = Steps(encoder, decoder, geometry, [item.tolist() for item in items])
    ours = np.stack([steps.logits(symbols) for symbols in target.T], 1)  # (B, M, V)
    source = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(item) for item in items], batch_first=True)
    module = load_module(geometry, read_weights(folder / WEIGHTS))
    with torch.inference_mode():
        theirs = module(source, torch.tensor([len(item) for item in items]), torch.from_numpy(target))
    return ours, theirs.numpy()


def _spec(saved: dict[str, Any], name: str) -> ModelSpec:
    sizes: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in saved["config"].items()
    }
    if "bottleneck" in sizes:
        raise ModelError(
            "This is a Conv-TasNet's checkpoint; only SepFormers, U-Nets and audio Transformers can be exported."
        )
    rate, text = int(saved.get("sample_rate", 0)), ""
    try:
        if "source" in sizes:
            return _text_spec(saved, sizes, name)
        if "features" in sizes:
            speech = SepFormerGeometry(**sizes)
            voices = tuple(f"voice{i + 1}" for i in range(speech.sources)) if speech.sources > 1 else ("speech",)
            return ModelSpec(name, "sepformer", rate or 8000, 1, voices, speech, text, text, windows=Windows())
        music, spectral = UNetGeometry(**sizes), Spectral(**saved.get("spectral", {}))
    except (TypeError, ValueError) as error:
        raise ModelError(f"The checkpoint's sizes do not describe a network: {error}") from None
    stems = tuple(saved.get("stems") or (f"stem{i + 1}" for i in range(music.stems)))
    return ModelSpec(name, "unet", rate or 44100, music.channels, stems, music, text, text, spectral=spectral)


def _text_spec(saved: dict[str, Any], sizes: dict[str, Any], name: str) -> ModelSpec:
    """Of an audio Transformer between texts."""
    if "vocabularies" not in saved:
        raise ModelError("The checkpoint has no vocabularies, without which its network's symbols mean nothing.")
    ends = {side: TextSide(**sizes[side]) for side in ("source", "target")}
    vocabularies = Vocabularies(**{side: tuple(symbols) for side, symbols in saved["vocabularies"].items()})
    geometry = AudioTransformerGeometry(**{**sizes, **ends})
    return ModelSpec(name, "audio_transformer", 0, 0, (), geometry, "", "", vocabularies=vocabularies)


def _pick(
    spec: ModelSpec, tensors: dict[str, np.ndarray], stems: tuple[str, ...]
) -> tuple[ModelSpec, dict[str, np.ndarray]]:
    """The spec and the tensors of some stems' networks."""
    if not isinstance(spec.geometry, UNetGeometry):
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
