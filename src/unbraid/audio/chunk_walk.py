"""The chunks of a file, and those in front of its samples where one of them states a wrong size.

A size that is too large leads into the samples, one that is too small into the chunk itself, and an odd one without the
padding that belongs to it beside the following chunk. The name of the next chunk that is needed is then searched, and
its place tells the true size.
"""

import os
import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import BinaryIO

from unbraid.audio import scan
from unbraid.audio.view import Piece

MOST_CHUNKS = 10_000  # before the samples; a file with more was not made by an audio program
W64_GUID_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
_KNOWN = (
    b"LIST INFO id3  ID3  bext iXML axml aXML cue  smpl inst fact PEAK JUNK junk FLLR PAD  pad  afsp DISP _PMX chna "
    b"umid levl acid strc tlst regn plst SAUR minf elm1 LGWV ResU C2PA cart MARK COMT NAME AUTH ANNO (c)  APPL INST "
    b"MIDI AESD info free uuid strg mark peak edct ovvw"
)
NAMES = frozenset(_KNOWN[at : at + 4] for at in range(0, len(_KNOWN), 5))  # of chunks that need not be there
_SEARCHED_BYTES = 16 << 20  # behind a chunk of wrong size
_MOST_WRONG = 4
UNSTATED = 0xFFFFFFFF  # in streams, and where a chunk of larger sizes states it


@dataclass(frozen=True)
class Chunk:
    """A chunk: its name, and the position of its body."""

    name: bytes
    at: int
    start: int
    length: int
    following: int


@dataclass(frozen=True)
class _Form:
    """How a format writes its chunks."""

    head: str  # name and length, as struct has them
    needed: tuple[bytes, ...]  # names of chunks without which there are no samples, theirs last
    first: int = 12  # where the first one begins
    lead: int = 0  # bytes in the chunk of samples in front of them
    align: int = 2
    counts_head: bool = False


_WAVE = (b"ds64", b"fmt ", b"data")
_WAVE64 = (b"fmt " + W64_GUID_TAIL, b"data" + W64_GUID_TAIL)
FORMS = {
    **dict.fromkeys((b"RIFF", b"RF64", b"BW64"), _Form("<4sI", _WAVE)),
    b"RIFX": _Form(">4sI", _WAVE),
    b"FORM": _Form(">4sI", (b"COMM", b"SSND"), lead=8),
    b"caff": _Form(">4sq", (b"desc", b"data"), first=8, lead=4, align=1),
    b"riff": _Form("<16sq", _WAVE64, first=40, align=8, counts_head=True),
}


def walk(file: BinaryIO, at: int, form: bytes) -> Iterator[Chunk]:
    """The chunks from here on: to the end of the file, or to what cannot be one."""
    shape = FORMS[form]
    length_of = struct.Struct(shape.head)
    size = file_size(file)
    for _ in range(MOST_CHUNKS):
        file.seek(at)
        data = file.read(length_of.size)
        if len(data) < length_of.size:
            return
        name, length = length_of.unpack(data)
        if not is_name(name[:4]):
            return
        start = at + length_of.size
        length -= length_of.size if shape.counts_head else 0
        following = start + max(length, 0)
        following += -(following - at) % shape.align if shape.align > 2 else max(length, 0) % shape.align
        yield Chunk(name, at, start, length, following)
        if length < 0 or following > size:  # far behind the end, seeking itself fails
            return
        at = following


def is_name(name: bytes) -> bool:
    """Whether these may be the name of a chunk: four printable characters."""
    return len(name) == 4 and all(0x20 <= byte < 0x7F for byte in name)


def is_samples(chunk: Chunk, form: bytes) -> bool:
    """Whether a chunk holds samples."""
    return chunk.name == FORMS[form].needed[-1]


def to_samples(file: BinaryIO, at: int, form: bytes) -> tuple[list[Chunk], tuple[Chunk, ...]]:
    """The chunks from here up to the samples, and those of them whose size is not the one stated; both with true ones.

    Where there are no samples, the last chunk is another one.
    """
    found, wrong = _upto_samples(file, at, form), dict[int, Chunk]()
    while found and not is_samples(found[-1], form) and len(wrong) < _MOST_WRONG:
        for chunk in _suspects(found):
            following = _needed(file, chunk.start, form)
            if following is not None and following not in wrong:
                wrong[following] = replace(chunk, length=following - chunk.start, following=following)
                before = [other for other in found if other.at < chunk.at]
                found = [*before, wrong[following], *_upto_samples(file, following, form)]
                break
        else:
            break
    return found, tuple(chunk for chunk in wrong.values() if chunk in found)


def _suspects(found: Sequence[Chunk]) -> list[Chunk]:
    """The chunks whose size may be wrong: the last one with a known name, else the last ones."""
    known = next((chunk for chunk in reversed(found) if chunk.name[:4] in NAMES), None)
    last = [*islice(reversed(found), _MOST_WRONG)]
    return [known, *last] if known is not None and known in last else last


def resized(pieces: Iterable[Piece], wrong: Iterable[Chunk], form: bytes) -> tuple[Piece, ...]:
    """The pieces of a file with chunks that state their true size, and have the padding that belongs to it."""
    new = list(pieces)
    for chunk in wrong:
        shape = FORMS[form]
        head = struct.Struct(shape.head)
        length = chunk.length + (head.size if shape.counts_head else 0)
        right: list[Piece] = [
            head.pack(chunk.name, length),
            range(chunk.start, chunk.following),
            bytes(-length % shape.align),
        ]
        for number, piece in enumerate(new):
            if isinstance(piece, range) and piece.start <= chunk.at and chunk.following <= piece.stop:
                new[number : number + 1] = [range(piece.start, chunk.at), *right, range(chunk.following, piece.stop)]
                break
    return tuple(piece for piece in new if len(piece))


def _upto_samples(file: BinaryIO, at: int, form: bytes) -> list[Chunk]:
    found: list[Chunk] = []
    for chunk in walk(file, at, form):
        found.append(chunk)
        if is_samples(chunk, form):
            break
    return found


def _needed(file: BinaryIO, start: int, form: bytes) -> int | None:
    """Where the next chunk begins that is needed, and can be one."""
    size = file_size(file)
    pattern = re.compile(b"|".join(re.escape(name) for name in FORMS[form].needed))
    for at in scan.find_all(file, pattern, start):
        if at - start > _SEARCHED_BYTES:
            break
        chunk = next(walk(file, at, form), None)
        is_open = chunk is not None and is_samples(chunk, form) and chunk.length == UNSTATED
        if chunk is not None and (0 <= chunk.length <= size - chunk.start or is_open):
            return at
    return None


def file_size(file: BinaryIO) -> int:
    """How many bytes the file has."""
    return file.seek(0, os.SEEK_END)
