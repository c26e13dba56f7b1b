"""The true extent of the samples in a file, independent of the sizes in its header.

A recorder that crashed leaves a size that is too small, or none; a faulty writer states too much. The bytes after the
stated end decide: chunks, tags, another recording, zeros and text are not samples; anything else is. A file that is
shorter than its header states was cut off, unless it ends as a complete file does.
"""

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import BinaryIO

from unbraid.audio import heads, tag_blocks
from unbraid.audio.chunk_walk import FORMS, NAMES, file_size, is_samples, resized, walk
from unbraid.audio.chunks import Samples
from unbraid.audio.heads import Behind
from unbraid.audio.parts import Found, Part
from unbraid.audio.view import Piece, patched

_NAME = re.compile(b"|".join(re.escape(name) for name in sorted(NAMES)))
_TAIL_BYTES = 1 << 20  # searched for chunks behind samples without a stated end
_TEXT = re.compile(rb"[\t\n\r\x20-\x7e]{16,256}")
_LARGEST = (1 << 32) - 1  # size that RIFF can state
_PADDING_BYTES = 4096  # of zeros that are not reported


def measure(file: BinaryIO, samples: Samples, size: int, *, is_stream: bool = False) -> Found:
    """The recording, with header errors, and what follows it; a stream need not state its length."""
    tags = tag_blocks.trailing_start(file, samples.start, size)
    if not _is_unstated(samples, size) and samples.end <= tags:
        behind = _behind(file, samples, samples.end, tags)
        if behind is not None:
            return _as_stated(samples, *behind, size)
    end = _true_end(file, samples, tags)
    if _is_unstated(samples, size):
        may_be = is_stream or samples.kind in ("AU", "CAF")  # these formats have a value for it
        return _changed(samples, end, () if may_be else (_unstated(samples, end),))
    if samples.end > size and end == tags == size and not _is_whole(samples, size):
        cut = Part(_pieces(samples, size), missing=samples.end - size, there=size - samples.start)
        return _found(samples, cut)
    if abs(end - samples.end) < samples.frame_bytes:
        return _changed(samples, end, ())
    stated, there = _length(samples, samples.stated), _length(samples, end - samples.start)
    return _changed(samples, end, (f"its header states {stated} of samples, but {there} are there",))


def _found(
    samples: Samples, part: Part, wrong: Iterable[str] = (), behind: Behind = Behind(), more: Iterable[range] = ()
) -> Found:
    """A recording, which may have more samples in chunks of their own."""
    alone = (Part((*_pieces(samples, samples.start, len(some)), some)) for some in more)
    parts = [
        replace(one, is_known=True, pieces=resized(one.pieces or (), samples.resized, samples.form))
        for one in (part, *alone)
    ]
    return Found(parts, behind, [*wrong, *samples.misleading])


def _pieces(samples: Samples, end: int, count: int | None = None) -> tuple[Piece, ...]:
    """The file up to an end; with sizes that state COUNT bytes of samples, if it is given."""
    fields = () if count is None else (samples.size, *samples.sizes)
    patches = {field.at: field.of(samples.start + (count or 0)) for field in fields}
    if samples.form == b"BW64":  # RF64 by another name, which libsndfile does not know
        patches[samples.head] = b"RF64"
    return patched(range(samples.head, end), patches)


def _is_unstated(samples: Samples, size: int) -> bool:
    """Whether the header leaves the length open."""
    if samples.stated < 0 or (samples.kind == "AU" and samples.stated == 0xFFFFFFFF):
        return True
    return is_bogus(samples.stated) and samples.size.form != "<q" and samples.end != size


def is_bogus(length: int) -> bool:
    """Whether a stated length is one that stream writers leave behind instead of the true one."""
    return length >= 0xFFFFF000 or 0x7FFFF000 <= length <= 0x80000000


def _unstated(samples: Samples, end: int) -> str:
    there = _length(samples, end - samples.start)
    return f"its header does not state its length, as in a recording that was never completed; {there} are there"


def _length(samples: Samples, count: int) -> str:
    if samples.rate and (samples.frame_bytes > 1 or samples.coding in (6, 7)):
        return f"{count / samples.frame_bytes / max(samples.rate, 1):.3f} s"
    return f"{count} bytes"


def _is_whole(samples: Samples, size: int) -> bool:
    """Whether the file ends where its header says, or where it would if the samples' size counted the header too."""
    header = samples.start - samples.head
    return samples.whole == size or samples.end - size in (header, header - 8)


def _as_stated(samples: Samples, behind: Behind, more: tuple[range, ...], size: int) -> Found:
    """The recording where its samples end as they should."""
    wrong, whole, end = [*samples.wrong], samples.whole, samples.end
    if whole is not None and not is_bogus(whole - samples.head - 8) and not end - 8 <= whole <= size + 8:
        wrong.append(f"its header states a file of {whole} bytes; it has {size}")
    if more:
        wrong.append(f"its samples are in {len(more) + 1} chunks, which are read one after the other")
    # libsndfile would take the last of several chunks of samples
    stated = size if samples.kind == "CAF" else whole or 0  # a CAF does not state its size
    whole_end = end if more else max(end, min(stated, behind.following or size))
    return _found(samples, Part(_pieces(samples, whole_end)), wrong, behind, more)


def _changed(samples: Samples, end: int, told: tuple[str, ...]) -> Found:
    """The recording with sizes that fit."""
    wrong = () if samples.kind == "AIFF" else samples.wrong  # there they are about the size that is replaced
    pieces = _pieces(samples, end, end - samples.start)
    if samples.form == b"RIFF" and end - samples.head > _LARGEST:
        head = b"RF64" + struct.pack("<I4s", _LARGEST, b"WAVE") + b"ds64"
        head += struct.pack("<IQQQI", 28, end - samples.head + 28, end - samples.start, 0, 0)
        field = samples.size
        pieces = (head, *patched(range(samples.head + 12, end), {field.at: field.of(end)}))
    return _found(samples, Part(pieces), wrong + told)


def _true_end(file: BinaryIO, samples: Samples, tags: int) -> int:
    """The end of samples whose stated size is wrong."""
    if samples.size.form.endswith("I") and samples.stated > 0:
        # the size of a file of more than 4 GiB, cut to 32 bits
        for end in range(samples.end + (1 << 32), tags, 1 << 32):
            if _behind(file, samples, end, tags) is not None:
                return end
    first = max(samples.start, tags - _TAIL_BYTES)
    file.seek(first)
    tail = file.read(tags - first)
    for found in _NAME.finditer(tail) if samples.form in (b"RIFF", b"RF64", b"BW64", b"RIFX", b"FORM", b"caff") else ():
        at = first + found.start()
        if _chunks_end(file, samples, at, tags, is_sure=False) == tags:
            return at
    return tags


def _behind(file: BinaryIO, samples: Samples, end: int, tags: int) -> tuple[Behind, tuple[range, ...]] | None:
    """The data behind the stated end of the samples, and further chunks of samples; None if these go on."""
    for at in sorted({end, end + -(end - samples.start) % samples.align}):
        following = tag_blocks.leading_end(file, at)
        if following >= tags or at >= tags:
            return Behind(), ()
        if (other := heads.following(file, at, tags)) is not None:
            zeros = heads.unread(file, at, other)
            return Behind(other, _left_out(zeros, "zeros") if zeros else None), ()
        if following > at:
            return Behind(told=_left_out(tags - following)), ()
        reached = _chunks_end(file, samples, at, tags, is_sure=True)
        if reached is not None:
            other = reached if _starts_recording(file, reached) else None
            return Behind(other), tuple(_more(file, samples, at, reached))
    if heads.past_zeros(file, end, tags) >= tags:
        return Behind(told=_left_out(tags - end, "zeros") if tags - end > _PADDING_BYTES else None), ()
    file.seek(end)
    if _TEXT.fullmatch(file.read(256)):
        other = heads.searched(file, end, tags)
        return Behind(other, _left_out((tags if other is None else other) - end)), ()
    return None


def _more(file: BinaryIO, samples: Samples, at: int, end: int) -> Iterator[range]:
    """The samples in further chunks of samples, up to the end of the chunks."""
    for chunk in walk(file, at, samples.form):
        start = chunk.start + FORMS[samples.form].lead
        if is_samples(chunk, samples.form) and start < min(chunk.start + chunk.length, end):
            yield range(start, min(chunk.start + chunk.length, end))


def _left_out(count: int, kind: str = "bytes") -> str:
    return f"{count} {kind} after its samples are not audio, and are skipped"


def _chunks_end(file: BinaryIO, samples: Samples, at: int, tags: int, *, is_sure: bool) -> int | None:
    """The end of the chunks from here on, if it is the end of the file or the start of another recording.

    The last one may be cut off if its name is known (`is_sure`).
    """
    if not samples.form:
        return None
    reached = at
    for chunk in walk(file, at, samples.form):
        if _starts_recording(file, reached):
            return reached
        if chunk.length < 0 or chunk.start + chunk.length > tags:
            return tags if is_sure and chunk.name[:4] in NAMES else None
        reached = chunk.following
    if reached == at:
        return None
    return tags if reached >= tags - 1 else reached if _starts_recording(file, reached) else None


def _starts_recording(file: BinaryIO, at: int) -> bool:
    return heads.following(file, at, file_size(file)) is not None
