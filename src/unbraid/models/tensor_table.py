"""The header of a safetensors file, checked before any tensor is read.

The format is eight bytes of length, a JSON object {name: {dtype, shape, data_offsets}} and the tensors' bytes, one
after the other. Source: github.com/huggingface/safetensors, README (Format).
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unbraid.errors import ModelError, quoted
from unbraid.files.bounded import check_regular, parse_json

MOST_HEADER_BYTES = 4 << 20
MOST_TENSORS = 50_000
MOST_AXES = 8
MOST_NAME = 300  # characters
ITEM_BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1,
    "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Stored:
    """A tensor in a safetensors file."""

    dtype: str  # as the format names it: F32
    shape: tuple[int, ...]
    offset: int  # bytes from the file's start
    size: int  # bytes


def tensor_table(path: Path) -> dict[str, Stored]:
    """The tensors of a safetensors file, in the order of their bytes; nothing of these is read.

    Raises:
        ModelError: it cannot be read, or is not such a file.
    """
    try:
        check_regular(path)
        size = path.stat().st_size
        with open(path, "rb") as file:
            length = int.from_bytes(first := file.read(8), "little")
            if len(first) < 8 or length > min(size - 8, MOST_HEADER_BYTES):
                raise ValueError(f"its header states a length of {length} bytes, but the file has {size}")
            header = parse_json(file.read(length).decode("utf-8"))
        return _table(header, 8 + length, size)
    except OSError as error:
        raise ModelError(f"{path} cannot be read as safetensors: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise ModelError(f"{path} cannot be read as safetensors: its header is not in UTF-8.") from None
    except ValueError as error:
        raise ModelError(f"{path} cannot be read as safetensors: {error}.") from None


def _table(header: Any, start: int, size: int) -> dict[str, Stored]:
    if not isinstance(header, dict) or len(header) > MOST_TENSORS:
        raise ValueError(f"its header is not an object of at most {MOST_TENSORS} tensors")
    found = {name: _stored(name, entry, start) for name, entry in header.items() if name != "__metadata__"}
    found = dict(sorted(found.items(), key=lambda item: (item[1].offset, item[1].size)))
    end = start
    for name, tensor in found.items():
        if tensor.offset != end:
            raise ValueError(f"tensor {quoted(name)} does not begin where the one before it ends")
        end += tensor.size
    if end != size:
        raise ValueError(f"its tensors end at byte {end}, but the file has {size}")
    return found


def _stored(name: str, entry: Any, start: int) -> Stored:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"} or len(name) > MOST_NAME:
        raise ValueError(f"tensor {quoted(name)} is described by {quoted(entry)}")
    dtype, shape, place = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or not _whole(shape, MOST_AXES) or not _whole(place, 2) or len(place) != 2:
        raise ValueError(f"tensor {quoted(name)} is described by {quoted(entry)}")
    size = place[1] - place[0]
    if dtype in ITEM_BYTES and size != math.prod(shape) * ITEM_BYTES[dtype]:
        raise ValueError(f"tensor {quoted(name)} has {size} bytes, which is not {dtype} {quoted(shape)}")
    return Stored(dtype, tuple(shape), start + place[0], size)


def _whole(values: Any, most: int) -> bool:
    """Whether this is a short list of numbers that sizes and places can be."""
    return isinstance(values, list) and len(values) <= most and all(type(n) is int and 0 <= n < 1 << 48 for n in values)
