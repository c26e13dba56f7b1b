"""Where the next recording in a file begins, of whatever format, as in a file put together by `cat a.flac b.wav`.

Most formats begin with a head that no other bytes look like. Those without one (mp3, ADTS, AC-3, MPEG transport and
program streams) begin with a frame, and several more right behind it. Tags and zeros between two recordings, as tapes
and discs leave them, are passed over.
"""

import re
from dataclasses import dataclass
from typing import BinaryIO

from unbraid.audio import mpeg_frames, scan, tag_blocks, units
from unbraid.audio.chunks import kind_of

_ID3 = b"ID3"
_HEAD = re.compile(
    rb"RIFF.{4}WAVE|RF64.{4}WAVE|RIFF.{4}AVI |FORM.{4}(?:AIF[FC]|8SVX|16SV)|caff\x00\x01\x00\x00desc"
    rb"|fLaC[\x00\x80]\x00\x00\x22"
    rb"|OggS\x00\x02|\x1aE\xdf\xa3.{1,64}?(?:matroska|webm)|\x00\x00\x00.ftyp[\x20-\x7e]{4}"
    rb"|FLV\x01[\x00-\x07]\x00\x00\x00\x09\x00\x00\x00\x00|TTA1[\x01-\x03]\x00|wvpk.{4}[\x00-\x20]\x04"
    rb"|\x2esnd\x00\x00\x00[\x18-\xff].{4}\x00\x00\x00[\x01-\x1b]\x00"
    rb"|\x72\x69\x66\x66\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"  # Wave64
    rb"|ID3[\x02-\x04]\x00[\x00-\xf0][\x00-\x7f]{4}"  # in front of mp3
    rb"|\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c"  # ASF
    rb"|#!AMR(?:-WB)?\n|MAC [\x80-\xa0]\x0f\x00\x00|MPCKSH|Creative Voice File\x1a|nut/multimedia container\x00"
    rb"|NIST_1A\n   1024\n|\.RMF\x00\x00\x00[\x10-\x20]\x00[\x00\x01]",
    re.DOTALL,
)
_HEAD_BYTES = 128
_FIRST_BYTES, _BLOCK_BYTES = 1 << 10, 1 << 20  # of zeros, read at once
_ZERO_BYTES = 1 << 20  # more lie between no two recordings
_OWN_ZEROS = (3, 2)  # with which an MP4 begins, and a program stream
_TOLD_BYTES = 8  # fewer are no recording
_CONFIRMED = 3  # frames of mp3 in a row


@dataclass(frozen=True)
class Behind:
    """The data behind a recording."""

    following: int | None = None  # where the next one begins
    told: str | None = None  # a warning about other bytes before that, or before the end of the file


def following(file: BinaryIO, end: int, size: int) -> int | None:
    """Where a recording begins behind this end, past tags and zeros; None where none does."""
    at = tag_blocks.leading_end(file, end)
    while at < size and (first := past_zeros(file, at, size)) > at:
        own = next((n for n in _OWN_ZEROS if n <= first - at and begins(file, first - n)), None)
        if own is not None:
            return first - own
        at = tag_blocks.leading_end(file, first)
    return at if at < size and begins(file, at) else None


def begins(file: BinaryIO, at: int) -> bool:
    """Whether a recording begins here."""
    file.seek(at)
    head = file.read(_HEAD_BYTES)
    if (_HEAD.match(head) and not head.startswith(_ID3)) or kind_of(head):
        return True
    if units.framed(file, at) is not None:
        return True
    return head[:1] == b"\xff" and mpeg_frames.first_frame(file, at, far=False, confirmed=_CONFIRMED) is not None


def searched(file: BinaryIO, start: int, size: int) -> int | None:
    """Where the first recording with a head begins, from `start` on; None where none does."""
    passed = start
    for at in scan.find_all(file, _HEAD, start):
        if at >= size:
            break
        if at < passed:
            continue
        file.seek(at)
        if file.read(len(_ID3)) != _ID3 or following(file, at, size) is not None:
            return at
        passed = tag_blocks.leading_end(file, at)
    return None


def behind(file: BinaryIO, end: int, size: int, *, is_known: bool) -> Behind:
    """The data behind the end of a recording; if that end is not known, the next head is searched from there on."""
    at = following(file, end, size)
    if at is None:
        at = searched(file, end, size)
    count = unread(file, end, size if at is None else at) if is_known else 0
    return Behind(at, skipped(count) if count >= _TOLD_BYTES else None)


def skipped(count: int) -> str:
    """The warning about bytes behind a recording."""
    return f"{count} bytes after the end of its audio belong to no recording, and are skipped"


def unread(file: BinaryIO, start: int, end: int) -> int:
    """How many bytes there are between two recordings that are neither tags nor a few zeros."""
    end = tag_blocks.trailing_start(file, start, end)
    at, before = start, None
    while at != before:
        before, at = at, min(tag_blocks.leading_end(file, at), end)
        first = past_zeros(file, at, end)
        at = at if first - at > _ZERO_BYTES else first
    return max(0, end - at)


def past_zeros(file: BinaryIO, at: int, size: int) -> int:
    """The first byte from here on that is not zero."""
    block = _FIRST_BYTES
    while at < size:
        file.seek(at)
        data = file.read(min(block, size - at))
        kept = len(data.lstrip(b"\0"))
        at += len(data) - kept
        if kept or not data:
            break
        block = _BLOCK_BYTES
    return at
