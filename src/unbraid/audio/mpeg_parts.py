"""The recordings in an mp3 file, each with a matching table."""

from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from unbraid.audio import heads, mpeg
from unbraid.audio.parts import Part, Survey, as_notices, check_count
from unbraid.audio.view import Piece, patched

_ID3V1_BYTES = 128


def mpeg_parts(file: BinaryIO, name: str, start: int, size: int, *, is_behind: bool = False) -> Survey | None:
    """mp3 and its kin, at the front or behind another recording; None where no frames were found."""
    table = mpeg.table_of(file, start)
    if table is not None and table.bytes is not None and mpeg.fits(file, table, size):
        return Survey((Part(_alone(file, start, table.at + table.bytes, size, is_behind), needs_ffmpeg=True),))
    found: list[mpeg.Recording] = []
    for recording in mpeg.recordings(file, start, size, lambda at: _is_other(file, at, size)):
        found.append(recording)
        check_count(found, name)
    parts: list[Part] = []
    wrong: list[str] = []
    for recording in found:
        for part, error in _parts_of(recording):
            parts.append(part)
            wrong += [error] if error else []
    if len(parts) == 1 and parts[0].pieces == (range(found[0].start, found[0].end),):
        return Survey((replace(parts[0], pieces=_alone(file, start, found[0].end, size, is_behind)),))
    return Survey(tuple(parts), as_notices(wrong)) if parts else None


def _is_other(file: BinaryIO, at: int, size: int) -> bool:
    """Whether a recording of another kind follows."""
    following = heads.following(file, at, size)
    return following is not None and mpeg.first_frame(file, following, far=False) is None


def _alone(file: BinaryIO, start: int, end: int, size: int, is_behind: bool) -> tuple[Piece, ...] | None:
    """The one mp3 of a file, with the tags that FFmpeg knows: ID3v2 without a footer, and ID3v1."""
    file.seek(0)
    head = file.read(6)
    first = start if is_behind or (head[:3] == b"ID3" and len(head) == 6 and head[5] & 0x10) else 0
    file.seek(end)
    if first == 0 and (end == size or (size - end == _ID3V1_BYTES and file.read(3) == b"TAG")):
        return None
    return (range(first, end),)


def _parts_of(found: mpeg.Recording) -> Iterator[tuple[Part, str | None]]:
    """A recording; in two where its table's ends and another without one begins; or with a table that fits."""
    whole, table = range(found.start, found.end), found.table
    if table is None:
        yield Part((whole,), needs_ffmpeg=True), None
        return
    is_hit = table.frames > found.frames and not (found.is_complete and found.is_intact)  # cut off or damaged
    if table.frames == found.frames or is_hit:
        yield Part((whole,), needs_ffmpeg=True), None
        return
    end = found.counted_end
    if end is not None and table.bytes is not None and end == table.at + table.bytes:
        yield Part((range(found.start, end),), needs_ffmpeg=True), None
        yield Part((range(end, found.end),), needs_ffmpeg=True), None
        return
    patches = {table.frames_at: found.frames.to_bytes(4, "big")}
    if table.bytes is not None:
        patches[table.bytes_at] = (found.end - table.at).to_bytes(4, "big")
    if table.frames == found.frames + 1:  # some encoders count the table's own frame
        yield Part(patched(whole, patches), needs_ffmpeg=True), None
        return
    seconds = [count * found.frame.samples / found.frame.rate for count in (table.frames, found.frames)]
    told = f"its header states {seconds[0]:.3f} s of samples, but {seconds[1]:.3f} s are there"
    yield Part(patched(whole, patches), needs_ffmpeg=True), told
