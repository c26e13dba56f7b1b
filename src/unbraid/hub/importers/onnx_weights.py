"""The weights inside a published ONNX file, read without the onnx package; its graph is not used.

Source: github.com/onnx/onnx, onnx/onnx.proto (field numbers).
"""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from unbraid.errors import ModelError
from unbraid.files.bounded import read_bytes
from unbraid.files.protobuf import fields, number, varint

GRAPH, INITIALIZER = 7, 5  # of a model; of a graph
DIMS, TYPE, NAME, RAW = 1, 2, 8, 9  # of a tensor
FLOAT = 1
MOST_DIMS = 8


def float_weights(path: Path, most_bytes: int) -> dict[str, np.ndarray]:
    """The float32 initializers of a file by name.

    Raises:
        ModelError: the file is larger than `most_bytes`, cannot be read, or is no ONNX file.
    """
    try:
        graphs = [value for field, value in fields(read_bytes(path, most_bytes)) if field == GRAPH]
        if len(graphs) != 1 or not isinstance(graphs[0], bytes):
            raise ValueError("there is no graph in it")
        return dict(_tensors(graphs[0]))
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, IndexError) as error:
        raise ModelError(f"{path} is not an ONNX file, or is damaged ({error}); download it again.") from None


def _tensors(graph: bytes) -> Iterator[tuple[str, np.ndarray]]:
    for field, tensor in fields(graph):
        if field != INITIALIZER:
            continue
        if not isinstance(tensor, bytes):
            raise ValueError("an initializer is a number")
        pairs = list(fields(tensor))
        found, shape = dict(pairs), tuple(_dims(value) for key, value in pairs if key == DIMS)
        name, raw = found.get(NAME, b""), found.get(RAW, b"")
        if number(found, TYPE) != FLOAT:
            continue
        if not isinstance(name, bytes) or not isinstance(raw, bytes) or len(shape) > MOST_DIMS:
            raise ValueError("an initializer has no name or no values")
        if len(raw) != 4 * math.prod(shape):
            raise ValueError("an initializer has another number of values than its shape says")
        yield name.decode("utf-8"), np.frombuffer(raw, "<f4").reshape(shape)


def _dims(value: int | bytes) -> int:
    """A size, which some writers pack."""
    return value if isinstance(value, int) else varint(value, 0)[0]
