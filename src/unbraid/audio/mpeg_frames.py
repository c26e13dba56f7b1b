"""The frames of MPEG audio (mp3 and its kin), and the table of counts that the first one may hold.

(ISO 11172-3 and 13818-3; the Xing and Info tables of Xing and LAME.)
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

from unbraid.audio import tag_blocks

_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # by version bits
KBPS = {
    (True, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),  # (MPEG 1, layer bits)
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
HEAD_BYTES = 64  # of a frame: up to its table's counts
SEARCH_BYTES = 1 << 16


@dataclass(frozen=True)
class Frame:
    """The header of a frame, parsed."""

    size: int  # bytes
    samples: int
    rate: int
    channels: int
    side: int  # where a Xing table begins


@dataclass(frozen=True)
class Counts:
    """A Xing or Info table: how many frames and bytes its recording has."""

    at: int  # of its frame in the file
    frame: Frame
    is_constant: bool  # whether all frames are of one size
    frames: int
    frames_at: int
    bytes: int | None
    bytes_at: int


@lru_cache(maxsize=4096)
def parse(head: bytes) -> Frame | None:
    """The frame that these four bytes begin."""
    if not _is_sync(head):
        return None
    version, layer, kbps, rate = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or kbps in (0, 15) or rate == 3:
        return None
    full = version == 3
    hertz, bits, padding = _RATES[version][rate], KBPS[full, layer][kbps - 1] * 1000, head[2] >> 1 & 1
    channels = 1 if head[3] >> 6 == 3 else 2
    samples = 384 if layer == 3 else 1152 if layer == 2 or full else 576
    size = (12 * bits // hertz + padding) * 4 if layer == 3 else samples // 8 * bits // hertz + padding
    side = 4 + ((32 if channels == 2 else 17) if full else (17 if channels == 2 else 9))
    return Frame(size, samples, hertz, channels, side)


def is_whole(data: bytes) -> bool:
    """Whether these bytes are one frame, no more and no less."""
    frame = parse(data[:4])
    return frame is not None and frame.size == len(data)


def is_mpeg(file: BinaryIO) -> bool:
    """Whether a file begins as decoders of MPEG audio expect it: with a frame, or with an ID3 tag."""
    file.seek(0)
    head = file.read(10)
    return head[:3] == b"ID3" or _is_sync(head)


def _is_sync(head: bytes) -> bool:
    return len(head) >= 4 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 6 != 0


def first_frame(file: BinaryIO, start: int, *, far: bool, confirmed: int = 1) -> int | None:
    """The position of a recording's first frame, confirmed by later ones; `far`: other bytes may precede it."""
    file.seek(start)
    data = file.read(SEARCH_BYTES if far else 4)
    at = data.find(b"\xff")
    while at >= 0 and (far or at == 0):
        if parse(data[at : at + 4]) and is_confirmed(file, start + at, confirmed):
            return start + at
        at = data.find(b"\xff", at + 1)
    return None


def is_confirmed(file: BinaryIO, at: int, count: int = 1) -> bool:
    """Whether a frame begins here: it is followed by `count` frames of its kind, or the end of the file."""
    rate: int | None = None
    for number in range(count + 1):
        file.seek(at)
        head = file.read(4)
        if number and (len(head) < 4 or head[:3] in (b"TAG", b"ID3", b"APE")):
            return True
        frame = parse(head)
        if frame is None or rate not in (None, frame.rate):
            return False
        at, rate = at + frame.size, frame.rate
    return True


def counts_of(file: BinaryIO, at: int) -> Counts | None:
    """The table in the frame at a position."""
    file.seek(at)
    return counts_in(file.read(HEAD_BYTES), at)


def counts_in(head: bytes, at: int) -> Counts | None:
    """The table in a frame with these first bytes; none where it does not count its frames."""
    frame = parse(head[:4])
    table = head[frame.side :] if frame else b""
    if frame is None or table[:4] not in (b"Xing", b"Info") or len(table) < 16 or not table[7] & 1:
        return None
    frames = int.from_bytes(table[8:12], "big")
    count = int.from_bytes(table[12:16], "big") if table[7] & 2 else None
    if not frames:
        return None
    start = at + frame.side
    return Counts(at, frame, table[:4] == b"Info", frames, start + 8, count, start + 12)


def stated_frames(file: BinaryIO) -> int | None:
    """The number of frames according to the table in the first one of a file, behind its tags; None without a table."""
    table = counts_of(file, tag_blocks.leading_end(file))
    return table.frames if table else None
