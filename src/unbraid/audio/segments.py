"""The starts of the recordings in concatenated files of MP4, Matroska and other formats (cat a.m4a b.m4a).

Only the boxes and elements of the highest level are read. A fragmented MP4 that repeats its header in the middle, as
streaming services send it, continues with the same clock and is one recording (ISO 14496-12; RFC 8794).
"""

import re
import struct
from typing import BinaryIO

from unbraid.audio import scan

_MOST_BOXES = 1_000_000
_EBML, _SEGMENT = b"\x1aE\xdf\xa3", b"\x18S\x80g"
_MATROSKA = re.compile(rb"\x1aE\xdf\xa3.{1,64}?(?:matroska|webm)", re.DOTALL)
_HEADS = {  # {first bytes: what begins a recording}, where nothing states how long one is
    b"TTA1": re.compile(rb"TTA1\x01\x00[\x01-\x20]\x00[\x01-\x20]\x00"),
    b"FLV\x01": re.compile(rb"FLV\x01[\x00-\x07]\x00\x00\x00\x09\x00\x00\x00\x00"),
    b"#!AM": re.compile(rb"#!AMR(?:-WB)?\n"),
    b"0&\xb2u": re.compile(re.escape(bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"))),  # ASF: wma
}
_MOOF_BYTES = 4096  # searched for the time at which a fragment begins


def starts(file: BinaryIO, start: int, size: int) -> list[int]:
    """The starts of the recordings in a file; a single one for formats without concatenation."""
    file.seek(start)
    head = file.read(12)
    if head[4:8] == b"ftyp":
        return _mp4(file, start, size)
    if head[:4] == _EBML:
        return _matroska(file, start, size)
    pattern = _HEADS.get(head[:4])
    return [start] if pattern is None else list(scan.find_all(file, pattern, start)) or [start]


def _mp4(file: BinaryIO, start: int, size: int) -> list[int]:
    found, seen, at = [start], set[bytes](), start
    pending: int | None = None  # a header, until it is known whether it starts a recording
    for _ in range(_MOST_BOXES):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            break
        length, name = struct.unpack(">I4s", head[:8])
        if length == 1 and len(head) == 16:
            length = struct.unpack(">Q", head[8:])[0]
        if name == b"ftyp" and seen & {b"mdat", b"moof"}:
            pending, seen = at, set()
        elif pending is not None and name in (b"mdat", b"moof"):
            found += [pending] if name == b"mdat" or not _is_late(file, at) else []
            pending = None
        seen.add(name)
        if length < 8 or at + length > size:
            break
        at += length
    return found


def _is_late(file: BinaryIO, at: int) -> bool:
    """Whether a fragment begins at a later time than 0."""
    file.seek(at)
    data = file.read(_MOOF_BYTES)
    where = data.find(b"tfdt")
    count = 8 if data[where + 4 : where + 5] == b"\1" else 4
    return where >= 0 and any(data[where + 8 : where + 8 + count])


def _matroska(file: BinaryIO, start: int, size: int) -> list[int]:
    """Segments that state their size are passed over; behind one that does not, the next head is searched."""
    found, at = [start], start
    while at < size:
        file.seek(at)
        head = file.read(12)
        if head[:4] not in (_EBML, _SEGMENT):
            break
        if head[:4] == _EBML and at != start:
            found.append(at)
        number = _vint(head[4:])
        if number is None or number[1] is None:
            return [*found, *scan.find_all(file, _MATROSKA, at)]
        at += 4 + number[0] + number[1]
    return found


def _vint(data: bytes) -> tuple[int, int | None] | None:
    """A number of Matroska's: the bytes it takes, and its value; None where it means unknown."""
    if not data or not data[0]:
        return None
    count = 9 - data[0].bit_length()
    value = int.from_bytes(data[:count]) & ((1 << 7 * count) - 1)
    return count, None if value == (1 << 7 * count) - 1 else value
