"""The starts of the recordings in concatenated MP4 files (cat a.m4a b.m4a), and the end of the last.

Only the boxes of the highest level are looked at. A fragmented MP4 that repeats its header in the middle, as services
send it in pieces, goes on with the time it was at, and is one recording (ISO 14496-12).
"""

import struct
from typing import BinaryIO

from unbraid.audio.chunk_walk import is_name
from unbraid.audio.units import End

_MOST_BOXES = 1_000_000
_MOOF_BYTES = 4096  # searched for the time at which a fragment begins


def starts(file: BinaryIO, start: int, size: int) -> tuple[list[int], End]:
    """Where the recordings begin, and where the last one ends."""
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
        if length == 0 and name == b"mdat":
            return found, End(size, is_known=True)  # to the end of the file
        if length < 8 or not is_name(name):
            break
        if at + length > size:
            return found, End(at, is_known=False)
        at += length
    return found, End(at, is_known=at > start)


def _is_late(file: BinaryIO, at: int) -> bool:
    """Whether a fragment begins at a later time than 0."""
    file.seek(at)
    data = file.read(_MOOF_BYTES)
    where = data.find(b"tfdt")
    count = 8 if data[where + 4 : where + 5] == b"\1" else 4
    return where >= 0 and any(data[where + 8 : where + 8 + count])
