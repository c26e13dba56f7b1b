"""The true format and extent of a file, determined once before a decoder opens it.

Content decides, not the extension: tags around a recording are skipped, wrong sizes are corrected, and concatenated
recordings are split. Most files need none of this, and go to their decoder as they are.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import BinaryIO

from unbraid.audio import boxes, chunks, extent, flac, headerless, heads, mpeg, mpeg_frames, ogg, tag_blocks, units
from unbraid.audio.chunk_walk import file_size
from unbraid.audio.headerless import Headerless
from unbraid.audio.heads import Behind
from unbraid.audio.info import Notice
from unbraid.audio.parts import MOST_PARTS, WHOLE, Found, Part, Survey
from unbraid.audio.source import SPOOLED
from unbraid.audio.view import patched
from unbraid.errors import AudioError

_HEAD_BYTES = 64
_FOR_FFMPEG = (0x50, 0x55)  # format tags of WAV: MPEG audio, whose length libsndfile guesses
_NUT = b"nut/multimedia"
_HEADS = (b"MAC ", b"#!AMR", b"MPCK", b"MP+", _NUT)
_MPEG_NAMES = (".mp3", ".mp2", ".mpa", ".mpga")
_DISPLACED = re.compile(rb"RIFF....WAVE|FORM....AIF[FC]|fLaC\0\0\0\x22|OggS\0\x02", re.DOTALL)
_DISPLACED_BYTES = 4096
_ARCHIVES = (b"PK", b"\x1f\x8b", b"Rar!", b"7z", b"ustar")
_BITSTREAMS = (b"r\xf8\x1fN", b"\xfe\x7f\x01\x80", b"\xff\x1f\x00\xe8")
_BITSTREAM_BYTES = 1 << 16


def survey(file: BinaryIO, name: str, extension: str, asked: Headerless | None = None) -> Survey:
    """Survey a file.

    Raises:
        AudioError: it has a header but no samples, or holds too many recordings.
    """
    if asked is not None:
        return Survey((Part(headerless=asked),))
    size, parts, notices = file_size(file), list[Part](), list[Notice]()
    start = tag_blocks.leading_end(file)
    found = _by_content(file, name, start, size, extension)
    if found is None and (at := _displaced(file, start)) and (found := _by_content(file, name, at, size, extension)):
        notices.append(Notice(f"it begins with {at} bytes of other data, which are skipped"))
    for some in _and_behind(found, file, name, size, extension):
        parts += some.parts
        notices += [Notice(told, is_wrong_header=True) for told in (*some.wrong, some.behind.told) if told]
        if len(parts) > MOST_PARTS:
            raise AudioError(
                f"{name} holds more than {MOST_PARTS} recordings, one after the other. Convert it to a single one "
                f"first."
            )
    if not parts:
        parts, notices = _by_name(extension)
    whole = (range(size),)
    if extension in headerless.BY_EXTENSION or extension in headerless.AMBIGUOUS:
        parts = [replace(part, pieces=part.pieces or whole) for part in parts]  # by its name, decoders assume a coding
    elif parts[0].pieces == whole:
        parts[0] = replace(parts[0], pieces=None)
    return Survey(tuple(parts), tuple(dict.fromkeys(notices)))


def _and_behind(found: Found | None, file: BinaryIO, name: str, size: int, extension: str) -> Iterator[Found]:
    """The recordings that were found, and those that follow them, of one kind after another."""
    while found is not None:
        yield found
        if found.behind.following is None:
            return
        start = tag_blocks.leading_end(file, found.behind.following)
        found = _by_content(file, name, start, size, extension, is_behind=True)
        if found is None:
            yield Found((), Behind(told=heads.skipped(size - start)))


def _by_content(
    file: BinaryIO, name: str, start: int, size: int, extension: str, *, is_behind: bool = False
) -> Found | None:
    """The recordings whose format the bytes at `start` tell."""
    file.seek(start)
    head = file.read(_HEAD_BYTES)
    if chunks.kind_of(head):
        return _of_chunks(file, name, start, size, is_behind=is_behind, is_stream=extension == SPOOLED)
    if head[:4] == b"OggS":
        return _of_ogg(file, start, size)
    if head[:4] == b"fLaC":
        return _of_flac(file, start, size)
    if head[4:8] in boxes.FIRST_BOXES:
        begins, end = boxes.starts(file, start, size)
        pairs = zip(begins, [*begins[1:], end.at], strict=True)
        return _closed(file, [Part((range(at, upto),)) for at, upto in pairs], end, size)
    frame = mpeg_frames.first_frame(file, start, far=False)
    kind = units.WITH_HEADS.get(head[:4]) or (units.framed(file, start) if frame is None else None)
    if kind is not None:
        first = start if is_behind or head[:4] in units.WITH_HEADS else 0  # FFmpeg knows the tags in front of those
        end = units.end_of(file, kind, start, size, lambda at: heads.following(file, at, size) is not None)
        return _closed(file, [Part((range(first, end.at),))], end, size)
    if head.startswith(_HEADS):
        end = units.nut_end(file, start) if head.startswith(_NUT) else units.End(start + 1, is_known=False)
        return _closed(file, [Part((range(start, end.at),))], end, size)
    if frame is None and (start or extension in _MPEG_NAMES):
        frame = mpeg_frames.first_frame(file, start, far=True, confirmed=3)
    return None if frame is None else mpeg.found_at(file, frame, size, is_behind=is_behind)


def _closed(file: BinaryIO, parts: list[Part], end: units.End, size: int, wrong: Iterable[str] = ()) -> Found:
    """Recordings of which the last one ends there; it keeps tags and zeros behind it, but no other bytes."""
    *before, last = parts[-1].pieces or ()
    assert isinstance(last, range)
    behind = heads.behind(file, max(end.at, last.start + 1), size, is_known=end.is_known)
    upto = end.at if behind.told else size if behind.following is None else behind.following
    parts[-1] = replace(parts[-1], pieces=(*before, range(last.start, upto)))
    return Found(parts, behind, [*wrong])


def _displaced(file: BinaryIO, start: int) -> int | None:
    """The position of a header after other bytes, such as those of MacBinary or of an unknown program."""
    file.seek(start)
    head = file.read(_DISPLACED_BYTES)
    found = _DISPLACED.search(head)
    return start + found.start() if found and not head.startswith(_ARCHIVES) else None


def _by_name(extension: str) -> tuple[list[Part], list[Notice]]:
    """A file that begins like none with a header."""
    coding = headerless.BY_EXTENSION.get(extension)
    if coding is None:
        return [WHOLE], []
    told = f"it has no header, and is read as {coding} by its extension; --input-format changes that"
    return [Part(headerless=coding)], [Notice(told)]


def _of_chunks(file: BinaryIO, name: str, start: int, size: int, *, is_behind: bool, is_stream: bool) -> Found | None:
    """WAV and its kin, whose header may be wrong."""
    try:
        samples = chunks.find_samples(file, start)
    except chunks.NoSamples as kind:
        if is_behind:
            return None
        raise AudioError(
            f"{name} has the header of a{'n' * str(kind).startswith('A')} {kind} file, but no samples behind it. "
            f"Get an intact copy."
        ) from None
    found = extent.measure(file, samples, size, is_stream=is_stream)
    needs_ffmpeg = samples.coding in _FOR_FFMPEG or _is_bitstream(file, samples)
    return replace(found, parts=[replace(part, needs_ffmpeg=needs_ffmpeg) for part in found.parts])


def _is_bitstream(file: BinaryIO, samples: chunks.Samples) -> bool:
    """Whether PCM samples are in fact AC-3 or DTS for a receiver (IEC 61937), which would sound as noise."""
    if (samples.coding, samples.frame_bytes) != (1, 4):
        return False
    file.seek(samples.start)
    data = file.read(_BITSTREAM_BYTES)
    return any(data.count(mark) > 1 and data.find(mark) % 2 == 0 for mark in _BITSTREAMS)


def _of_ogg(file: BinaryIO, start: int, size: int) -> Found | None:
    parts, wrong, end = list[Part](), list[str](), start
    for link, patches in (ogg.marked(file, link) for link in ogg.links(file, start, size)):
        if patches:
            wrong.append("it has no end-of-stream mark, as in a recording that was never completed")
        is_odd = link.inspection.has_gaps or link.inspection.is_damaged  # libsndfile passes over both
        end = min(link.last.end, size)
        pieces = patched(range(link.start, end), patches)
        parts.append(Part(pieces, is_known=True, needs_ffmpeg=is_odd, link=link, is_cut=not link.is_ended))
    return _closed(file, parts, units.End(end, is_known=True), size, wrong) if parts else None


def _of_flac(file: BinaryIO, start: int, size: int) -> Found:
    found = flac.recording(file, start, size)
    is_wrong = found.frames is not None and found.frames != found.stated
    part = Part(patched(range(start, found.end.at), found.patches if is_wrong else {}), is_known=True)
    wrong = []
    if is_wrong and found.stated:
        stated, there = (count / max(found.rate, 1) for count in (found.stated, found.frames or 0))
        wrong.append(f"its header states {stated:.3f} s of samples, but {there:.3f} s are there")
    return _closed(file, [part], found.end, size, wrong)
