"""The position of the samples in chunked files: WAV (RIFF, RIFX, RF64, BW64), Wave64, AIFF, CAF; and in AU.

Only sizes are read, and only up to the samples: the rest is for the decoders. Each size is remembered with its place,
so that a wrong one can be replaced. (Multimedia Programming Interface 1.0; EBU Tech 3306; Sony Wave64; Audio
Interchange File Format 1.3; Apple Core Audio Format 1.0; Sun's audio(7).)
"""

import struct
from dataclasses import dataclass, replace
from typing import BinaryIO

from unbraid.audio.chunk_walk import FORMS, UNSTATED, Chunk, file_size, is_samples, to_samples

_DESCRIBING = (b"fmt ", b"ds64", b"COMM", b"SSND", b"desc")
_AIFF_PLAIN = (b"", b"NONE", b"twos", b"sowt", b"fl32", b"FL32", b"fl64", b"FL64", b"in24", b"in32")
_W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_AU_BITS = {1: 8, 2: 8, 3: 16, 4: 24, 5: 32, 6: 32, 7: 64, 27: 8}


class NoSamples(Exception):
    """The file has the head of such a format, but no chunk of samples."""


@dataclass(frozen=True)
class Size:
    """A field that states the number of bytes between `base` and an end."""

    at: int  # of the field in the file
    form: str  # as struct names it
    base: int

    def of(self, end: int) -> bytes:
        """The field that states this end; where it has no room for it, the value that means "to the end"."""
        largest = (1 << 8 * struct.calcsize(self.form)) - 1
        value = end - self.base
        return struct.pack(self.form.replace("q", "Q"), min(value, largest))


@dataclass(frozen=True)
class Samples:
    """The samples of a file, as its header states them."""

    kind: str
    form: bytes  # of its chunks; none in AU
    head: int  # where the file begins, behind tags
    start: int  # of the first sample
    stated: int  # bytes of samples, by the header
    whole: int | None  # the file's size by its header; None if not stated
    size: Size  # of the samples
    sizes: tuple[Size, ...] = ()  # of the file
    frame_bytes: int = 1  # 1 if the coding does not determine it
    coding: int = 0  # format tag of WAV
    rate: int = 0
    wrong: tuple[str, ...] = ()  # header fields that decoders ignore
    resized: tuple[Chunk, ...] = ()  # chunks in front of them, with the sizes that they do not state

    @property
    def misleading(self) -> list[str]:
        """Warnings about such chunks."""
        return [f"the size of its {_name(chunk)} chunk does not lead to the next one" for chunk in self.resized]

    @property
    def align(self) -> int:
        """Chunks begin at multiples of it."""
        return FORMS[self.form].align if self.form else 1

    @property
    def end(self) -> int:
        """Of the samples, by the header."""
        return self.start + self.stated


def _name(chunk: Chunk) -> str:
    return chunk.name[:4].decode("ascii").strip()


def kind_of(head: bytes) -> str | None:
    """The format that begins with these (at least 40) bytes, if it is one of those here."""
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return "WAV"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "AIFF"
    if head[:8] == b"caff\0\1\0\0":
        return "CAF"
    if head[:16] == _W64_RIFF and head[24:28] == b"wave":
        return "Wave64"
    return "AU" if head[:4] in (b".snd", b"dns.") and len(head) >= 24 else None


def find_samples(file: BinaryIO, head: int) -> Samples:
    """The samples of the file that begins at `head`, in one of these formats.

    Raises:
        NoSamples: it has none.
    """
    file.seek(head)
    first = file.read(40)
    kind = kind_of(first) or ""
    try:
        found = _au(first, head) if kind == "AU" else _chunked(file, head, kind, first)
    except struct.error:  # the file ends in its header
        raise NoSamples(kind) from None
    if found.start > file_size(file):
        raise NoSamples(kind)
    return found


def _chunked(file: BinaryIO, head: int, kind: str, first: bytes) -> Samples:
    form = first[:4]
    found, resized = to_samples(file, head + FORMS[form].first, form)
    if not found or not is_samples(found[-1], form):
        raise NoSamples(kind)
    data, bodies = found[-1], {chunk.name[:4]: _body(file, chunk) for chunk in found if chunk.name[:4] in _DESCRIBING}
    size, sizes, whole = _size_of(form, data.at), tuple[Size, ...](), None
    if kind != "CAF":  # else the file is itself a chunk
        field = _size_of(form, head)
        sizes, whole = (field,), field.base + struct.unpack_from(field.form, first, field.at - head)[0]
    lead = FORMS[form].lead
    samples = Samples(kind, form, head, data.start + lead, data.length - lead, whole, size, sizes, resized=resized)
    if kind == "AIFF":
        return _aiff(samples, bodies.get(b"COMM", b""), bodies[b"SSND"])
    if kind == "CAF":
        return _caf(samples, bodies.get(b"desc", b""))
    ds64 = [chunk.start for chunk in found if chunk.name == b"ds64" and form in (b"RF64", b"BW64")]
    if ds64 and len(bodies[b"ds64"]) >= 16:
        samples = _large(samples, ds64[-1], bodies[b"ds64"])
    return _wav(samples, bodies.get(b"fmt ", b""))


def _body(file: BinaryIO, chunk: Chunk) -> bytes:
    """The first bytes of a chunk."""
    file.seek(chunk.start)
    return file.read(min(max(chunk.length, 0), 40))


def _size_of(form: bytes, at: int) -> Size:
    """The field in which the chunk at a position states its size."""
    shape = FORMS[form]
    number = shape.head[0] + shape.head[-1]
    start = at + struct.calcsize(shape.head)
    return Size(start - struct.calcsize(number), number, at if shape.counts_head else start)


def _large(samples: Samples, at: int, ds64: bytes) -> Samples:
    """With the sizes of 64 bits in the chunk at a position."""
    whole, stated = struct.unpack("<QQ", ds64[:16])
    base = samples.head + 8
    samples = replace(samples, whole=base + whole, sizes=(Size(at, "<Q", base),))
    if samples.stated != UNSTATED:
        return samples
    return replace(samples, stated=stated, size=Size(at + 8, "<Q", samples.start))


def _wav(samples: Samples, fmt: bytes) -> Samples:
    """With the layout in the fmt chunk of a WAV or Wave64 file, and its errors."""
    if len(fmt) < 16:
        return samples
    order = FORMS[samples.form].head[0]
    tag, channels, rate, byte_rate, block, bits = struct.unpack(order + "HHIIHH", fmt[:16])
    if tag == 0xFFFE and len(fmt) >= 26:
        tag = struct.unpack(order + "H", fmt[24:26])[0]
    if tag not in (1, 3, 6, 7):
        return replace(samples, coding=tag, rate=rate)
    frame = channels * -(-bits // 8)
    wrong = []
    if block != frame:
        wrong.append(f"its header states {block} bytes per frame instead of {frame}")
    if byte_rate != rate * frame and rate * frame < 1 << 32:
        wrong.append(f"its header states {byte_rate} bytes per second instead of {rate * frame}")
    return replace(samples, frame_bytes=max(frame, 1), coding=tag, rate=rate, wrong=tuple(wrong))


def _aiff(samples: Samples, comm: bytes, ssnd: bytes) -> Samples:
    """With the layout in the COMM chunk; the samples begin at an offset in their chunk."""
    offset = int.from_bytes(ssnd[:4], "big")
    stated, is_long = max(samples.stated - offset, 0), samples.stated > 0
    samples = replace(samples, start=samples.start + offset, stated=stated)
    if len(comm) < 18:
        return samples
    channels, frames, bits, exponent, mantissa = struct.unpack(">hIhHQ", comm[:18])
    rate = int(mantissa * 2.0 ** ((exponent & 0x7FFF) - 16383 - 63)) if exponent < 16383 + 32 else 0
    frame = max(channels * -(-bits // 8), 1) if comm[18:22] in _AIFF_PLAIN else 1
    wrong: tuple[str, ...] = ()
    if frame > 1 and frames != stated // frame and is_long:
        wrong = (f"its header states {frames} frames in one place and {stated // frame} in another",)
    return replace(samples, frame_bytes=frame, rate=rate, wrong=wrong)


def _caf(samples: Samples, desc: bytes) -> Samples:
    """With the layout in the desc chunk."""
    if len(desc) < 32:
        return samples
    precise, coding, _, packet = struct.unpack(">d4sII", desc[:20])
    rate = int(precise) if 0 < precise < 1 << 32 else 0
    return replace(samples, frame_bytes=max(packet, 1) if coding == b"lpcm" else 1, rate=rate)


def _au(first: bytes, head: int) -> Samples:
    order = ">" if first[:4] == b".snd" else "<"
    offset, stated, coding, rate, channels = struct.unpack(order + "5I", first[4:24])
    frame = max(_AU_BITS.get(coding, 8) // 8 * channels, 1)
    size = Size(head + 8, order + "I", head + offset)
    return Samples("AU", b"", head, head + offset, stated, None, size, frame_bytes=frame, rate=rate)
