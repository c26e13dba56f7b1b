"""Ogg files as pages: their consecutive streams, and whether the last one is complete.

The first page of a stream is marked, and the last one, which states how many samples there are up to its end; streams
may follow one another, and radio stations send a new one for each title (RFC 3533). Decoders skip damaged pages,
take the last page of a file for its end, and stop at the end of the first stream.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from unbraid.audio import checksums

_FIRST_PAGE, _LAST_PAGE = 2, 4  # flags
_HEAD_BYTES = 27 + 255
_SEARCH_BYTES = 1 << 16
_SLACK_SECONDS = 0.05


@dataclass(frozen=True)
class _Page:
    """The header of a page, parsed."""

    at: int
    end: int
    flags: int
    granule: int  # samples up to its end; -1 where no packet ends in it
    serial: int  # of its stream
    follows: bool  # directly on the page before it


@dataclass
class Link:
    """Streams that begin together: from one first page to the next."""

    start: int
    end: int
    last: _Page
    serials: set[int]
    first_granule: int = 0
    is_intact: bool = True  # whether each page follows the one before


def links(file: BinaryIO, start: int) -> list[Link]:
    """The links of a chain."""
    found: list[Link] = []
    is_head = False
    for page in _pages(file, start):
        begins = bool(page.flags & _FIRST_PAGE)
        if not found or (begins and not is_head):
            found.append(Link(page.at, page.end, page, set()))
        link = found[-1]
        link.is_intact &= page.follows or page.at == link.start
        is_head = begins
        link.end, link.last = page.end, page
        link.serials.add(page.serial)
        if page.granule > 0 and not link.first_granule:
            link.first_granule = page.granule
    return found


def is_ended(file: BinaryIO, link: Link) -> bool:
    """Whether a link has its last page, and that page its mark."""
    return bool(link.last.flags & _LAST_PAGE) and link.last.end <= file.seek(0, os.SEEK_END)


def mark(file: BinaryIO, link: Link) -> dict[int, bytes]:
    """{position: bytes} that end a link of which nothing but the mark is missing; {} for any other.

    Without it, libsndfile cannot read the last page of Opus.
    """
    page = link.last
    if not link.is_intact or page.end > file.seek(0, os.SEEK_END):
        return {}
    file.seek(page.at)
    data = file.read(page.end - page.at)
    if checksums.ogg_page(data) != data[22:26]:
        return {}
    marked = data[:5] + bytes([page.flags | _LAST_PAGE]) + data[6:]
    return {page.at + 5: marked[5:6], page.at + 22: checksums.ogg_page(marked)}


def holds_more(link: Link, seconds: float, granule_rate: int) -> bool:
    """Whether the pages of a link count more than the `seconds` that its decoder found."""
    if len(link.serials) > 1:
        return False
    return (link.last.granule - link.first_granule) / granule_rate > seconds + _SLACK_SECONDS


def _pages(file: BinaryIO, start: int) -> Iterator[_Page]:
    """The headers of all pages; data between pages is skipped."""
    at, follows = start, True
    while True:
        file.seek(at)
        head = file.read(_HEAD_BYTES)
        if head[:5] != b"OggS\0":
            found = _find(file, at + 1)
            if found is None:
                return
            at, follows = found, False
            continue
        if len(head) < 27 or len(head) < 27 + head[26]:
            end, flags, granule, serial = at + 65307, 0, -1, 0  # not even its header is there
        else:
            flags, granule, serial = struct.unpack("<BqI", head[5:18])
            end = at + 27 + head[26] + sum(head[27 : 27 + head[26]])
        yield _Page(at, end, flags, granule, serial, follows)
        at, follows = end, True


def _find(file: BinaryIO, at: int) -> int | None:
    """The start of the next page."""
    file.seek(at)
    before = b""
    while block := file.read(_SEARCH_BYTES):
        found = (before + block).find(b"OggS\0")
        if found >= 0:
            return at - len(before) + found
        before, at = (before + block)[-4:], at + len(block)
    return None
