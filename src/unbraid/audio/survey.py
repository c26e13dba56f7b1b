"""The true format and extent of a file, determined once before a decoder opens it.

Content decides, not the extension: tags around a recording are skipped, wrong sizes are corrected, and concatenated
recordings are split. Most files need none of this, and go to their decoder as they are.
"""

import functools
import re
from dataclasses import replace
from typing import BinaryIO

from unbraid.audio import (
    boxes,
    chunks,
    edits,
    extent,
    flac,
    headerless,
    heads,
    mpeg,
    ogg,
    tag_blocks,
    units,
)
from unbraid.audio.chunk_walk import file_size, resized
from unbraid.audio.headerless import Headerless
from unbraid.audio.info import Notice
from unbraid.audio.mpeg_parts import mpeg_parts
from unbraid.audio.parts import WHOLE_FILE, Part, Survey, as_notices, check_count
from unbraid.audio.source import SPOOLED
from unbraid.audio.view import Piece, patched
from unbraid.errors import AudioError

_HEAD_BYTES = 64
_FOR_FFMPEG = (0x50, 0x55)  # format tags of WAV: MPEG audio, whose length libsndfile guesses
_HEADS = (b"MAC ", b"#!AMR", b"MPCK", b"MP+", b"nut/multimedia")
_MPEG_NAMES = (".mp3", ".mp2", ".mpa", ".mpga")
_DISPLACED = re.compile(rb"RIFF....WAVE|FORM....AIF[FC]|fLaC\0\0\0\x22|OggS\0\x02", re.DOTALL)
_DISPLACED_BYTES = 4096
_ARCHIVES = (b"PK", b"\x1f\x8b", b"Rar!", b"7z", b"ustar")
_BITSTREAMS = (b"r\xf8\x1fN", b"\xfe\x7f\x01\x80", b"\xff\x1f\x00\xe8")
_BITSTREAM_BYTES = 1 << 16


def survey(file: BinaryIO, name: str, extension: str, asked: Headerless | None = None) -> Survey:
    """Survey a file.

    Raises:
        AudioError: it cannot be audio, or its coding must be given.
    """
    if asked is not None:
        return Survey((Part(headerless=asked),))
    size = file_size(file)
    start = tag_blocks.leading_end(file)
    found = _by_content(file, name, start, size, extension)
    if found is None and (at := _displaced(file, start)) and (found := _by_content(file, name, at, size, extension)):
        told = f"it begins with {at} bytes of other data, which are skipped"
        found = replace(found, notices=(Notice(told), *found.notices))
    found = _with_all(found, file, name, size) if found else _by_name(extension)
    if extension not in headerless.BY_EXTENSION and extension not in headerless.AMBIGUOUS:
        return found
    whole = (range(size),)  # without its name: by such names, decoders would assume a coding
    return replace(found, parts=tuple(replace(part, pieces=part.pieces or whole) for part in found.parts))


def _by_content(
    file: BinaryIO, name: str, start: int, size: int, extension: str, *, is_behind: bool = False
) -> Survey | None:
    """A file whose format the bytes at `start` tell."""
    file.seek(start)
    head = file.read(_HEAD_BYTES)
    if chunks.kind_of(head):
        return _of_chunks(file, name, start, is_stream=extension == SPOOLED)
    if head[:4] == b"OggS":
        return _of_ogg(file, name, start, size)
    if head[:4] == b"fLaC":
        return _of_flac(file, start, size)
    if head[4:8] in edits.FIRST_BOXES:
        begins, end = boxes.starts(file, start, size)
        return _closed(file, name, begins, end, size)
    frame = mpeg.first_frame(file, start, far=False)
    kind = units.WITH_HEADS.get(head[:4]) or (units.framed(file, start) if frame is None else None)
    if kind is not None:
        first = start if is_behind or head[:4] in units.WITH_HEADS else 0  # FFmpeg knows the tags in front of those
        is_end = functools.partial(_is_followed, file, size)
        return _closed(file, name, [first], units.end_of(file, kind, start, size, is_end), size)
    if head.startswith(_HEADS):
        return _closed(file, name, [start], units.End(start + 1, is_known=False), size)
    if frame is None and (start or extension in _MPEG_NAMES):
        frame = mpeg.first_frame(file, start, far=True, confirmed=3)
    frames = None if frame is None else mpeg_parts(file, name, frame, size, is_behind=is_behind)
    if frames is None:
        return None
    last = frames.parts[-1].pieces
    end = units.End(last[-1].stop if last and isinstance(last[-1], range) else size, is_known=True)
    return _followed(frames, heads.behind(file, end.at, size, is_known=True))


def _closed(file: BinaryIO, name: str, begins: list[int], end: units.End, size: int) -> Survey:
    """Recordings that begin at these positions, of which the last one ends there."""
    check_count(begins, name)
    behind = heads.behind(file, max(end.at, begins[-1] + 1), size, is_known=end.is_known)
    last = size if behind.following is None else behind.following
    ends = [*begins[1:], end.at if behind.told else last]
    parts = tuple(Part(_whole(file, at, upto)) for at, upto in zip(begins, ends, strict=True))
    return _followed(Survey(parts), behind)


def _is_followed(file: BinaryIO, size: int, at: int) -> bool:
    return heads.following(file, at, size) is not None


def _followed(found: Survey, behind: heads.Behind) -> Survey:
    return replace(found, notices=found.notices + as_notices(behind.told), following=behind.following)


def _with_all(found: Survey, file: BinaryIO, name: str, size: int) -> Survey:
    """A survey with the recordings of other kinds that follow."""
    while found.following is not None:
        at = tag_blocks.leading_end(file, found.following)
        more = _by_content(file, name, at, size, "", is_behind=True)
        if more is None:
            return _followed(found, heads.Behind(None, size - at))
        check_count((*found.parts, *more.parts), name)
        notices = dict.fromkeys(found.notices + more.notices)
        found = Survey(found.parts + more.parts, tuple(notices), more.following)
    return found


def _whole(file: BinaryIO, start: int, end: int) -> tuple[Piece, ...] | None:
    """The bytes between two positions; None where they are the whole file."""
    return None if start == 0 and end == file_size(file) else (range(start, end),)


def _displaced(file: BinaryIO, start: int) -> int | None:
    """The position of a header after other bytes, such as those of MacBinary or of an unknown program."""
    file.seek(start)
    head = file.read(_DISPLACED_BYTES)
    found = _DISPLACED.search(head)
    return start + found.start() if found and not head.startswith(_ARCHIVES) else None


def _by_name(extension: str) -> Survey:
    """A file that begins like none with a header."""
    coding = headerless.BY_EXTENSION.get(extension)
    if coding is None:
        return WHOLE_FILE
    told = f"it has no header, and is read as {coding} by its extension; --input-format changes that"
    return Survey((Part(headerless=coding),), (Notice(told),))


def _of_chunks(file: BinaryIO, name: str, start: int, *, is_stream: bool) -> Survey:
    """WAV and its kin: several may follow one another, and their headers may be wrong."""
    size = file_size(file)
    parts: list[Part] = []
    wrong: dict[str, None] = {}
    at: int | None = start
    while at is not None and _is_of_chunks(file, at):
        try:
            samples = chunks.find_samples(file, at)
        except chunks.NoSamples as kind:
            if parts:
                return _followed(Survey(tuple(parts), as_notices(wrong)), heads.Behind(None, size - at))
            raise AudioError(
                f"{name} has the header of {_article(str(kind))} file, but no samples behind it. Get an intact copy."
            ) from None
        assert samples is not None
        found = extent.measure(file, samples, size, is_stream=is_stream)
        wrong |= dict.fromkeys((*found.notices, *samples.misleading))
        part = Part(
            found.pieces,
            is_known=True,
            needs_ffmpeg=samples.coding in _FOR_FFMPEG or _is_bitstream(file, samples),
            missing=found.missing,
            there=found.there,
        )
        pieces = found.pieces or (range(at, size if found.following is None else found.end),)
        if found.following is not None or samples.resized:
            part = replace(part, pieces=resized(pieces, samples.resized, samples.form))
        parts += [part, *(replace(part, pieces=extent.alone(samples, more)) for more in found.more)]
        at = found.following
        check_count(parts, name)
    return Survey(tuple(parts), as_notices(wrong), at)


def _is_of_chunks(file: BinaryIO, at: int) -> bool:
    file.seek(at)
    return chunks.kind_of(file.read(_HEAD_BYTES)) is not None


def _is_bitstream(file: BinaryIO, samples: chunks.Samples) -> bool:
    """Whether PCM samples are in fact AC-3 or DTS for a receiver (IEC 61937), which would sound as noise."""
    if (samples.coding, samples.frame_bytes) != (1, 4):
        return False
    file.seek(samples.start)
    data = file.read(_BITSTREAM_BYTES)
    return any(data.count(mark) > 1 and data.find(mark) % 2 == 0 for mark in _BITSTREAMS)


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "A" else f"a {kind}"


def _of_ogg(file: BinaryIO, name: str, start: int, size: int) -> Survey:
    links = ogg.links(file, start, size)
    if not links:
        return WHOLE_FILE
    check_count(links, name)
    behind = heads.behind(file, min(links[-1].last.end, size), size, is_known=True)
    parts, wrong = [], []
    for number, link in enumerate(links, 1):
        whole = range(link.start, min(link.last.end, size))
        pieces = _whole(file, start, size) if len(links) == 1 and behind.following is None else (whole,)
        if marked := ogg.mark(file, link):
            link, pieces = marked[0], patched(whole, marked[1])
            wrong.append("it has no end-of-stream mark, as in a recording that was never completed")
        is_odd = link.inspection.has_gaps or link.inspection.is_damaged  # libsndfile passes over both
        is_cut = number == len(links) and not link.is_ended
        parts.append(Part(pieces, is_known=True, needs_ffmpeg=is_odd, link=link, is_cut=is_cut))
    return _followed(Survey(tuple(parts), as_notices(wrong)), behind)


def _of_flac(file: BinaryIO, start: int, size: int) -> Survey:
    found = flac.recording(file, start, size)
    behind = heads.behind(file, found.end.at, size, is_known=found.end.is_known)
    upto = size if behind.following is None else behind.following
    pieces, wrong = _whole(file, start, upto), list[str]()
    if found.frames is not None and found.frames != found.stated:
        pieces = patched(range(start, upto), found.patches)
        if found.stated:
            stated, there = found.stated / max(found.rate, 1), found.frames / max(found.rate, 1)
            wrong.append(f"its header states {stated:.3f} s of samples, but {there:.3f} s are there")
    return _followed(Survey((Part(pieces, is_known=True),), as_notices(wrong)), behind)
