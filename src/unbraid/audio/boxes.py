"""The boxes of MP4 and QuickTime files: concatenated recordings (cat a.m4a b.m4a), and edit lists.

A fragmented MP4 that repeats its header in the middle, as services send it in pieces, goes on with the time it was at,
and is one recording. FFmpeg honours edits, but states either their total duration, including empty ones at the start,
or, if that is shorter, the duration of the samples without them (ISO 14496-12, 8.6.6).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from unbraid.audio.chunk_walk import is_name
from unbraid.audio.units import End

FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip")  # one of which a file begins with
_LATER_BOXES = (b"moof", b"mfra", b"meta", b"sidx", b"styp", b"uuid", b"udta", b"pnot")  # of the highest level
_MOST_BOXES = 1_000_000  # in one box, or of the highest level
_MOST_ENTRIES = 10_000
_MOOF_BYTES = 4096  # searched for the time at which a fragment begins


@dataclass(frozen=True)
class Box:
    """A box, from its size on, and where its content begins."""

    name: bytes
    at: int
    body: int
    end: int


def starts(file: BinaryIO, start: int, size: int) -> tuple[list[int], End]:
    """Where the recordings begin, and where the last one ends."""
    found, seen, end = [start], set[bytes](), start
    pending: int | None = None  # a header, until it is known whether it starts a recording
    for box in _walk(file, start, size):
        is_cut = box.end > size
        if not is_name(box.name) or (is_cut and box.name not in FIRST_BOXES + _LATER_BOXES):
            break
        if box.name == b"ftyp" and seen & {b"mdat", b"moof"}:
            pending, seen = box.at, set()
        elif pending is not None and box.name in (b"mdat", b"moof"):
            found += [pending] if box.name == b"mdat" or not _is_late(file, box.at) else []
            pending = None
        if is_cut:
            return found, End(box.at, is_known=False)
        seen.add(box.name)
        end = box.end
    return found, End(end, is_known=end > start)


def edited_seconds(file: BinaryIO) -> dict[int, float]:
    """The total duration in seconds of each track with edits, by the track's number."""
    timescale, current = 0, 0
    found: dict[int, int] = {}
    for box in _inside(file, 0, file.seek(0, 2), (b"moov", b"trak", b"edts")):
        file.seek(box.body)
        body = file.read(32)
        if len(body) < 32:
            break
        if box.name == b"mvhd":
            timescale = struct.unpack(">I", body[20:24] if body[0] else body[12:16])[0]
        elif box.name == b"tkhd":
            current = struct.unpack(">I", body[20:24] if body[0] else body[12:16])[0]
        elif box.name == b"elst":
            found[current] = _length(file, box.body)
    return {track: length / timescale for track, length in found.items() if length and timescale}


def _walk(file: BinaryIO, at: int, end: int) -> Iterator[Box]:
    """The boxes between two positions; the last one may reach behind them."""
    for _ in range(_MOST_BOXES):
        file.seek(at)
        head = file.read(16)
        if at + 8 > end or len(head) < 8:
            return
        length, name = struct.unpack(">I4s", head[:8])
        body = at + 8
        if length == 1 and len(head) == 16:
            length, body = struct.unpack(">Q", head[8:])[0], at + 16
        length = length or end - at  # 0: to the end
        if length < body - at:
            return
        yield Box(name, at, body, at + length)
        at += length
        if at >= end:
            return


def _inside(file: BinaryIO, at: int, end: int, names: tuple[bytes, ...]) -> Iterator[Box]:
    """The boxes between two positions, and those inside of the first of these names, and so on."""
    for box in _walk(file, at, end):
        yield box
        if names and box.name == names[0]:
            yield from _inside(file, box.body, min(box.end, end), names[1:])


def _is_late(file: BinaryIO, at: int) -> bool:
    """Whether a fragment begins at a later time than 0."""
    file.seek(at)
    data = file.read(_MOOF_BYTES)
    where = data.find(b"tfdt")
    count = 8 if data[where + 4 : where + 5] == b"\1" else 4
    return where >= 0 and any(data[where + 8 : where + 8 + count])


def _length(file: BinaryIO, at: int) -> int:
    """The sum of the durations in an edit list."""
    file.seek(at)
    version, count = struct.unpack(">B3xI", file.read(8))
    entry = struct.Struct(">Qq4x" if version else ">Ii4x")
    data = file.read(entry.size * min(count, _MOST_ENTRIES))
    whole = data[: len(data) - len(data) % entry.size]
    return sum(duration for duration, _ in entry.iter_unpack(whole))
