"""FLAC files: the recordings in a file, and the true length of each.

The STREAMINFO block at the front states the number of samples, or 0 where the encoder could not come back to it; each
frame states its place, and has a checksum: the last one tells the true length (RFC 9639).
"""

import re
import struct
from dataclasses import dataclass
from typing import BinaryIO

from unbraid.audio import checksums, scan, tag_blocks

_HEAD = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")
_INFO_BYTES = 4 + 4 + 34
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

    start: int
    end: int
    rate: int
    stated: int  # samples; 0: unknown
    frames: int | None  # by its last frame, if that is whole; else None
    patches: dict[int, bytes]  # {position: bytes} of a header with the true number of samples


def recordings(file: BinaryIO, start: int, size: int) -> list[Recording]:
    """All streams in a file."""
    heads = [start, *scan.find_all(file, _HEAD, start + 1)]
    return [_recording(file, at, end) for at, end in zip(heads, [*heads[1:], size], strict=True)]


def _recording(file: BinaryIO, start: int, end: int) -> Recording:
    file.seek(start)
    info = file.read(_INFO_BYTES)[8:]
    if len(info) < 34:
        return Recording(start, end, 0, 0, None, {})
    largest, word = struct.unpack(">H", info[2:4])[0], struct.unpack(">Q", info[10:18])[0]
    rate, stated = word >> 44, word & _MOST
    frames = _true_frames(file, start, end, largest)
    patches = {start + 18: struct.pack(">Q", word & ~_MOST | frames)} if frames is not None else {}
    return Recording(start, end, rate, stated, frames, patches)


def _true_frames(file: BinaryIO, start: int, end: int, block_size: int) -> int | None:
    """The number of samples up to the end of the last frame, if it is complete."""
    end = tag_blocks.trailing_start(file, start, end)
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
    """The sample at which the frame ends that has this header; None where it is none."""
    if len(head) < 6 or head[0] != 0xFF or head[1] & 0xFE != 0xF8 or head[2] >> 4 == 0 or head[3] & 1:
        return None
    bytes_of_number = 8 - (head[4] ^ 0xFF).bit_length() or 1  # as in UTF-8
    if head[4] < 0x80:
        number, length = head[4], 1
    elif 2 <= bytes_of_number <= 7:
        length = bytes_of_number
        number = head[4] & (0x7F >> length)
        for byte in head[5 : 4 + length]:
            number = number << 6 | byte & 0x3F
    else:
        return None
    at, code = 4 + length, head[2] >> 4
    if code in (6, 7):
        size = int.from_bytes(head[at : at + code - 5], "big") + 1
        at += code - 5
    else:
        size = _SIZES[code]
    at += _RATE_BYTES.get(head[2] & 15, 0)
    if len(head) <= at or checksums.flac_header(head[:at]) != head[at]:
        return None
    return (number if head[1] & 1 else number * block_size) + size
