"""Model folders: spec.json, model.safetensors, graphs and README.md, written whole or not at all."""

import dataclasses
import hashlib
import math
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from unbraid.errors import ChecksumError, ModelError, ModelNotFound, quoted
from unbraid.files.atomic import appearing as appearing_file
from unbraid.files.bounded import check_regular, readable
from unbraid.hub.cache import appearing
from unbraid.hub.card import model_card
from unbraid.hub.graph_check import MOST_GRAPH_BYTES
from unbraid.hub.graphs import find_graph
from unbraid.hub.spec import ModelSpec, read_spec
from unbraid.hub.tokens import FILE as TOKENS
from unbraid.models.family import WEIGHTS_FILES, tensor_shapes
from unbraid.models.quantize import quantized_signature
from unbraid.models.tensor_table import MOST_HEADER_BYTES, tensor_table
from unbraid.models.tensors import (
    DTYPES,
    LazyTensors,
    check_tensors,
    compare_shapes,
    is_finite,
    open_weights,
    shapes_of,
    write_weights,
)

WEIGHTS = "model.safetensors"


def write_model_folder(
    destination: Path,
    spec: ModelSpec,
    tensors: Mapping[str, np.ndarray],
    dtype: str = "float32",
    files: Mapping[str, bytes] = MappingProxyType({}),
) -> ModelSpec:
    """Write a model folder from tensors under the torch module's names; returns the spec with the files' hashes.

    Tensors are converted and written one at a time.

    `files` are those of the folder besides weights and graphs, such as tokens.

    The folder is made beside its place and renamed, so it is there whole or not at all. An existing one is refused.

    Raises:
        ModelError: a tensor is missing, extra, misshapen or not finite, or the folder exists.
        RuntimeUnavailable: a graph has to be built and cannot be here.
    """
    check_tensors(shapes_of(tensors), spec.geometry, spec.name)
    if destination.exists():
        raise ModelError(f"{destination} exists; choose another place or remove it first.")
    parts = (*spec.geometry.graphs, *spec.geometry.optional_graphs)
    others = dict(files) | {f"{part}.onnx": find_graph(spec.geometry, dtype, part) for part in parts}
    with appearing(destination) as fresh:
        write_weights(fresh / WEIGHTS, _stored(tensors, dtype, spec.name))
        for name, content in others.items():
            (fresh / name).write_bytes(content)
        spec = dataclasses.replace(spec, files={name: sha256(fresh / name) for name in (WEIGHTS, *others)})
        write_texts(fresh, spec)
    return spec


def _stored(tensors: Mapping[str, np.ndarray], dtype: str, name: str) -> LazyTensors:
    """Tensors of a model of this name as its folder stores them.

    Raises:
        ModelError: when a tensor is asked for that is not finite, or does not fit the type.
    """

    def stored(key: str) -> np.ndarray:
        if not is_finite(value := tensors[key]):
            raise ModelError(f"{name}: tensor {key!r} holds NaN or infinity; the checkpoint is damaged.")
        with np.errstate(over="ignore"):  # too large values become infinity
            narrow = value.astype(dtype, copy=False)
        if not is_finite(narrow):
            raise ModelError(f"{name}: tensor {key!r} does not fit {dtype}; write float32.")
        return narrow

    return LazyTensors({key: (dtype, shape) for key, shape in shapes_of(tensors).items()}, stored)


def write_texts(folder: Path, spec: ModelSpec) -> None:
    """Write spec.json and the model card, each at once, so that they can be written anew in a folder that is in use."""
    for name, text in {"spec.json": spec.to_json(), "README.md": model_card(spec)}.items():
        with appearing_file(folder / name) as fresh:
            fresh.write_text(text, encoding="utf-8")


def open_model_folder(folder: Path) -> ModelSpec:
    """Read the spec and check every file against it, and every tensor against the geometry.

    A folder that is replaced by another version meanwhile is read again.

    Raises:
        ModelNotFound: there is no such folder.
        SpecError, ModelError, ChecksumError: the folder is not what its spec says.
    """
    if not folder.is_dir():
        raise ModelNotFound(f"{folder} is not a model folder; see `unbraid models` for what is here.")
    spec = read_spec(folder)
    try:
        return _checked(spec, folder)
    except (ModelError, OSError) as error:
        if folder.is_dir() and (now := read_spec(folder)) != spec:
            return _checked(now, folder)
        if isinstance(error, OSError):
            raise ModelError(f"{folder} cannot be read: {error.strerror or error}. Is it being removed?") from None
        raise


def _checked(spec: ModelSpec, folder: Path) -> ModelSpec:
    """The spec, if every file and tensor is what it says."""
    tokens = (TOKENS,) if spec.tokens else ()
    for name in (WEIGHTS, *(f"{part}.onnx" for part in spec.geometry.graphs), *tokens):
        if name not in spec.files:
            raise ModelError(f"{folder}: spec.json does not name {name}.")
    for name in spec.files:
        _check_file(folder, name, _most_bytes(spec, name))
    for name, expected in spec.files.items():
        if (found := sha256(folder / name)) != expected:
            raise ChecksumError(
                f"{folder}: {name} is damaged (sha256 {found[:12]}…, expected {expected[:12]}…); "
                "pull or import the model again."
            )
    _check_types(folder, spec)
    for name in spec.files:
        if name.endswith(".safetensors") and (bad := first_not_finite(folder / name)):
            raise ModelError(
                f"{folder}: tensor {bad!r} of {name} holds NaN or infinity; pull or import the model again."
            )
    return spec


def _check_file(folder: Path, name: str, most: int) -> None:
    """Refuse files that are not regular, lie outside the folder, or are too large."""
    with readable(f"{folder}: {name}", ModelError):
        try:
            check_regular(folder / name)
        except FileNotFoundError:
            raise ModelError(f"{folder}: {name} is missing; pull or import the model again.") from None
        outside = os.path.dirname(os.path.realpath(folder / name)) != os.path.realpath(folder)
        size = os.stat(folder / name).st_size
    if outside:
        raise ModelError(f"{folder}: {name} is a link to a file elsewhere, which is not read; copy the file here.")
    if size > most:
        raise ModelError(f"{folder}: {name} has {size} bytes, more than this network needs; pull or import it again.")


def _most_bytes(spec: ModelSpec, name: str) -> int:
    """The largest valid size of a file of a model folder: weights have at most 32 bits."""
    if not name.endswith(".safetensors"):
        return MOST_GRAPH_BYTES
    return 4 * sum(map(math.prod, tensor_shapes(spec.geometry).values())) + MOST_HEADER_BYTES


def _check_types(folder: Path, spec: ModelSpec) -> None:
    """Compare names, shapes and types of all weights with the network's."""
    for file in {WEIGHTS, WEIGHTS_FILES["int8"]} & spec.files.keys():
        path, table = folder / file, tensor_table(folder / file)
        found = {name: tensor.shape for name, tensor in table.items()}
        if file == WEIGHTS:
            check_tensors(found, spec.geometry, str(path))
            allowed = dict.fromkeys(table, "F16" if all(tensor.dtype == "F16" for tensor in table.values()) else "F32")
        else:
            signature = quantized_signature(tensor_shapes(spec.geometry))
            compare_shapes(found, {name: shape for name, (_, shape) in signature.items()}, str(path))
            allowed = {name: DTYPES[dtype] for name, (dtype, _) in signature.items()}
        for name, tensor in table.items():
            if tensor.dtype != allowed[name]:
                raise ModelError(f"{path}: tensor {quoted(name)} is {tensor.dtype}, expected {allowed[name]}.")


def first_not_finite(path: Path) -> str | None:
    """The first tensor in a safetensors file that holds NaN or infinity: 10 ms for 25 million weights."""
    return next((name for name, tensor in open_weights(path).items() if not is_finite(tensor)), None)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
