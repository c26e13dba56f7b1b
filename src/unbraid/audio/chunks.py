"""The position of the samples in chunked files: WAV (RIFF, RIFX, RF64, BW64), Wave64, AIFF, CAF; and in AU.

Only sizes are read, and only up to the samples: the rest is for the decoders. Each size is remembered with its place,
so that a wrong one can be replaced. (Multimedia Programming Interface 1.0; EBU Tech 3306; Sony Wave64; Audio
Interchange File Format 1.3; Apple Core Audio Format 1.0; Sun's audio(7).)
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO

from unbraid.audio.chunk_walk import Chunk, file_size, to_samples

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
    align: int = 1  # chunks begin at multiples of it
    frame_bytes: int = 1  # 1 if the coding does not determine it
    coding: int = 0  # format tag of WAV
    rate: int = 0
    wrong: tuple[str, ...] = ()  # header fields that decoders ignore
    resized: tuple[Chunk, ...] = ()  # chunks in front of them, with the sizes that they do not state

    @property
    def misleading(self) -> list[str]:
        """What to tell of such chunks."""
        return [f"the size of its {_name(chunk)} chunk does not lead to the next one" for chunk in self.resized]

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


def find_samples(file: BinaryIO, head: int) -> Samples | None:
    """The samples of the file that begins at `head`; None for other formats.

    Raises:
        NoSamples: it has none.
    """
    file.seek(head)
    first = file.read(40)
    kind = kind_of(first)
    if kind is None:
        return None
    try:
        found = _find(file, head, kind, first)
    except struct.error:  # the file ends in its header
        raise NoSamples(kind) from None
    if found.start > file_size(file):
        raise NoSamples(kind)
    return found


def _find(file: BinaryIO, head: int, kind: str, first: bytes) -> Samples:
    match kind:
        case "AIFF":
            return _aiff(file, head)
        case "CAF":
            return _caf(file, head)
        case "AU":
            return _au(first, head)
    return _wav(file, head, kind, first)


def _wav(file: BinaryIO, head: int, kind: str, first: bytes) -> Samples:
    """WAV of all kinds, and Wave64, which has GUIDs for names and 64 bits for lengths."""
    wide = kind == "Wave64"
    form = b"riff" if wide else first[:4]
    order = ">" if form == b"RIFX" else "<"
    sizes = [Size(head + 16, "<q", head) if wide else Size(head + 4, order + "I", head + 8)]
    whole = (
        head + struct.unpack("<q", first[16:24])[0] if wide else head + 8 + struct.unpack(order + "I", first[4:8])[0]
    )
    fmt, ds64 = b"", None
    found, resized = to_samples(file, head + (40 if wide else 12), form)
    for chunk in found:
        name = chunk.name[:4]
        file.seek(chunk.start)
        if name == b"fmt ":
            fmt = file.read(min(max(chunk.length, 0), 40))
        elif name == b"ds64" and form in (b"RF64", b"BW64"):
            ds64 = chunk.start, file.read(16)
        elif name == b"data":
            size = Size(chunk.at + 16, "<q", chunk.at) if wide else Size(chunk.at + 4, order + "I", chunk.start)
            stated = chunk.length
            if ds64 and len(ds64[1]) == 16:
                whole, long = head + 8 + struct.unpack("<Q", ds64[1][:8])[0], struct.unpack("<Q", ds64[1][8:])[0]
                sizes = [Size(ds64[0], "<Q", head + 8)]
                if stated == 0xFFFFFFFF:
                    size, stated = Size(ds64[0] + 8, "<Q", chunk.start), long
            layout = _fmt(fmt, order)
            align = 8 if wide else 2
            return Samples(kind, form, head, chunk.start, stated, whole, size, tuple(sizes), align, *layout, resized)
    raise NoSamples(kind)


def _fmt(fmt: bytes, order: str) -> tuple[int, int, int, tuple[str, ...]]:
    """Bytes of a frame, format tag, sample rate, and errors in the fmt chunk."""
    if len(fmt) < 16:
        return 1, 0, 0, ()
    tag, channels, rate, byte_rate, block, bits = struct.unpack(order + "HHIIHH", fmt[:16])
    if tag == 0xFFFE and len(fmt) >= 26:
        tag = struct.unpack(order + "H", fmt[24:26])[0]
    if tag not in (1, 3, 6, 7):
        return 1, tag, rate, ()
    frame = channels * -(-bits // 8)
    wrong = []
    if block != frame:
        wrong.append(f"its header states {block} bytes per frame instead of {frame}")
    if byte_rate != rate * frame and rate * frame < 1 << 32:
        wrong.append(f"its header states {byte_rate} bytes per second instead of {rate * frame}")
    return max(frame, 1), tag, rate, tuple(wrong)


def _aiff(file: BinaryIO, head: int) -> Samples:
    file.seek(head + 4)
    whole = head + 8 + struct.unpack(">I", file.read(4))[0]
    frame, rate, frames = 1, 0, None
    found, resized = to_samples(file, head + 12, b"FORM")
    for chunk in found:
        file.seek(chunk.start)
        if chunk.name == b"COMM" and chunk.length >= 18:
            channels, frames, bits, exponent, mantissa = struct.unpack(">hIhHQ", file.read(18))
            rate = int(mantissa * 2.0 ** ((exponent & 0x7FFF) - 16383 - 63)) if exponent < 16383 + 32 else 0
            coding = file.read(4) if chunk.length >= 22 else b"NONE"
            is_plain = coding in (b"NONE", b"twos", b"sowt", b"fl32", b"FL32", b"fl64", b"FL64", b"in24", b"in32")
            frame = max(channels * -(-bits // 8), 1) if is_plain else 1
        elif chunk.name == b"SSND" and chunk.length >= 0:
            offset = int.from_bytes(file.read(8)[:4], "big")
            start = chunk.start + 8 + offset
            stated, size = max(chunk.length - 8 - offset, 0), Size(chunk.at + 4, ">I", chunk.start)
            sizes = (Size(head + 4, ">I", head + 8),)
            wrong: tuple[str, ...] = ()
            if frames is not None and frame > 1 and frames != stated // frame and chunk.length > 8:
                wrong = (f"its header states {frames} frames in one place and {stated // frame} in another",)
            return Samples("AIFF", b"FORM", head, start, stated, whole, size, sizes, 2, frame, 0, rate, wrong, resized)
    raise NoSamples("AIFF")


def _caf(file: BinaryIO, head: int) -> Samples:
    frame = rate = 0
    found, resized = to_samples(file, head + 8, b"caff")
    for chunk in found:
        file.seek(chunk.start)
        if chunk.name == b"desc" and chunk.length >= 32:
            precise, coding, _, packet, _, _, _ = struct.unpack(">d4sIIIII", file.read(32))
            rate = int(precise) if 0 < precise < 1 << 32 else 0
            frame = packet if coding == b"lpcm" else 1
        elif chunk.name == b"data":
            size, start = Size(chunk.at + 4, ">q", chunk.start), chunk.start + 4
            stated = chunk.length - 4 if chunk.length >= 4 else -1
            return Samples("CAF", b"caff", head, start, stated, None, size, (), 1, max(frame, 1), 0, rate, (), resized)
    raise NoSamples("CAF")


def _au(first: bytes, head: int) -> Samples:
    order = ">" if first[:4] == b".snd" else "<"
    offset, stated, coding, rate, channels = struct.unpack(order + "5I", first[4:24])
    frame = max(_AU_BITS.get(coding, 8) // 8 * channels, 1)
    size = Size(head + 8, order + "I", head + offset)
    return Samples("AU", b"", head, head + offset, stated, None, size, (), 1, frame, 0, rate)
