"""FLAC files: the recordings in a file, and the true length of each.

The STREAMINFO block at the front states the number of samples, or 0 where the encoder could not come back to it; each
frame states its place, and has a checksum: the last one tells the true length (RFC 9639).
"""

import re
import struct
from dataclasses import dataclass, field
from typing import BinaryIO

from unbraid.audio import checksums, heads, scan, tag_blocks
from unbraid.audio.units import End

_HEAD = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")
_SYNC = re.compile(rb"\xff[\xf8\xf9]")
_INFO_BYTES = 4 + 4 + 34
_LOST_FRAMES = 1 << 20  # at most, from one frame to the next
_LAST_BYTES = 1 << 18  # at the end of a recording, where its last frame is searched
_SIZES = {
    1: 192,
    **{code: 576 << (code - 2) for code in range(2, 6)},
    **{code: 256 << (code - 8) for code in range(8, 16)},
}
_MOST = (1 << 36) - 1  # samples that the header can state
_RATE_BYTES = {12: 1, 13: 2, 14: 2}


@dataclass(frozen=True)
class Recording:
    """One FLAC stream in a file."""

    end: End
    rate: int = 0
    stated: int = 0  # samples; 0: unknown
    frames: int | None = None  # by its last frame, if that is whole; else None
    patches: dict[int, bytes] = field(default_factory=dict)  # {position: bytes} with the true number of samples


def recording(file: BinaryIO, start: int, size: int) -> Recording:
    """The stream that begins at `start`."""
    file.seek(start)
    info = file.read(_INFO_BYTES)[8:]
    if len(info) < 34:
        return Recording(End(size, is_known=True))
    largest, word = struct.unpack(">H", info[2:4])[0], struct.unpack(">Q", info[10:18])[0]
    rate, stated = word >> 44, word & _MOST
    limit = min(next(scan.find_all(file, _HEAD, start + 1), size), size)
    end = tag_blocks.trailing_start(file, start, limit)
    frames = _true_frames(file, start, end, largest)
    if frames is None:  # other bytes follow it, or it was cut off
        last = _last_frame(file, start + _INFO_BYTES, limit, largest, stated)
        if last is None:
            return Recording(End(start + _INFO_BYTES, is_known=False), rate, stated)
        end, frames = last
    patches = {start + 18: struct.pack(">Q", word & ~_MOST | frames)}
    return Recording(End(end, is_known=True), rate, stated, frames, patches)


def _last_frame(file: BinaryIO, start: int, limit: int, block_size: int, stated: int) -> tuple[int, int] | None:
    """Where the last frame ends, and how many samples there are up to its end; None where it is not whole."""
    at, reached = None, 0
    for found in scan.find_all(file, _SYNC, start):
        if found >= limit or (stated and reached == stated):
            break
        file.seek(found)
        upto = _end_of(file.read(17), block_size)
        if upto is not None and 0 < upto - reached <= _LOST_FRAMES:
            at, reached = found, upto
    if at is None or (stated and reached != stated):
        return None
    file.seek(at)
    ends = [at + length for length in checksums.flac_frames(file.read(min(limit - at, _LAST_BYTES)))]
    sure = (end for end in ends if heads.following(file, end, limit + 1) or not heads.unread(file, end, limit))
    return (next(sure, ends[0]), reached) if ends else None


def _true_frames(file: BinaryIO, start: int, end: int, block_size: int) -> int | None:
    """How many samples there are up to the end of the last frame, if it is whole."""
    first = max(start + _INFO_BYTES, end - _LAST_BYTES)
    file.seek(first)
    data = file.read(end - first)
    at = len(data)
    while (at := data.rfind(b"\xff", 0, at)) >= 0:
        upto = _end_of(data[at : at + 17], block_size)
        if upto is not None and checksums.flac_frame(data[at:-2]) == int.from_bytes(data[-2:], "big"):
            return upto
    return None


def _end_of(head: bytes, block_size: int) -> int | None:
    """The sample at which the frame with this header ends; None if it is not a frame header."""
    if len(head) < 6 or head[0] != 0xFF or head[1] & 0xFE != 0xF8 or head[2] >> 4 == 0 or head[3] & 1:
        return None
    count = 8 - (head[4] ^ 0xFF).bit_length()  # ones in front: the bytes of a number as in UTF-8, 0 for a single one
    if count == 1 or count > 7:
        return None
    at, number, code = 4 + (count or 1), head[4] & (0x7F >> count), head[2] >> 4
    for byte in head[5:at]:
        number = number << 6 | byte & 0x3F
    if code in (6, 7):
        size = int.from_bytes(head[at : at + code - 5], "big") + 1
        at += code - 5
    else:
        size = _SIZES[code]
    at += _RATE_BYTES.get(head[2] & 15, 0)
    if len(head) <= at or checksums.flac_header(head[:at]) != head[at]:
        return None
    return (number if head[1] & 1 else number * block_size) + size
