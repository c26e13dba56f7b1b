"""Formats made of one unit after the other, each of which states its length: frames, packets, blocks, tags, elements.

ADTS (AAC), AC-3 and E-AC-3, MPEG transport and program streams, Matroska, WavPack, FLV, ASF (wma), RealMedia, TTA, VOC,
SPHERE, AVI and IFF. A recording ends where the last of its units does. (ISO 13818-1 and 13818-7; ETSI TS 102 366;
RFC 9559; EA IFF 85; OpenDML 1.02; the specifications of WavPack, FLV, ASF and TTA.)
"""

import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from unbraid.audio import scan, tag_blocks

_RESYNC_BYTES = 1 << 16  # searched for the next unit behind damage
_CONFIRMED = 4  # units in a row that are no accident
_ENDLESS = 1 << 62  # the length of an object that is still being written
_NIST_COUNTS = (b"sample_count", b"channel_count", b"sample_n_bytes")
_TTA_BYTES = 1 << 18  # room for the table of 19 hours
_BLOCK_PACKETS = 512  # of a transport stream, looked at together
_AC3_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_OTHERS = tuple(
    bytes.fromhex(guid)
    for guid in (
        "3626b2758e66cf11a6d900aa0062ce6c",  # data
        "90080033b1e5cf1189f400a0c90349cb",  # simple index
        "d329e2d6da35d111903400a0c90349be",  # index
        "f803b1fead12644c840f2a1d2f7ad48c",  # index of media objects
        "d03fb73c4a0c0348953dedf7b6228f0c",  # index of time codes
    )
)
_REAL_CHUNKS = (b".RMF", b"PROP", b"CONT", b"MDPR", b"INDX")
_REAL_TRACKS = 256  # at most
_NUT_INDEX = re.compile(rb"NX\xdd\x67\x2f\x23\xe6\x4e")
_EBML = b"\x1aE\xdf\xa3"
_ELEMENTS = (  # of Matroska: the highest levels
    _EBML,
    *(b"\x18S\x80g", b"\x1fC\xb6u", b"\x1cS\xbbk", b"\x12T\xc3g"),  # segment, cluster, cues, tags
    *(b"\x11M\x9bt", b"\x15I\xa9f", b"\x16T\xaek", b"\x19A\xa4i", b"\x10C\xa7p"),  # seek head to chapters
    *(b"\xe7", b"\xa3", b"\xa0", b"\xab", b"\xa7", b"\xec", b"\xbf"),  # inside of a cluster
)


@dataclass(frozen=True)
class Units:
    """How a format states the lengths of its units."""

    length: Callable[[bytes], int | None]  # of the unit that begins with these bytes; None where none does
    head_bytes: int  # that it needs
    block_bytes: int = 0  # that it takes, for several units at once
    first: int = 0  # where the first unit begins
    is_first: Callable[[bytes], bool] = lambda head: False  # whether a unit begins another recording
    resyncs: bool = False  # whether decoders go on behind bytes that are no unit


@dataclass(frozen=True)
class End:
    """Where the units of a recording end."""

    at: int
    is_known: bool  # else they are damaged there, or cut off


def end_of(file: BinaryIO, units: Units, start: int, size: int, is_end: Callable[[int], bool]) -> End:
    """Where the units end that begin at `start`, or where `is_end` says that another recording follows.

    Tags between units, as radio stations send them, are passed over, and so is damage where decoders do the same.
    """
    at = start + units.first
    while at < size:
        head = _read(file, units, at)
        length = None if at > start and units.is_first(head) else units.length(head)
        if length is not None and at + length > size:
            return End(at, is_known=False)
        if length is not None:
            at += length
            continue
        behind = tag_blocks.leading_end(file, at)
        if units.resyncs and behind > at and units.length(_read(file, units, behind)) is not None:
            at = behind
            continue
        if not units.resyncs or units.is_first(head) or at == start or is_end(at):
            return End(at, is_known=at > start)
        resumed = _resumed(file, units, at, size)
        if resumed is None:
            return End(at, is_known=size - at < _RESYNC_BYTES)
        at = resumed
    return End(at, is_known=True)


def _resumed(file: BinaryIO, units: Units, at: int, size: int) -> int | None:
    """Where units go on behind damage."""
    file.seek(at)
    data = file.read(_RESYNC_BYTES)
    for offset in range(1, len(data)):
        head = data[offset : offset + units.head_bytes]
        if units.length(head) is not None and _is_confirmed(file, units, at + offset, size, may_be_cut=False):
            return at + offset
    return None


def framed(file: BinaryIO, at: int) -> Units | None:
    """The format without a head that begins here, confirmed by several units in a row, or by the end of the file."""
    size = file.seek(0, 2)
    return next((units for units in _FRAMED if _is_confirmed(file, units, at, size, may_be_cut=True)), None)


def _is_confirmed(file: BinaryIO, units: Units, at: int, size: int, *, may_be_cut: bool) -> bool:
    for count in range(_CONFIRMED):
        file.seek(at)
        length = units.length(file.read(units.head_bytes))
        if length is None:
            return False
        at += length
        if at >= size:
            return at == size or (count > 0 and may_be_cut)
    return True


def nut_end(file: BinaryIO, start: int) -> End:
    """Where a NUT file ends that begins at `start`: behind its index, if it has one."""
    at = next(scan.find_all(file, _NUT_INDEX, start), None)
    if at is None:
        return End(start + 1, is_known=False)
    file.seek(at + 8)
    data, length = file.read(10), 0
    count = next((count for count, byte in enumerate(data, 1) if byte < 0x80), len(data))
    for byte in data[:count]:  # seven bits each, highest first
        length = length << 7 | byte & 0x7F
    return End(at + 8 + count + (4 if length > 4096 else 0) + length, is_known=True)


def _read(file: BinaryIO, units: Units, at: int) -> bytes:
    file.seek(at)
    return file.read(units.block_bytes or units.head_bytes)


def _adts(head: bytes) -> int | None:
    if len(head) < 6 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return None
    return ((head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5) or None


def _ac3(head: bytes) -> int | None:
    if len(head) < 6 or head[:2] != b"\x0bw":
        return None
    if head[5] >> 3 > 10:  # E-AC-3
        return (((head[2] & 7) << 8 | head[3]) + 1) * 2
    rate, code = head[4] >> 6, head[4] & 63
    if rate == 3 or code >> 1 >= len(_AC3_KBPS):
        return None
    kbps = _AC3_KBPS[code >> 1]
    return (kbps * 4, (kbps * 96000 // 44100 + (code & 1)) * 2, kbps * 6)[rate]


def _packets(size: int, mark_at: int) -> Callable[[bytes], int | None]:
    def length(data: bytes) -> int | None:
        marks = data[mark_at::size]
        good = len(marks) - len(marks.lstrip(b"G"))
        return good * size or None

    return length


def _program(head: bytes) -> int | None:
    if head[:3] != b"\0\0\1" or len(head) < 14 or head[3] < 0xB9:
        return 4 if head[:4] == b"\0\0\1\xb9" else None
    if head[3] == 0xB9:
        return 4
    if head[3] == 0xBA:
        return 14 + (head[13] & 7) if head[4] >> 6 == 1 else 12
    return 6 + int.from_bytes(head[4:6], "big")


def _wavpack(head: bytes) -> int | None:
    return 8 + int.from_bytes(head[4:8], "little") if head[:4] == b"wvpk" and len(head) == 28 else None


def _begins_wavpack(head: bytes) -> bool:
    """With its first sample and, of several channels, the first ones."""
    return head[16:20] == bytes(4) != head[20:24] and len(head) == 28 and bool(head[25] & 8)


def _flv(head: bytes) -> int | None:
    is_tag = len(head) == 11 and head[0] & ~0x20 in (8, 9, 18) and head[8:] == bytes(3)
    return 11 + int.from_bytes(head[1:4], "big") + 4 if is_tag else None  # its size is repeated behind it


def _asf(head: bytes) -> int | None:
    length = int.from_bytes(head[16:24], "little")
    is_object = head[:16] == _ASF_HEADER or head[:16] in _ASF_OTHERS
    return (length if length >= 24 else _ENDLESS) if is_object and len(head) == 24 else None


def _tta(data: bytes) -> int | None:
    """All of a file, by its table of frames."""
    if len(data) < 22 or data[:4] != b"TTA1":
        return None
    rate, samples = struct.unpack("<II", data[10:18])
    count = -(-samples // max(256 * rate // 245, 1))
    table = data[22 : 22 + 4 * count]
    return 22 + 4 * count + 4 + sum(struct.unpack(f"<{count}I", table)) if len(table) == 4 * count else _ENDLESS


def _voc(head: bytes) -> int | None:
    """A block of a Creative Voice File; zero ends it."""
    return 4 + int.from_bytes(head[1:4], "little") if len(head) == 4 and 0 < head[0] < 10 else None


def _nist(head: bytes) -> int | None:
    """All of a SPHERE file."""
    counts = [re.search(rb"\n%s -i (\d{1,12})\n" % name, head) for name in _NIST_COUNTS]
    return 1024 + math.prod(int(count[1]) for count in counts if count) if all(counts) else None


def _real(head: bytes) -> int | None:
    """A chunk; of that of the packets only its head, so that they are next: writers count some bytes too many."""
    if len(head) < 8 or head[:4] == b"DATA":
        return 18 if len(head) == 8 else None
    version, length, track, _ = struct.unpack(">4H", head)
    if version < 2 and length >= 12 and track < _REAL_TRACKS:
        return int(length)
    return int.from_bytes(head[4:], "big") or None if head[:4] in _REAL_CHUNKS else None


def _matroska(head: bytes) -> int | None:
    """An element; of one of unknown length, as in live streams, only its head, so that those inside it are next."""
    name = next((name for name in _ELEMENTS if head.startswith(name)), None)
    if name is None or len(head) <= len(name) or not head[len(name)]:
        return None
    count = 9 - head[len(name)].bit_length()
    value, unknown = int.from_bytes(head[len(name) :][:count]) & ((1 << 7 * count) - 1), (1 << 7 * count) - 1
    return len(name) + count + (0 if value == unknown else value)


def _iff(head: bytes) -> int | None:
    length = int.from_bytes(head[4:8], "big")
    return 8 + length + length % 2 if head[:4] == b"FORM" and len(head) == 8 else None


def _avi(head: bytes) -> int | None:
    """One of more than 1 GiB goes on in further RIFFs."""
    length = int.from_bytes(head[4:8], "little")
    return 8 + length + length % 2 if head[:4] == b"RIFF" and head[8:12] in (b"AVI ", b"AVIX") else None


_FRAMED = (
    Units(_adts, 6, resyncs=True),
    Units(_ac3, 6, resyncs=True),
    *(
        Units(_packets(size, at), size, size * _BLOCK_PACKETS, resyncs=True)
        for size, at in ((188, 0), (192, 4), (204, 0))  # plain, with times in front (m2ts), with checksums
    ),
    Units(_program, 14, resyncs=True),
)
WITH_HEADS = {  # {first bytes: units}
    b"wvpk": Units(_wavpack, 28, is_first=_begins_wavpack, resyncs=True),
    b"FLV\x01": Units(_flv, 11, first=13, resyncs=True),
    _ASF_HEADER[:4]: Units(_asf, 24, is_first=lambda head: head[:16] == _ASF_HEADER),
    _EBML: Units(_matroska, 12, is_first=lambda head: head[:4] == _EBML, resyncs=True),
    b"TTA1": Units(_tta, 22, _TTA_BYTES, is_first=lambda head: True),
    b".RMF": Units(_real, 8, is_first=lambda head: head[:4] == b".RMF", resyncs=True),
    b"Crea": Units(_voc, 4, first=26),
    b"NIST": Units(_nist, 1024, is_first=lambda head: True),
    b"FORM": Units(_iff, 8, is_first=lambda head: True),
    b"RIFF": Units(_avi, 12, is_first=lambda head: head[8:12] == b"AVI "),
}
