"""A model is a folder: spec.json, model.safetensors, model.onnx, README.md; written whole or not at all."""

import dataclasses
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import safetensors

from unbraid.card import model_card
from unbraid.errors import ChecksumError, ModelError, ModelNotFound
from unbraid.graphs import find_graph
from unbraid.spec import ModelSpec, read_spec
from unbraid.weights import check_tensors, write_weights

WEIGHTS, GRAPH = "model.safetensors", "model.onnx"


def write_model_folder(
    destination: Path, spec: ModelSpec, tensors: dict[str, np.ndarray], dtype: str = "float32"
) -> ModelSpec:
    """Write a model folder from tensors under the torch module's names; returns the spec with the files' hashes.

    The folder is made beside its place and renamed, so it is there whole or not at all. An existing folder is refused.

    Raises:
        ModelError: a tensor is missing, extra, misshapen or not finite, or the folder exists.
        RuntimeUnavailable: the graph has to be built and cannot be here.
    """
    check_tensors({name: value.shape for name, value in tensors.items()}, spec.geometry, spec.name)
    if bad := sorted(name for name, value in tensors.items() if not np.isfinite(value).all()):
        raise ModelError(f"{spec.name}: tensor {bad[0]!r} holds NaN or infinity; the checkpoint is damaged.")
    with np.errstate(over="ignore"):  # what is too large becomes the infinity refused below
        stored = {name: value.astype(dtype) for name, value in tensors.items()}
    if bad := sorted(name for name, value in stored.items() if not np.isfinite(value).all()):
        raise ModelError(f"{spec.name}: tensor {bad[0]!r} does not fit {dtype}; write float32.")
    if destination.exists():
        raise ModelError(f"{destination} exists; choose another place or remove it first.")
    graph = find_graph(spec.geometry, dtype)
    destination.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", dir=destination.parent))
    try:
        temporary.chmod(0o755)
        write_weights(temporary / WEIGHTS, stored)
        (temporary / GRAPH).write_bytes(graph)
        spec = dataclasses.replace(spec, files={name: sha256(temporary / name) for name in (WEIGHTS, GRAPH)})
        write_texts(temporary, spec)
        os.replace(temporary, destination)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return spec


def write_texts(folder: Path, spec: ModelSpec) -> None:
    """Write spec.json and the model card."""
    (folder / "spec.json").write_text(spec.to_json(), encoding="utf-8")
    (folder / "README.md").write_text(model_card(spec), encoding="utf-8")


def open_model_folder(folder: Path) -> ModelSpec:
    """Read the spec and check every file against it, and every tensor against the geometry.

    Raises:
        ModelNotFound: there is no such folder.
        SpecError, ModelError, ChecksumError: the folder is not what its spec says.
    """
    if not folder.is_dir():
        raise ModelNotFound(f"{folder} is not a model folder; see `unbraid models` for what is here.")
    spec = read_spec(folder)
    for name in (WEIGHTS, GRAPH):
        if name not in spec.files:
            raise ModelError(f"{folder}: spec.json does not name {name}.")
    for name, expected in spec.files.items():
        if not (folder / name).is_file():
            raise ModelError(f"{folder}: {name} is missing; pull or import the model again.")
        if (found := sha256(folder / name)) != expected:
            raise ChecksumError(
                f"{folder}: {name} is damaged (sha256 {found[:12]}…, expected {expected[:12]}…); "
                "pull or import the model again."
            )
    check_tensors(tensor_table(folder / WEIGHTS), spec.geometry, str(folder / WEIGHTS))
    return spec


def tensor_table(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes in a safetensors file, from its header alone."""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (OSError, safetensors.SafetensorError) as error:
        raise ModelError(f"{path} cannot be read as safetensors: {error}.") from None


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
