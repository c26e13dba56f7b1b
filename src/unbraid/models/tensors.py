"""The weights file of a model.

`model.safetensors` is written with its tensors in name order and nothing else in the header, so that every offset is a
constant of (geometry, dtype): an ONNX graph can point into the file (see docs/design.md, A model is a folder).
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from unbraid.errors import ModelError, quoted, shortened
from unbraid.models.config import Config
from unbraid.models.family import tensor_shapes
from unbraid.models.shapes import Shapes
from unbraid.models.tensor_table import tensor_table

DTYPES = {"float32": "F32", "float16": "F16", "int8": "I8", "uint8": "U8"}  # NumPy's names: safetensors' names
READ = {**DTYPES, "float64": "F64", "int16": "I16", "int32": "I32", "int64": "I64", "bool": "BOOL"}
Types = Mapping[str, tuple[str, tuple[int, ...]]]  # name: (dtype, shape)


class LazyTensors(Mapping[str, np.ndarray]):
    """Tensors that are read or computed when they are asked for, so that a large model is never whole in memory."""

    def __init__(self, types: Types, make: Callable[[str], np.ndarray]):
        """`make` gives the tensor of a name, of the dtype and shape in `types`."""
        self.types, self._make = dict(types), make

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.types:
            raise KeyError(name)
        return self._make(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.types)

    def __len__(self) -> int:
        return len(self.types)


def types_of(tensors: Mapping[str, np.ndarray]) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Dtype and shape of each tensor; none is computed for it."""
    if isinstance(tensors, LazyTensors):
        return tensors.types
    return {name: (str(tensor.dtype), tensor.shape) for name, tensor in tensors.items()}


def shapes_of(tensors: Mapping[str, np.ndarray]) -> Shapes:
    """Shape of each tensor; none is computed for it."""
    return {name: shape for name, (_, shape) in types_of(tensors).items()}


def check_tensors(found: Shapes, geometry: Config, where: str) -> None:
    """Compare names and shapes both ways.

    Raises:
        ModelError: a tensor is missing, is unexpected or has another shape; the first of each is named.
    """
    compare_shapes(found, tensor_shapes(geometry), where)


def compare_shapes(found: Shapes, expected: Shapes, where: str) -> None:
    """Compare names and shapes both ways, as `check_tensors` does, with any list of tensors."""
    if missing := sorted(expected.keys() - found.keys()):
        raise ModelError(f"{where}: tensor {quoted(missing[0])} is missing ({len(missing)} of {len(expected)} are).")
    if extra := sorted(found.keys() - expected.keys()):
        raise ModelError(f"{where}: tensor {quoted(extra[0])} does not belong to this network ({len(extra)} do not).")
    for name, shape in expected.items():
        if found[name] != shape:
            raise ModelError(f"{where}: tensor {quoted(name)} has shape {quoted(found[name])}, expected {shape}.")


def is_finite(tensor: np.ndarray) -> bool:
    """Whether a tensor holds neither NaN nor infinity."""
    if tensor.dtype == np.float16:  # NumPy is slow with these; all bits of the exponent say the same, 5 times faster
        return bool((tensor.view(np.uint16) & 0x7C00).max(initial=0) < 0x7C00)
    return bool(np.isfinite(tensor).all())


def write_weights(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write tensors in name order, one at a time, in the safetensors format, with nothing else in the header."""
    names, types = sorted(tensors), types_of(tensors)
    header = json.dumps(_header({name: types[name] for name in names}))
    text = header.encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in names:
            file.write(np.ascontiguousarray(tensors[name]).data)


def tensor_offsets(tensors: dict[str, tuple[str, tuple[int, ...]]]) -> dict[str, tuple[int, int]]:
    """The position of each tensor in a file of `write_weights`: {name: (dtype, shape)} -> {name: (offset, bytes)}."""
    header = _header({name: tensors[name] for name in sorted(tensors)})
    length = len(json.dumps(header).encode())
    start = 8 + length + (-length % 8)
    return {name: (start + (span := entry["data_offsets"])[0], span[1] - span[0]) for name, entry in header.items()}


def _header(tensors: dict[str, tuple[str, tuple[int, ...]]]) -> dict[str, dict[str, Any]]:
    header, end = {}, 0
    for name, (dtype, shape) in tensors.items():
        start, end = end, end + math.prod(shape) * np.dtype(dtype).itemsize
        header[name] = {"dtype": DTYPES[dtype], "shape": list(shape), "data_offsets": [start, end]}
    return header


def open_weights(path: Path) -> LazyTensors:
    """The tensors of a file, read one at a time.

    Raises:
        ModelError: the file is missing, is not a safetensors file, or holds a type that NumPy lacks.
    """
    table, names = tensor_table(path), {theirs: ours for ours, theirs in READ.items()}
    for name, tensor in table.items():
        if tensor.dtype not in names:
            foreign = f"tensor {quoted(name)} is {quoted(tensor.dtype)}, which NumPy lacks"
            raise ModelError(f"{path} cannot be read as safetensors: {foreign}.")

    def read(name: str) -> np.ndarray:
        stored = table[name]
        dtype, count = np.dtype(names[stored.dtype]), math.prod(stored.shape)
        try:
            values = np.fromfile(path, dtype, count, offset=stored.offset)
        except OSError as error:
            raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from None
        if len(values) < count:  # cut short since it was opened
            raise ModelError(f"{path} cannot be read as safetensors: it ends inside tensor {quoted(name)}.")
        return values.reshape(stored.shape)

    return LazyTensors({name: (names[tensor.dtype], tensor.shape) for name, tensor in table.items()}, read)


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Read every tensor.

    Raises:
        ModelError: the file is missing or is not a safetensors file.
    """
    tensor_table(path)
    try:
        return safetensors.numpy.load_file(path)
    except (OSError, safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} cannot be read as safetensors: {shortened(str(error))}.") from None
