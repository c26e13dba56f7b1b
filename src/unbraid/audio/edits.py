"""Edit lists of MP4 and QuickTime files: the length of a track with all its edits (ISO 14496-12, 8.6.6).

FFmpeg honours edits, but states either their total duration, including empty ones at the start, or, if that is shorter,
the duration of the samples without them.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip")  # one of which a file begins with
_MOST_ENTRIES = 10_000
_INSIDE = (b"moov", b"trak", b"edts")


def edited_seconds(file: BinaryIO) -> dict[int, float]:
    """The total duration in seconds of each track with edits, by the track's number."""
    timescale, current = 0, 0
    found: dict[int, int] = {}
    for kind, at in _boxes(file, 0, file.seek(0, 2)):
        file.seek(at)
        body = file.read(32)
        if len(body) < 32:
            break
        if kind == b"mvhd":
            timescale = struct.unpack(">I", body[20:24] if body[0] else body[12:16])[0]
        elif kind == b"tkhd":
            current = struct.unpack(">I", body[20:24] if body[0] else body[12:16])[0]
        elif kind == b"elst":
            found[current] = _length(file, at)
    return {track: length / timescale for track, length in found.items() if length and timescale}


def _boxes(file: BinaryIO, at: int, end: int) -> Iterator[tuple[bytes, int]]:
    """The boxes between two places, those inside of others that matter here included: (kind, where the body is)."""
    while at + 8 <= end:
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return
        size, kind, body = struct.unpack(">I", head[:4])[0], head[4:8], at + 8
        if size == 1 and len(head) == 16:
            size, body = struct.unpack(">Q", head[8:])[0], at + 16
        size = size or end - at  # 0: to the end
        if size < body - at:
            return
        yield kind, body
        if kind in _INSIDE:
            yield from _boxes(file, body, min(at + size, end))
        at += size


def _length(file: BinaryIO, at: int) -> int:
    """The sum of the durations in an edit list."""
    file.seek(at)
    version, count = struct.unpack(">B3xI", file.read(8))
    entry = struct.Struct(">Qq4x" if version else ">Ii4x")
    data = file.read(entry.size * min(count, _MOST_ENTRIES))
    whole = data[: len(data) - len(data) % entry.size]
    return sum(duration for duration, _ in entry.iter_unpack(whole))
