"""The true format and extent of a file, determined once before a decoder opens it.

Content decides, not the extension: tags around a recording are skipped, wrong sizes are corrected, and concatenated
recordings are split. Most files need none of this, and go to their decoder as they are.
"""

import re
from dataclasses import replace
from typing import BinaryIO

from unbraid.audio import chunks, edits, extent, flac, headerless, mpeg, ogg, ogg_pages, segments, tag_blocks
from unbraid.audio.headerless import Headerless
from unbraid.audio.info import Notice
from unbraid.audio.mpeg_parts import mpeg_parts
from unbraid.audio.parts import WHOLE_FILE, Part, Survey, as_notices, check_count
from unbraid.audio.source import SPOOLED
from unbraid.audio.view import Piece, open_view, patched
from unbraid.errors import AudioError

_HEAD_BYTES = 64
_FOR_FFMPEG = (0x50, 0x55)  # format tags of WAV: MPEG audio, whose length libsndfile guesses
_HEADS = (
    b"fLaC",
    b"OggS",
    b"\x1aE\xdf\xa3",
    b"0&\xb2u\x8ef\xcf\x11",
    b"wvpk",
    b"MAC ",
    b"TTA1",
    b"#!AMR",
    b"FLV\1",
    b"\x0bw",
)
_RIFF_KINDS = (b"RIFF", b"FORM")  # of what else there is, such as AVI and 8SVX
_MPEG_NAMES = (".mp3", ".mp2", ".mpa", ".mpga")
_DISPLACED = re.compile(rb"RIFF....WAVE|FORM....AIF[FC]|fLaC\0\0\0\x22|OggS\0\x02", re.DOTALL)
_DISPLACED_BYTES = 4096
_ARCHIVES = (b"PK", b"\x1f\x8b", b"Rar!", b"7z", b"ustar")
_BITSTREAMS = (b"r\xf8\x1fN", b"\xfe\x7f\x01\x80", b"\xff\x1f\x00\xe8")
_BITSTREAM_BYTES = 1 << 16
_TRANSPORT_PACKET = 188


def survey(file: BinaryIO, name: str, extension: str, asked: Headerless | None = None) -> Survey:
    """Survey a file.

    Raises:
        AudioError: it cannot be audio, or its coding must be given.
    """
    if asked is not None:
        return Survey((Part(headerless=asked),))
    size = chunks.file_size(file)
    start = tag_blocks.leading_end(file)
    found = _by_content(file, name, start, size, extension)
    if found is None and (at := _displaced(file, start)) and (found := _by_content(file, name, at, size, extension)):
        told = f"it begins with {at} bytes of other data, which are skipped"
        found = replace(found, notices=(Notice(told), *found.notices))
    found = found or _by_name(extension)
    if extension not in headerless.BY_EXTENSION and extension not in headerless.AMBIGUOUS:
        return found
    whole = (range(size),)  # without its name: by such names, decoders would assume a coding
    return replace(found, parts=tuple(replace(part, pieces=part.pieces or whole) for part in found.parts))


def _by_content(file: BinaryIO, name: str, start: int, size: int, extension: str) -> Survey | None:
    """A file whose format the bytes at `start` tell."""
    file.seek(start)
    head = file.read(_HEAD_BYTES)
    if chunks.kind_of(head):
        return _of_chunks(file, name, start, is_stream=extension == SPOOLED)
    if head[:4] == b"OggS":
        return _of_ogg(file, name, start, size)
    if head[:4] == b"fLaC":
        return _of_flac(file, name, start, size)
    if _has_head(head):
        begins = segments.starts(file, start, size)
        check_count(begins, name)
        pairs = zip(begins, [*begins[1:], size], strict=True)
        return Survey(tuple(Part(_from(at, end) if len(begins) == 1 else (range(at, end),)) for at, end in pairs))
    frame = mpeg.first_frame(file, start, far=False)
    if frame is None and _is_framed(file, head, start):
        return WHOLE_FILE
    if frame is None and (start or extension in _MPEG_NAMES):
        frame = mpeg.first_frame(file, start, far=True, confirmed=3)
    return None if frame is None else mpeg_parts(file, name, frame, size)


def _displaced(file: BinaryIO, start: int) -> int | None:
    """The position of a header after other bytes, such as those of MacBinary or of an unknown program."""
    file.seek(start)
    head = file.read(_DISPLACED_BYTES)
    found = _DISPLACED.search(head)
    return start + found.start() if found and not head.startswith(_ARCHIVES) else None


def _has_head(head: bytes) -> bool:
    """Whether a file begins as those of other formats with a header do."""
    return head[:4] in _RIFF_KINDS or head.startswith(_HEADS) or head[4:8] in edits.FIRST_BOXES


def _is_framed(file: BinaryIO, head: bytes, start: int) -> bool:
    """Whether a file begins with frames of AAC (ADTS), or packets of a transport stream."""
    if len(head) > 6 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        file.seek(start + ((head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5))
        following = file.read(2)
        return len(following) < 2 or (following[0] == 0xFF and following[1] & 0xF6 == 0xF0)
    file.seek(start + _TRANSPORT_PACKET)
    return head[:1] == b"G" and file.read(1) == b"G"


def _by_name(extension: str) -> Survey:
    """A file that begins like none with a header."""
    coding = headerless.BY_EXTENSION.get(extension)
    if coding is None:
        return WHOLE_FILE
    told = f"it has no header, and is read as {coding} by its extension; --input-format changes that"
    return Survey((Part(headerless=coding),), (Notice(told),))


def _from(start: int, size: int) -> tuple[Piece, ...] | None:
    return (range(start, size),) if start else None


def _of_chunks(file: BinaryIO, name: str, start: int, *, is_stream: bool) -> Survey:
    """WAV and its kin: several may follow one another, and their headers may be wrong."""
    size = chunks.file_size(file)
    parts: list[Part] = []
    wrong: dict[str, None] = {}
    at: int | None = start
    while at is not None:
        try:
            samples = chunks.find_samples(file, at)
        except chunks.NoSamples as kind:
            if parts:
                break
            raise AudioError(
                f"{name} has the header of {_article(str(kind))} file, but no samples behind it. Get an intact copy."
            ) from None
        assert samples is not None
        found = extent.measure(file, samples, size, is_stream=is_stream)
        wrong |= dict.fromkeys(found.notices)
        part = Part(
            found.pieces,
            is_known=True,
            needs_ffmpeg=samples.coding in _FOR_FFMPEG or _is_bitstream(file, samples),
            missing=found.missing,
            there=found.there,
        )
        parts.append(part if found.following is None else replace(part, pieces=found.pieces or (range(at, found.end),)))
        at = found.following
        check_count(parts, name)
    return Survey(tuple(parts), as_notices(wrong))


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
    links = ogg.links(file, start)
    if not links:
        return WHOLE_FILE
    check_count(links, name)
    parts, wrong = [], []
    for number, link in enumerate(links, 1):
        whole = range(link.start, min(link.end, size))
        pieces = _from(start, size) if len(links) == 1 else (whole,)
        is_ended = ogg.is_ended(file, link)
        if not is_ended and (marks := ogg.mark(file, link)):
            pieces, is_ended = patched(whole, marks), True
            wrong.append("it has no end-of-stream mark, as in a recording that was never completed")
        pages = ogg_pages.examine(file if pieces is None else open_view(file, pieces))
        is_odd = pages is not None and (pages.has_gaps or pages.is_damaged)  # libsndfile passes over both
        is_cut = number == len(links) and not is_ended
        parts.append(Part(pieces, is_known=True, needs_ffmpeg=is_odd, link=link, is_cut=is_cut))
    return Survey(tuple(parts), as_notices(wrong))


def _of_flac(file: BinaryIO, name: str, start: int, size: int) -> Survey:
    found = flac.recordings(file, start, size)
    check_count(found, name)
    parts, wrong = [], []
    for recording in found:
        whole = range(recording.start, recording.end)
        pieces = _from(start, size) if len(found) == 1 else (whole,)
        if recording.frames is not None and recording.frames != recording.stated:
            pieces = patched(whole, recording.patches)
            if recording.stated:
                stated, there = recording.stated / max(recording.rate, 1), recording.frames / max(recording.rate, 1)
                wrong.append(f"its header states {stated:.3f} s of samples, but {there:.3f} s are there")
        parts.append(Part(pieces, is_known=True))
    return Survey(tuple(parts), as_notices(wrong))
