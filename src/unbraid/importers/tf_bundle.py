"""A reader of TensorFlow checkpoints (tensor bundles) in NumPy, without TensorFlow.

`<prefix>.index` is a sorted string table: blocks of prefix-compressed (key, value) entries, an index block that
says where they are, a footer that says where the index block is. The value under the empty key is a
BundleHeaderProto; the others are BundleEntryProtos: dtype, shape, and where in `<prefix>.data-SSSSS-of-NNNNN` the
tensor lies. Every block and every tensor carries a masked CRC32C, and all that is read is checked against it.
Source: tensorflow/core/protobuf/tensor_bundle.proto and LevelDB's doc/table_format.md.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import google_crc32c
import numpy as np

from unbraid.errors import ChecksumError, ModelError

MAGIC = 0xDB4775248B80FB57
FOOTER_BYTES = 48
TRAILER_BYTES = 5  # of a block: compression type, masked CRC32C
DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 4: "|u1", 5: "<i2", 6: "|i1", 9: "<i8", 10: "|b1", 19: "<f2"}
REFUSED_DTYPES = {7: "string", 14: "bfloat16"}


@dataclass(frozen=True)
class Entry:
    """Where one tensor lies, and what it is."""

    dtype: np.dtype
    shape: tuple[int, ...]
    shard: int
    offset: int  # bytes from the shard's start
    size: int  # bytes
    crc: int  # masked CRC32C


@dataclass(frozen=True)
class Index:
    """The parsed `<prefix>.index`."""

    path: Path
    shards: int
    entries: dict[str, Entry]

    def shard_path(self, shard: int) -> Path:
        """The data file of a shard, beside the index."""
        return self.path.with_name(f"{self.path.name.removesuffix('.index')}.data-{shard:05d}-of-{self.shards:05d}")


def masked_crc(data: bytes) -> int:
    """The CRC32C of `data`, rotated and shifted as the formats store it."""
    crc = int(google_crc32c.value(data))
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def read_index(path: Path) -> Index:
    """Read and check an index file.

    Raises:
        ModelError: the file is missing, is damaged, or describes tensors that are not read here: partitioned,
            big-endian, string or bfloat16 ones.
    """
    try:
        pairs = dict(_table(path.read_bytes(), path))
        if b"" not in pairs:
            raise ValueError("it has no header")
        shards = _parse_header(pairs.pop(b""), path)
        entries = {key.decode(): _parse_entry(key.decode(), value, path) for key, value in pairs.items()}
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, IndexError) as error:
        raise ModelError(f"{path} is not a TensorFlow checkpoint index, or is damaged: {error}.") from None
    return Index(path, shards, entries)


def read_tensors(index: Index, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Read some tensors of the data files and check them.

    Raises:
        ModelError: a data file is missing or too short; ChecksumError when a tensor's bytes are not the recorded ones.
    """
    return {name: _read_tensor(name, index.entries[name], index) for name in names}


def _read_tensor(name: str, entry: Entry, index: Index) -> np.ndarray:
    path = index.shard_path(entry.shard)
    try:
        with open(path, "rb") as file:
            if path.stat().st_size < entry.offset + entry.size:
                raise ModelError(f"{path} is truncated: it ends before tensor {name!r} does; fetch it again.")
            file.seek(entry.offset)
            data = file.read(entry.size)
    except FileNotFoundError:
        raise ModelError(f"{path} is missing: {index.path.name} says that the weights are in it.") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from None
    if masked_crc(data) != entry.crc:
        raise ChecksumError(f"{path}: the checksum of tensor {name!r} is wrong, the file is damaged; fetch it again.")
    return np.frombuffer(data, entry.dtype).reshape(entry.shape)


# --- the sorted string table ---


def _table(data: bytes, path: Path) -> Iterator[tuple[bytes, bytes]]:
    """All (key, value) pairs, in order."""
    footer = data[-FOOTER_BYTES:]
    if len(footer) < FOOTER_BYTES or int.from_bytes(footer[-8:], "little") != MAGIC:
        raise ValueError("it does not end as one")
    meta_offset, at = _varint(footer, 0)
    meta_size, at = _varint(footer, at)
    offset, at = _varint(footer, at)
    size, at = _varint(footer, at)
    if any(footer[at:-8]):
        raise ValueError("its footer is not empty where it should be")
    for _ in _block(data, meta_offset, meta_size, path):
        raise ValueError("it has meta blocks")
    for _, handle in _block(data, offset, size, path):
        block_offset, at = _varint(handle, 0)
        block_size, _ = _varint(handle, at)
        yield from _block(data, block_offset, block_size, path)


def _block(data: bytes, offset: int, size: int, path: Path) -> Iterator[tuple[bytes, bytes]]:
    """The (key, value) pairs of one block, whose keys share a prefix with the key before."""
    end = offset + size
    if end + TRAILER_BYTES > len(data) - FOOTER_BYTES:
        raise ValueError("a block lies outside of it")
    if masked_crc(data[offset : end + 1]) != int.from_bytes(data[end + 1 : end + TRAILER_BYTES], "little"):
        raise ChecksumError(f"{path}: the checksum of a block is wrong, the file is damaged; fetch it again.")
    if data[end] != 0:
        raise ModelError(f"{path} is compressed (type {data[end]}), which is not read; save it without compression.")
    block = data[offset:end]
    restarts = int.from_bytes(block[-4:], "little")
    limit, at, key = len(block) - 4 * (restarts + 1), 0, b""
    if limit < 0:
        raise ValueError("a block is shorter than its own index")
    while at < limit:
        shared, at = _varint(block, at)
        fresh, at = _varint(block, at)
        length, at = _varint(block, at)
        if shared > len(key) or at + fresh + length > limit:
            raise ValueError("a block's entries do not fit into it")
        key = key[:shared] + block[at : at + fresh]
        at += fresh + length
        yield key, block[at - length : at]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, lowest first, and the place after it."""
    value = shift = 0
    while shift < 64:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("a number in it has no end")


# --- the protocol buffers ---


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, value) of a protocol buffer: numbers as int, everything else as bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == 2:
            length, at = _varint(data, at)
        elif wire in (1, 5):
            length = {1: 8, 5: 4}[wire]
        else:
            raise ValueError(f"it has a field of unknown type {wire}")
        if at + length > len(data):
            raise ValueError("a field reaches beyond its end")
        yield number, data[at : at + length]
        at += length


def _number(fields: dict[int, int | bytes], field: int) -> int:
    """A number; absent means zero."""
    value = fields.get(field, 0)
    return value if isinstance(value, int) else int.from_bytes(value, "little")


def _parse_header(data: bytes, path: Path) -> int:
    """The number of shards, from a BundleHeaderProto."""
    fields = dict(_fields(data))
    if _number(fields, 2) != 0:
        raise ModelError(f"{path} was written on a big-endian machine, which is not read; save it on another.")
    return _number(fields, 1)


def _parse_shape(data: bytes) -> tuple[int, ...]:
    """The sizes in a TensorShapeProto."""
    dims = [value for field, value in _fields(data) if field == 2]
    return tuple(_number(dict(_fields(dim)), 1) for dim in dims if isinstance(dim, bytes))


def _parse_entry(name: str, data: bytes, path: Path) -> Entry:
    """A BundleEntryProto."""
    fields = dict(_fields(data))
    if 7 in fields:
        raise ModelError(f"{path}: tensor {name!r} is cut into slices (a partitioned variable), which is not read.")
    number = _number(fields, 1)
    if number not in DTYPES:
        kind = REFUSED_DTYPES.get(number, f"of type {number}")
        raise ModelError(f"{path}: tensor {name!r} is {kind}, which is not read; allowed are plain numbers.")
    shape = fields.get(2, b"")
    if not isinstance(shape, bytes):
        raise ValueError(f"tensor {name!r} has no shape")
    entry = Entry(
        dtype=np.dtype(DTYPES[number]),
        shape=_parse_shape(shape),
        shard=_number(fields, 3),
        offset=_number(fields, 4),
        size=_number(fields, 5),
        crc=_number(fields, 6),
    )
    if entry.size != math.prod(entry.shape) * entry.dtype.itemsize:
        raise ValueError(f"tensor {name!r} has {entry.size} bytes, which does not fit its shape {entry.shape}")
    return entry
