"""MPEG audio (mp3) as frames, to find concatenated recordings.

Players continue after the end of an mp3 with the next one; decoders stop there, because the first frame may state the
number of frames (the Xing, Info or VBRI table), or fail on the tags in between. If that table fits the file, nothing
else is read; otherwise all headers of frames are, some 140 000 an hour. (ISO 11172-3 and 13818-3.)
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

from unbraid.audio import tag_blocks

_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # by version bits
_KBPS = {
    (True, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),  # (MPEG 1, layer bits)
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_HEAD_BYTES = 64  # of a frame: up to its table's counts
_SEARCH_BYTES = 1 << 16


@dataclass(frozen=True)
class Frame:
    """The header of a frame, parsed."""

    size: int  # bytes
    samples: int
    rate: int
    channels: int
    side: int  # where a Xing table begins


@dataclass(frozen=True)
class Table:
    """A Xing or Info table: how many frames and bytes its recording has."""

    at: int  # of its frame in the file
    frame: Frame
    is_constant: bool  # whether all frames are of one size
    frames: int
    frames_at: int
    bytes: int | None
    bytes_at: int


@dataclass
class Recording:
    """Frames of one kind, one after the other."""

    start: int
    frame: Frame
    table: Table | None
    end: int = 0
    frames: int = 0  # the table's own is not counted
    is_complete: bool = True  # whether its last frame is
    is_intact: bool = True  # whether each frame follows the one before
    counted_end: int | None = None  # behind as many frames as its table counts


@lru_cache(maxsize=4096)
def parse(head: bytes) -> Frame | None:
    """The frame that these four bytes begin."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer, kbps, rate = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 0 or kbps in (0, 15) or rate == 3:
        return None
    full = version == 3
    hertz, bits, padding = _RATES[version][rate], _KBPS[full, layer][kbps - 1] * 1000, head[2] >> 1 & 1
    channels = 1 if head[3] >> 6 == 3 else 2
    samples = 384 if layer == 3 else 1152 if layer == 2 or full else 576
    size = (12 * bits // hertz + padding) * 4 if layer == 3 else samples // 8 * bits // hertz + padding
    side = 4 + ((32 if channels == 2 else 17) if full else (17 if channels == 2 else 9))
    return Frame(size, samples, hertz, channels, side)


def first_frame(file: BinaryIO, start: int, *, far: bool, confirmed: int = 1) -> int | None:
    """The position of a recording's first frame, confirmed by later ones; `far`: other bytes may precede it."""
    file.seek(start)
    data = file.read(_SEARCH_BYTES if far else 4)
    at = data.find(b"\xff")
    while at >= 0 and (far or at == 0):
        if parse(data[at : at + 4]) and _is_confirmed(file, start + at, confirmed):
            return start + at
        at = data.find(b"\xff", at + 1)
    return None


def table_of(file: BinaryIO, at: int) -> Table | None:
    """The table in the frame at a position."""
    file.seek(at)
    head = file.read(_HEAD_BYTES)
    frame = parse(head[:4])
    return _table(head, frame, at) if frame else None


def fits(file: BinaryIO, table: Table, size: int) -> bool:
    """Whether the file ends where the table says that its recording does, with as many frames of constant size."""
    frame_bytes = table.frame.size * (table.frames + 1)
    if table.bytes is None or not table.is_constant or abs(table.bytes - frame_bytes) > table.frames + table.frame.size:
        return False
    end = table.at + table.bytes
    return end == size or (end < size and tag_blocks.leading_end(file, end) >= size)


def recordings(
    file: BinaryIO, start: int, size: int, is_end: Callable[[int], bool] = lambda at: False
) -> Iterator[Recording]:
    """The recordings in a file, by the headers of all its frames, to where `is_end` says that those of a kind end."""
    now: Recording | None = None
    at = start
    while at < size:
        file.seek(at)
        head = file.read(_HEAD_BYTES)
        frame = parse(head[:4])
        is_new = now is None or (
            frame is not None and (frame.rate, frame.channels) != (now.frame.rate, now.frame.channels)
        )
        if frame is None or (is_new and not _is_confirmed(file, at)):
            if now and is_end(at):
                break
            following, is_boundary = _next(file, at, size)
            if now and is_boundary:
                yield now
                now = None
            elif now:
                now.is_intact &= following >= size
            at = following
            continue
        table = _table(head, frame, at)
        if is_new or table or head[36:40] == b"VBRI":
            if now:
                yield now
            now = Recording(at, frame, table, frames=-1 if table else 0)
        assert now is not None
        at += frame.size
        now.frames += 1
        now.end, now.is_complete = min(at, size), at <= size
        if now.table and now.frames == now.table.frames:
            now.counted_end = at
    if now:
        yield now


def _table(head: bytes, frame: Frame, at: int) -> Table | None:
    side = frame.side
    if head[side : side + 4] not in (b"Xing", b"Info") or len(head) < side + 16 or not head[side + 7] & 1:
        return None
    frames = int.from_bytes(head[side + 8 : side + 12], "big")
    count = int.from_bytes(head[side + 12 : side + 16], "big") if head[side + 7] & 2 else None
    return (
        Table(at, frame, head[side : side + 4] == b"Info", frames, at + side + 8, count, at + side + 12)
        if frames
        else None
    )


def _is_confirmed(file: BinaryIO, at: int, count: int = 1) -> bool:
    """Whether a frame begins here: it is followed by `count` frames of its kind, or the end of the file."""
    file.seek(at)
    frame = first = parse(file.read(4))
    for _ in range(count):
        if frame is None or first is None or frame.rate != first.rate:
            return False
        at += frame.size
        file.seek(at)
        head = file.read(4)
        if len(head) < 4 or head[:3] in (b"TAG", b"ID3", b"APE"):
            return True
        frame = parse(head)
    return frame is not None and first is not None and frame.rate == first.rate


def _next(file: BinaryIO, at: int, size: int) -> tuple[int, bool]:
    """The next frame after other data, and whether these are tags, after which a new recording begins."""
    end = tag_blocks.leading_end(file, at)
    if end > at:
        found = first_frame(file, end, far=True)
        return (size if found is None else found), True
    while at < size:
        found = first_frame(file, at + 1, far=True)
        if found is not None:
            return found, False
        at += _SEARCH_BYTES
    return size, False
