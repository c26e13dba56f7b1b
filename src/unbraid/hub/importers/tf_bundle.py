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

from unbraid.errors import ChecksumError, ModelError, quoted
from unbraid.files.bounded import check_regular, read_bytes, readable
from unbraid.files.protobuf import fields, number, varint

MAGIC = 0xDB4775248B80FB57
FOOTER_BYTES = 48
TRAILER_BYTES = 5  # of a block: compression type, masked CRC32C
DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 4: "|u1", 5: "<i2", 6: "|i1", 9: "<i8", 10: "|b1", 19: "<f2"}
MOST_INDEX_BYTES, MOST_ENTRIES = 1 << 20, 10_000  # Spleeter's largest has 16 kB for 371 entries
MOST_KEY_BYTES, MOST_VALUE_BYTES = 512, 4096
MOST_SHARDS, MOST_AXES, MOST_NUMBERS = 10_000, 8, 1 << 40
REFUSED_DTYPES = {7: "string", 14: "bfloat16"}


@dataclass(frozen=True)
class StoredTensor:
    """Type, shape and position of a tensor."""

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
    entries: dict[str, StoredTensor]

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
    with readable(path, ModelError, "is not a TensorFlow checkpoint index, or is damaged"):
        pairs = dict(_table(read_bytes(path, MOST_INDEX_BYTES), path))
        if b"" not in pairs:
            raise ValueError("it has no header")
        shards = _parse_header(pairs.pop(b""), path)
        entries = {key.decode(): _parse_entry(key.decode(), value, path) for key, value in pairs.items()}
    return Index(path, shards, entries)


def read_tensors(index: Index, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Read some tensors of the data files and check them.

    Raises:
        ModelError: a data file is missing or too short; ChecksumError when a tensor's bytes are not the recorded ones.
    """
    wanted = {name: index.entries[name] for name in names}
    for shard in sorted({entry.shard for entry in wanted.values()}):
        _check_shard(index, shard, {name: entry for name, entry in wanted.items() if entry.shard == shard})
    return {name: _read_tensor(name, entry, index) for name, entry in wanted.items()}


def _read_tensor(name: str, entry: StoredTensor, index: Index) -> np.ndarray:
    path = index.shard_path(entry.shard)
    with readable(path, ModelError), open(path, "rb") as file:
        file.seek(entry.offset)
        data = file.read(entry.size)
    if masked_crc(data) != entry.crc:
        raise ChecksumError(
            f"{path}: the checksum of tensor {quoted(name)} is wrong, the file is damaged; fetch it again."
        )
    return np.frombuffer(data, entry.dtype).reshape(entry.shape)


def _check_shard(index: Index, shard: int, tensors: dict[str, StoredTensor]) -> None:
    """Refuse a data file that is not there, or too short for its tensors, of which each has bytes of its own."""
    path = index.shard_path(shard)
    with readable(path, ModelError):
        try:
            check_regular(path)
        except FileNotFoundError:
            raise ModelError(f"{path} is missing: {index.path.name} says that the weights are in it.") from None
        size = path.stat().st_size
    for name, entry in tensors.items():
        if size < entry.offset + entry.size:
            raise ModelError(f"{path} is truncated: it ends before tensor {quoted(name)} does; fetch it again.")
    if size < sum(entry.size for entry in tensors.values()):
        raise ModelError(f"{path} is smaller than its tensors together; fetch it again.")


# --- the sorted string table ---


def _table(data: bytes, path: Path) -> Iterator[tuple[bytes, bytes]]:
    """All (key, value) pairs, in order."""
    footer = data[-FOOTER_BYTES:]
    if len(footer) < FOOTER_BYTES or int.from_bytes(footer[-8:], "little") != MAGIC:
        raise ValueError("it does not end as one")
    meta_offset, at = varint(footer, 0)
    meta_size, at = varint(footer, at)
    offset, at = varint(footer, at)
    size, at = varint(footer, at)
    if any(footer[at:-8]):
        raise ValueError("its footer is not empty where it should be")
    for _ in _block(data, meta_offset, meta_size, path):
        raise ValueError("it has meta blocks")
    count, last, end = 0, b"", 0
    for _, handle in _block(data, offset, size, path):
        block_offset, at = varint(handle, 0)
        block_size, _ = varint(handle, at)
        if block_offset < end:
            raise ValueError("its blocks overlap")
        end = block_offset + block_size + TRAILER_BYTES
        for key, value in _block(data, block_offset, block_size, path):
            if count and key <= last:
                raise ValueError("its keys are not in order")
            if (count := count + 1) > MOST_ENTRIES:
                raise ValueError(f"it has more than {MOST_ENTRIES} entries")
            yield key, value
            last = key


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
        shared, at = varint(block, at)
        fresh, at = varint(block, at)
        length, at = varint(block, at)
        if shared > len(key) or at + fresh + length > limit:
            raise ValueError("a block's entries do not fit into it")
        if shared + fresh > MOST_KEY_BYTES or length > MOST_VALUE_BYTES:
            raise ValueError(f"an entry has more than {MOST_KEY_BYTES} bytes of key or {MOST_VALUE_BYTES} of value")
        key = key[:shared] + block[at : at + fresh]
        at += fresh + length
        yield key, block[at - length : at]


# --- the protocol buffers ---


def _parse_header(data: bytes, path: Path) -> int:
    """The number of shards, from a BundleHeaderProto."""
    header = dict(fields(data))
    if number(header, 2) != 0:
        raise ModelError(f"{path} was written on a big-endian machine, which is not read; save it on another.")
    if (shards := number(header, 1)) > MOST_SHARDS:
        raise ValueError(f"it names {shards} data files, more than {MOST_SHARDS}")
    return shards


def _parse_shape(data: bytes) -> tuple[int, ...]:
    """The sizes in a TensorShapeProto."""
    dims = [value for field, value in fields(data) if field == 2]
    return tuple(number(dict(fields(dim)), 1) for dim in dims if isinstance(dim, bytes))


def _parse_entry(name: str, data: bytes, path: Path) -> StoredTensor:
    """A BundleEntryProto."""
    found = dict(fields(data))
    if 7 in found:
        raise ModelError(
            f"{path}: tensor {quoted(name)} is cut into slices (a partitioned variable), which is not read."
        )
    if (kind := number(found, 1)) not in DTYPES:
        told = REFUSED_DTYPES.get(kind, f"of type {kind}")
        raise ModelError(f"{path}: tensor {quoted(name)} is {told}, which is not read; allowed are plain numbers.")
    if not isinstance(shape := found.get(2, b""), bytes):
        raise ValueError(f"tensor {quoted(name)} has no shape")
    entry = StoredTensor(
        dtype=np.dtype(DTYPES[kind]),
        shape=_parse_shape(shape),
        shard=number(found, 3),
        offset=number(found, 4),
        size=number(found, 5),
        crc=number(found, 6),
    )
    if len(entry.shape) > MOST_AXES or math.prod(max(size, 1) for size in entry.shape) > MOST_NUMBERS:
        raise ValueError(f"tensor {quoted(name)} has the shape {quoted(entry.shape)}, which no array can have")
    if entry.size != math.prod(entry.shape) * entry.dtype.itemsize:
        raise ValueError(f"tensor {quoted(name)} has {entry.size} bytes, which does not fit its shape {entry.shape}")
    return entry
