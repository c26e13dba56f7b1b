"""Cyclic redundancy checks of Ogg pages and FLAC frames: highest bit first, initial value 0."""

import zlib
from collections.abc import Iterator
from functools import lru_cache

_LEAST_FRAME = 8  # bytes: header, a subframe, checksum
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def ogg_page(page: bytes) -> bytes:
    """Of an Ogg page, as the page states it (4 bytes at position 22, which count as zeros).

    It is zlib's CRC-32 but for the order of the bits and the start value, and so as fast.
    """
    mirrored = (page[:22] + bytes(4) + page[26:]).translate(_MIRRORED)
    return (zlib.crc32(mirrored, 0xFFFFFFFF) ^ 0xFFFFFFFF).to_bytes(4, "big").translate(_MIRRORED)


def flac_header(data: bytes) -> int:
    """Of the header of a FLAC frame (8 bits)."""
    return _check(data, 8, 0x07)


def flac_frame(data: bytes) -> int:
    """Of a FLAC frame (16 bits)."""
    return _check(data, 16, 0x8005)


def flac_frames(data: bytes) -> Iterator[int]:
    """The lengths at which these bytes may end a FLAC frame: those at which its checksum follows."""
    value, table = 0, _table(16, 0x8005)
    for at, byte in enumerate(data, 1):
        before, value = value, (value << 8 & 0xFFFF) ^ table[value >> 8 ^ byte]
        if value == 0 != before and at > _LEAST_FRAME:  # behind it, zeros change nothing
            yield at


def _check(data: bytes, bits: int, polynomial: int) -> int:
    mask, shift, value, table = (1 << bits) - 1, bits - 8, 0, _table(bits, polynomial)
    for byte in data:
        value = (value << 8 & mask) ^ table[value >> shift ^ byte]
    return value


@lru_cache
def _table(bits: int, polynomial: int) -> tuple[int, ...]:
    mask, table = (1 << bits) - 1, []
    for byte in range(256):
        value = byte << (bits - 8)
        for _ in range(8):
            value = (value << 1 ^ (polynomial if value >> (bits - 1) else 0)) & mask
        table.append(value)
    return tuple(table)
