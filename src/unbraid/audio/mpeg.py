"""The recordings in an mp3 file, each with a matching table.

Players continue after the end of an mp3 with the next one; decoders stop there, because the first frame may state the
number of frames (the Xing, Info or VBRI table), or fail on the tags in between. If that table fits the file, nothing
else is read; otherwise all headers of frames are, some 140 000 an hour.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from unbraid.audio import heads, tag_blocks
from unbraid.audio.mpeg_frames import (
    HEAD_BYTES,
    SEARCH_BYTES,
    Counts,
    Frame,
    counts_in,
    counts_of,
    first_frame,
    is_confirmed,
    parse,
)
from unbraid.audio.parts import MOST_PARTS, Found, Part
from unbraid.audio.view import Piece, patched

_ID3V1_BYTES = 128


@dataclass
class Recording:
    """Frames of one kind, one after the other."""

    start: int
    frame: Frame
    table: Counts | None
    end: int = 0
    frames: int = 0  # the table's own is not counted
    is_complete: bool = True  # whether its last frame is
    is_intact: bool = True  # whether each frame follows the one before
    counted_end: int | None = None  # behind as many frames as its table counts


def found_at(file: BinaryIO, start: int, size: int, *, is_behind: bool) -> Found | None:
    """mp3 and its kin, at the front or behind another recording; None where there are no frames."""
    table = counts_of(file, start)
    pieces, wrong = list[tuple[Piece, ...]](), list[str]()
    if table is not None and table.bytes is not None and _fits(file, table, size):
        end = table.at + table.bytes
        pieces.append((range(start, end),))
    else:
        found = [*islice(recordings(file, start, size), MOST_PARTS + 1)]
        if not found:
            return None
        end, corrected = found[-1].end, [_corrected(recording) for recording in found]
        pieces = [some for several, _ in corrected for some in several]
        wrong = [told for _, told in corrected if told]
    if pieces == [(range(start, end),)]:
        pieces = [_alone(file, start, end, size, is_behind)]
    parts = [Part(some, needs_ffmpeg=True) for some in pieces]
    return Found(parts, heads.behind(file, end, size, is_known=True), wrong)


def recordings(file: BinaryIO, start: int, size: int) -> Iterator[Recording]:
    """The recordings in a file, by the headers of all its frames, up to one of another kind."""
    now: Recording | None = None
    at = start
    while at < size:
        file.seek(at)
        head = file.read(HEAD_BYTES)
        frame = parse(head[:4])
        is_new = now is None or (
            frame is not None and (frame.rate, frame.channels) != (now.frame.rate, now.frame.channels)
        )
        if frame is None or (is_new and not is_confirmed(file, at)):
            if now and _is_other(file, at, size):
                break
            following, is_boundary = _next(file, at, size)
            if now and is_boundary:
                yield now
                now = None
            elif now:
                now.is_intact &= following >= size
            at = following
            continue
        table = counts_in(head, at)
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


def _fits(file: BinaryIO, table: Counts, size: int) -> bool:
    """Whether the file ends where the table says that its recording does, with as many frames of constant size."""
    frame_bytes = table.frame.size * (table.frames + 1)
    if table.bytes is None or not table.is_constant or abs(table.bytes - frame_bytes) > table.frames + table.frame.size:
        return False
    end = table.at + table.bytes
    return end == size or (end < size and tag_blocks.leading_end(file, end) >= size)


def _is_other(file: BinaryIO, at: int, size: int) -> bool:
    """Whether a recording of another kind follows."""
    following = heads.following(file, at, size)
    return following is not None and first_frame(file, following, far=False) is None


def _next(file: BinaryIO, at: int, size: int) -> tuple[int, bool]:
    """The next frame after other data, and whether these are tags, after which a new recording begins."""
    end = tag_blocks.leading_end(file, at)
    for start in range(max(end, at + 1), size, SEARCH_BYTES):
        if (found := first_frame(file, start, far=True)) is not None:
            return found, end > at
    return size, end > at


def _alone(file: BinaryIO, start: int, end: int, size: int, is_behind: bool) -> tuple[Piece, ...]:
    """The one mp3 of a file, with the tags that FFmpeg knows: ID3v2 without a footer, and ID3v1."""
    file.seek(0)
    head = file.read(6)
    if is_behind or (head[:3] == b"ID3" and len(head) == 6 and head[5] & 0x10):
        return (range(start, end),)
    file.seek(end)
    is_tag = size - end == _ID3V1_BYTES and file.read(3) == b"TAG"
    return (range(size if is_tag else end),)


def _corrected(found: Recording) -> tuple[list[tuple[Piece, ...]], str | None]:
    """A recording; in two where its table's ends and another without one begins; or with a table that fits, and why."""
    whole, table, end = range(found.start, found.end), found.table, found.counted_end
    is_hit = not (found.is_complete and found.is_intact)  # cut off or damaged
    if table is None or table.frames == found.frames or (table.frames > found.frames and is_hit):
        return [(whole,)], None
    if end is not None and table.bytes is not None and end == table.at + table.bytes:
        return [(range(found.start, end),), (range(end, found.end),)], None
    patches = {table.frames_at: found.frames.to_bytes(4, "big")}
    if table.bytes is not None:
        patches[table.bytes_at] = (found.end - table.at).to_bytes(4, "big")
    if table.frames == found.frames + 1:  # some encoders count the table's own frame
        return [patched(whole, patches)], None
    stated, there = (count * found.frame.samples / found.frame.rate for count in (table.frames, found.frames))
    return [patched(whole, patches)], f"its header states {stated:.3f} s of samples, but {there:.3f} s are there"
