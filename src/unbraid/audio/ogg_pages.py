"""Ogg files page by page: damaged or missing pages, and gaps in time.

Each page states its checksum, its number in its stream, and how many samples there are up to its end (RFC 3533).
libsndfile ignores damage and gaps, so that everything after them comes too early; such files are left to FFmpeg. The
longest possible duration of a page follows from its packets: an Opus packet states its own (RFC 6716, 3.1), a Vorbis
packet is at most half of a long block (Vorbis I specification, 4.2.2).
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from unbraid.audio import checksums, heads, scan

FIRST_PAGE, LAST_PAGE = 2, 4  # flags
_MARK = re.compile(rb"OggS\x00")
_HEAD = struct.Struct("<4sBBqIIIB")
_HEAD_BYTES = 27 + 255
_LARGEST = _HEAD_BYTES + 255 * 255
_SLACK_FRAMES = 64
_OPUS_FRAMES = (480, 960, 1920, 2880)  # at 48 kHz, of SILK; CELT has 120 … 960


@dataclass(frozen=True)
class Page:
    """The header of a page, and the result of checking the page."""

    at: int
    end: int
    flags: int
    granule: int  # samples up to its end; -1 where no packet ends in it
    serial: int  # of its stream
    number: int
    follows: bool  # directly on the page before it
    is_whole: bool  # whether all of it is there
    is_sound: bool  # whether its checksum fits


@dataclass
class _Stream:
    """A logical stream as far as it was read."""

    number: int  # of its last page
    packet_frames: int | None  # at most; None: not known
    granule: int | None = None  # up to the end of its last page
    packets: int = 0  # since then


class Inspection:
    """The pages of a link so far."""

    def __init__(self) -> None:
        self.streams: dict[int, _Stream] = {}
        self.is_damaged = self.has_gaps = False  # gaps are looked for up to the first damage

    def add(self, page: Page, data: bytes, *, follows: bool) -> None:
        """Look at the next page."""
        if self.is_damaged or not page.is_whole:  # others say that it was cut off
            return
        table = data[27 : 27 + data[26]]
        body = data[27 + len(table) :]
        stream = self.streams.get(page.serial)
        if not follows or not page.is_sound:
            self.is_damaged = True
        elif page.flags & FIRST_PAGE or stream is None:
            self.streams[page.serial] = _Stream(page.number, _most_frames(body))
        elif page.number != stream.number + 1:
            self.is_damaged = True
        else:
            stream.number = page.number
            self.has_gaps |= _has_gap(stream, page, table, body)


def walk(file: BinaryIO, start: int, size: int) -> Iterator[tuple[Page, bytes]]:
    """All pages with their bytes, up to a recording of another kind; what else lies between pages is passed over."""
    at, follows = start, True
    while at < size:
        file.seek(at)
        data = file.read(_HEAD_BYTES)
        if not _MARK.match(data):
            other = heads.following(file, at, size)
            found = next(scan.find_all(file, _MARK, at), size) if other is None else other
            if found == other and not _is_page(file, found):
                return
            at, follows = found, False
            continue
        if len(data) < 27 or len(data) < 27 + data[26]:
            yield Page(at, at + _LARGEST, 0, -1, 0, 0, follows, False, False), data  # not even its header is there
            return
        _, _, flags, granule, serial, number, _, segments = _HEAD.unpack_from(data)
        end = at + 27 + segments + sum(data[27 : 27 + segments])
        page = (data + file.read(max(0, end - at - len(data))))[: end - at]
        is_whole, is_sound = len(page) == end - at, checksums.ogg_page(page) == page[22:26]
        yield Page(at, end, flags, granule, serial, number, follows, is_whole, is_whole and is_sound), page
        at, follows = end, True


def _is_page(file: BinaryIO, at: int) -> bool:
    file.seek(at)
    return _MARK.match(file.read(5)) is not None


def _most_frames(body: bytes) -> int | None:
    """The largest number of frames in a packet, from the first page; 0: each packet states its own."""
    if body.startswith(b"OpusHead"):
        return 0 if body[18:19] == b"\0" else None  # packets of several streams are framed otherwise
    if body.startswith(b"\1vorbis") and len(body) > 28:
        return (1 << (body[28] >> 4)) // 2
    return None


def _has_gap(stream: _Stream, page: Page, table: bytes, body: bytes) -> bool:
    """Whether a page ends later than its packets can last."""
    held, at, begins = 0, 0, True
    for size in table:
        if begins and stream.packet_frames == 0:
            held += _opus_frames(body[at : at + 2])
        elif size < 255 and stream.packet_frames:
            held += stream.packet_frames
        begins = size < 255
        at += size
    stream.packets += held
    if page.granule < 0 or stream.packet_frames is None:  # no packet ends here
        return False
    before, stream.granule = stream.granule, page.granule
    held, stream.packets = stream.packets, 0
    return before is not None and before > 0 and page.granule - before > held + _SLACK_FRAMES


def _opus_frames(packet: bytes) -> int:
    """The duration of an Opus packet in frames at 48 kHz."""
    if not packet:
        return 0
    configuration, code = packet[0] >> 3, packet[0] & 3
    if configuration < 12:
        each = _OPUS_FRAMES[configuration & 3]
    elif configuration < 16:
        each = _OPUS_FRAMES[configuration & 1]
    else:
        each = 120 << (configuration & 3)
    count = 1 if code == 0 else 2 if code < 3 else packet[1] & 63 if len(packet) > 1 else 0
    return each * count
