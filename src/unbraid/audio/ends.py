"""Files that stop before their own end in ways that no decoder mentions: Ogg and CAF.

An Ogg stream is a chain of pages; the last one is marked, and states how many samples there are up to its end
(RFC 3533). Decoders pass over pages that are damaged, and take whatever page comes last for the end. A CAF file states
how many bytes of samples it holds (Apple Core Audio Format 1.0); FFmpeg trims that to what is there.
"""

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

_PAGE_BYTES = 65307  # at most
_LAST_PAGE = 4  # flag in its header
_SLACK_SECONDS = 0.05


@dataclass(frozen=True)
class _Page:
    """What the header of an Ogg page says."""

    flags: int
    granule: int  # samples up to its end; -1 where no packet ends in it
    serial: int  # of its stream
    end: int  # in the file


def ogg_is_cut(file: BinaryIO, seconds: float, granule_rate: int) -> bool:
    """Whether an Ogg file lacks its last page, or holds more than the `seconds` that its decoder found."""
    size = file.seek(0, os.SEEK_END)
    first = next((p for p in _pages(file, 0, size) if p.granule > 0), None)
    last = max(_pages(file, max(0, size - 2 * _PAGE_BYTES), size), key=lambda p: p.end, default=None)
    if last is None or last.end > size or not last.flags & _LAST_PAGE:
        return True
    if first is None or first.serial != last.serial:
        return False
    return (last.granule - first.granule) / granule_rate > seconds + _SLACK_SECONDS


def caf_is_cut(file: BinaryIO) -> bool:
    """Whether a CAF file ends before its samples do."""
    size = file.seek(0, os.SEEK_END)
    at, kind, length = 8, b"", 0
    while kind != b"data" and at + 12 <= size:
        file.seek(at)
        kind, length = struct.unpack(">4sq", file.read(12))
        at += 12 + max(length, 0)  # -1: to the end of the file
    return kind != b"data" or at > size


def _pages(file: BinaryIO, start: int, size: int) -> list[_Page]:
    """The pages that begin in two pages' worth of bytes from `start` on."""
    file.seek(start)
    data = file.read(2 * _PAGE_BYTES)
    pages, at = [], data.find(b"OggS\0")
    while at >= 0:
        if len(data) < at + 27 or len(data) < at + 27 + data[at + 26]:
            pages.append(_Page(0, -1, 0, size + 1))  # not even its header is there
            break
        flags, granule, serial = struct.unpack("<BqI", data[at + 5 : at + 18])
        body = at + 27 + data[at + 26]
        end = body + sum(data[at + 27 : body])
        pages.append(_Page(flags, granule, serial, start + end))
        at = data.find(b"OggS\0", at + 4)
    return pages
