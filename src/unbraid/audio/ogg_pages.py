"""Inspection of Ogg files page by page: damaged or missing pages, and gaps in time.

Each page states its checksum, its number in its stream, and how many samples there are up to its end (RFC 3533).
libsndfile ignores damage and gaps, so that everything after them comes too early; such files are left to FFmpeg. The
longest possible duration of a page follows from its packets: an Opus packet states its own (RFC 6716, 3.1), a Vorbis
packet is at most half of a long block (Vorbis I specification, 4.2.2).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from unbraid.audio import checksums

_HEAD = struct.Struct("<4sBBqIIIB")
_FIRST_PAGE, _LAST_PAGE = 2, 4  # flags
_READ_BYTES = 1 << 18
_LARGEST = 27 + 255 + 255 * 255
_SLACK_FRAMES = 64
_OPUS_FRAMES = (480, 960, 1920, 2880)  # at 48 kHz, of SILK; CELT has 120 … 960


@dataclass(frozen=True)
class Pages:
    """The facts in the pages of an Ogg file."""

    is_damaged: bool
    has_gaps: bool
    is_cut: bool  # whether the last page is missing or damaged


@dataclass
class _Stream:
    """A logical stream as far as it was read."""

    number: int  # of its last page
    packet_frames: int | None  # at most; None: not known
    granule: int | None = None  # up to the end of its last page
    packets: int = 0  # since then


def examine(file: BinaryIO) -> Pages | None:
    """Look at all pages; None where the file is not Ogg."""
    file.seek(0)
    if file.read(4) != b"OggS":
        return None
    is_damaged, has_gaps = _walk(file)
    return Pages(is_damaged, has_gaps, is_cut=not _ends(file))


def _walk(file: BinaryIO) -> tuple[bool, bool]:
    """Whether there is damage, and whether there are gaps before it."""
    streams: dict[int, _Stream] = {}
    has_gaps = False
    for page in _pages(file):
        if page is None:
            return True, has_gaps
        _, _, flags, granule, serial, number, _, segments = _HEAD.unpack_from(page)
        table, body = page[27 : 27 + segments], page[27 + segments :]
        stream = streams.get(serial)
        if flags & _FIRST_PAGE or stream is None:
            streams[serial] = _Stream(number, _most_frames(body))
            continue
        if number != stream.number + 1:
            return True, has_gaps
        stream.number = number
        has_gaps |= _has_gap(stream, granule, table, body)
    return False, has_gaps


def _ends(file: BinaryIO) -> bool:
    """Whether the last page is whole, and marked as such."""
    file.seek(max(0, file.seek(0, 2) - 2 * _LARGEST))
    data = file.read()
    at = data.rfind(b"OggS\0")
    head = data[at : at + 27]
    if at < 0 or len(head) < 27 or not head[5] & _LAST_PAGE:
        return False
    end = at + 27 + head[26] + sum(data[at + 27 : at + 27 + head[26]])
    return end <= len(data) and checksums.ogg_page(data[at:end]) == data[at + 22 : at + 26]


def _pages(file: BinaryIO) -> Iterator[bytes | None]:
    """The pages, as long as one follows the other; None where something else does, or a checksum is wrong."""
    file.seek(0)
    data, at, is_last = b"", 0, False
    while True:
        if len(data) - at < _LARGEST:
            data, at = data[at:] + file.read(_READ_BYTES), 0
        if at == len(data):
            return
        head = data[at : at + 27]
        if head[:5] != b"OggS\0":
            if not is_last or b"OggS\0" in data[at:] + file.read():
                yield None
            return  # what follows the last page is no damage
        end = at + 27 + head[26] + sum(data[at + 27 : at + 27 + head[26]]) if len(head) == 27 else len(data) + 1
        if end > len(data):
            return  # cut off: others say so
        page = data[at:end]
        if checksums.ogg_page(page) != page[22:26]:
            yield None
            return
        yield page
        at, is_last = end, bool(page[5] & _LAST_PAGE)


def _most_frames(body: bytes) -> int | None:
    """The largest number of frames in a packet, from the first page; 0: each packet states its own."""
    if body.startswith(b"OpusHead"):
        return 0 if body[18:19] == b"\0" else None  # packets of several streams are framed otherwise
    if body.startswith(b"\1vorbis") and len(body) > 28:
        return (1 << (body[28] >> 4)) // 2
    return None


def _has_gap(stream: _Stream, granule: int, table: bytes, body: bytes) -> bool:
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
    if granule < 0 or stream.packet_frames is None:  # no packet ends here
        return False
    before, stream.granule = stream.granule, granule
    held, stream.packets = stream.packets, 0
    return before is not None and before > 0 and granule - before > held + _SLACK_FRAMES


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
