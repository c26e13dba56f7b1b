"""Blocks of tags around a recording: ID3v2 before it, ID3v1, APE and Lyrics3 after it.

Tagging programs put them on files of every kind. Here they are only measured, so that they are not taken for audio
(ID3v2.4: id3.org; APEv2: wiki.hydrogenaudio.org; Lyrics3: id3.org/Lyrics3v2).
"""

import os
import re
from typing import BinaryIO

_ID3V1_BYTES, _EXTENDED_BYTES = 128, 227  # "TAG", and "TAG+" in front of it
_LYRICS_BYTES = 5100  # at most, in version 1
_APE_HAS_HEADER = 1 << 31


def leading_end(file: BinaryIO, start: int = 0) -> int:
    """The position behind all tags that begin at `start`."""
    size = file.seek(0, os.SEEK_END)
    at = start
    while (end := block_end(file, at, size)) is not None:
        at = end
    return at


def block_end(file: BinaryIO, at: int, size: int) -> int | None:
    """The position behind the block of tags that begins here; None where none does."""
    if at >= size:  # far behind the end, seeking itself fails
        return None
    file.seek(at)
    head = file.read(32)
    if (length := _id3v2_bytes(head)) is not None:
        return at + length if at + length <= size else None
    if head[:8] == b"APETAGEX" and len(head) == 32:
        body = int.from_bytes(head[12:16], "little")
        is_header = bool(head[23] & 0x20)
        return min(at + 32 + (body if is_header else 0), size)
    if head[:4] == b"TAG+" and at + _EXTENDED_BYTES <= size:
        return at + _EXTENDED_BYTES
    if head[:3] == b"TAG" and at + _ID3V1_BYTES <= size:
        return at + _ID3V1_BYTES
    if head[:11] == b"LYRICSBEGIN":
        file.seek(at)
        found = re.search(rb"LYRICSEND|\d{6}LYRICS200", file.read(1 << 20))
        return at + found.end() if found else None
    return None


def trailing_start(file: BinaryIO, start: int, end: int) -> int:
    """The position at which the tags that end at `end` begin; `end` where there are none."""
    while (before := _block_start(file, start, end)) is not None and start <= before < end:
        end = before
    return end


def _id3v2_bytes(head: bytes) -> int | None:
    """The size of an ID3v2 tag in bytes, with header and footer."""
    if head[:3] != b"ID3" or len(head) < 10 or head[3] == 0xFF or any(byte & 0x80 for byte in head[6:10]):
        return None
    length = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return 10 + length + (10 if head[5] & 0x10 else 0)


def _block_start(file: BinaryIO, start: int, end: int) -> int | None:
    """The start of the block of tags that ends here."""
    first = max(start, end - _LYRICS_BYTES - 128)
    file.seek(first)
    tail = file.read(max(0, end - first))
    if tail[-_ID3V1_BYTES:][:3] == b"TAG" and len(tail) >= _ID3V1_BYTES:
        at = end - _ID3V1_BYTES
        return at - _EXTENDED_BYTES if tail[-_ID3V1_BYTES - _EXTENDED_BYTES :][:4] == b"TAG+" else at
    if tail[-32:][:8] == b"APETAGEX":
        body, flags = int.from_bytes(tail[-20:-16], "little"), int.from_bytes(tail[-12:-8], "little")
        return end - body - (32 if flags & _APE_HAS_HEADER else 0)
    if tail[-10:-7] == b"3DI":
        length = _id3v2_bytes(b"ID3" + tail[-7:])
        return None if length is None else end - length
    if found := re.search(rb"(\d{6})LYRICS200$", tail):
        return end - int(found[1]) - 15
    if tail.endswith(b"LYRICSEND") and (at := tail.rfind(b"LYRICSBEGIN")) >= 0:
        return first + at
    return None
