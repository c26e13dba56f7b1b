"""Where a recording of another kind begins behind the first one, as in a file put together by `cat a.flac b.wav`.

Only heads are known that no other bytes look like; zeros between two recordings, as tapes and discs leave them, are
passed over.
"""

import re
from typing import BinaryIO

from unbraid.audio import mpeg, scan, tag_blocks
from unbraid.audio.chunks import kind_of

_HEAD = re.compile(
    rb"RIFF.{4}WAVE|RF64.{4}WAVE|RIFF.{4}AVI |FORM.{4}AIF[FC]|caff\x00\x01\x00\x00desc|fLaC[\x00\x80]\x00\x00\x22"
    rb"|OggS\x00\x02|\x1aE\xdf\xa3.{1,64}?(?:matroska|webm)|\x00\x00\x00.ftyp[\x20-\x7e]{4}"
    rb"|FLV\x01[\x00-\x07]\x00\x00\x00\x09\x00\x00\x00\x00|TTA1[\x01-\x03]\x00|wvpk.{4}[\x00-\x20]\x04"
    rb"|\x2esnd\x00\x00\x00[\x18-\xff].{4}\x00\x00\x00[\x01-\x1b]\x00"
    rb"|\x72\x69\x66\x66\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"  # Wave64
    rb"|ID3[\x02-\x04]\x00[\x00-\xf0][\x00-\x7f]{4}"  # in front of mp3
    rb"|\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c",  # ASF
    re.DOTALL,
)
_HEAD_BYTES = 128
_ZERO_BYTES = 1 << 20  # at most, between two recordings
_MP4_ZEROS = 3
_CONFIRMED = 3  # frames of mp3 in a row


def following(file: BinaryIO, end: int, size: int) -> int | None:
    """Where a recording begins behind this end, past tags and zeros; None where none does."""
    at = tag_blocks.leading_end(file, end)
    while at < size and (first := _past_zeros(file, at, size)) > at:
        if first - at >= _MP4_ZEROS and begins(file, first - _MP4_ZEROS):  # its size begins with zeros
            return first - _MP4_ZEROS
        at = tag_blocks.leading_end(file, first)
    return at if at < size and begins(file, at) else None


def begins(file: BinaryIO, at: int) -> bool:
    """Whether a recording begins here."""
    file.seek(at)
    head = file.read(_HEAD_BYTES)
    if _HEAD.match(head) or kind_of(head):
        return True
    return head[:1] == b"\xff" and mpeg.first_frame(file, at, far=False, confirmed=_CONFIRMED) is not None


def first_head(file: BinaryIO, start: int) -> int | None:
    """The first such head in a file of which nothing states where its recording ends."""
    return next(scan.find_all(file, _HEAD, start), None)


def _past_zeros(file: BinaryIO, at: int, size: int) -> int:
    """The first byte from here on that is not zero; here, if there are more zeros than lie between recordings."""
    file.seek(at)
    block = file.read(min(_ZERO_BYTES, size - at))
    kept = len(block.lstrip(b"\0"))
    return at + len(block) - kept if kept else at
