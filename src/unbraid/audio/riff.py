"""WAV headers: the ones we write, and the ones of streams whose length nobody filled in.

A program that writes WAV into a pipe cannot come back and enter the lengths, so it leaves 0 or 0xFFFFFFFF there
(ffmpeg), or about 2 GiB (sox, arecord); the audio then runs to the end of the file. Ours look like ffmpeg's.
Files over 4 GiB are RF64 (EBU Tech 3306): a JUNK chunk reserved at the front becomes the `ds64` chunk that holds
64-bit lengths, so that the choice can wait until the last sample is written.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from unbraid.audio.tags import info_chunk

UNKNOWN = 0xFFFFFFFF
LARGEST = 0xFFFFFFFF - 1  # bytes a RIFF length can state
MARGIN = 1 << 20  # kept free below it for headers and tags
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")  # of KSDATAFORMAT_SUBTYPE_*, after the format tag
_SPEAKERS = {4: 0x33, 6: 0x3F, 8: 0x63F}  # channel masks of quad, 5.1 and 7.1; other counts stay unassigned
_CODINGS = {  # (format tag, bits): libsndfile's name
    (1, 8): "PCM_U8",
    (1, 16): "PCM_16",
    (1, 24): "PCM_24",
    (1, 32): "PCM_32",
    (3, 32): "FLOAT",
    (3, 64): "DOUBLE",
}


@dataclass(frozen=True)
class WavLayout:
    """How the samples of a WAV file lie in it, and under which header."""

    sample_rate: int
    channels: int
    bits: int  # 16, 24, or 32 for float
    ds64: bool = True  # room for 64-bit lengths

    @property
    def frame_bytes(self) -> int:
        return self.channels * self.bits // 8


@dataclass(frozen=True)
class OpenEnded:
    """A WAV whose header does not state its length: samples run from `start` to the end of the file."""

    start: int
    subtype: str  # libsndfile's name
    sample_rate: int
    channels: int


def header(layout: WavLayout, frames: int | None, tags: Mapping[str, str] | None = None) -> bytes:
    """Everything before the samples; its length does not depend on `frames` (None: a stream without end)."""
    fmt = _fmt_chunk(layout)
    is_float = layout.bits == 32
    fact = b"fact" + struct.pack("<II", 4, min(frames or 0, UNKNOWN)) if is_float and frames is not None else b""
    info = info_chunk(tags or {})
    if frames is None:
        return b"RIFF" + struct.pack("<I", UNKNOWN) + b"WAVE" + fmt + info + b"data" + struct.pack("<I", UNKNOWN)
    data = frames * layout.frame_bytes
    total = 4 + (36 if layout.ds64 else 0) + len(fmt) + len(fact) + len(info) + 8 + data + data % 2
    if total <= LARGEST:
        head = b"RIFF" + struct.pack("<I", total) + b"WAVE"
        head += b"JUNK" + struct.pack("<I28x", 28) if layout.ds64 else b""
        return head + fmt + fact + info + b"data" + struct.pack("<I", data)
    head = b"RF64" + struct.pack("<I", UNKNOWN) + b"WAVE"
    head += b"ds64" + struct.pack("<IQQQI", 28, total, data, frames, 0)
    return head + fmt + fact + info + b"data" + struct.pack("<I", UNKNOWN)


def _fmt_chunk(layout: WavLayout) -> bytes:
    """Plain for up to two channels, WAVE_FORMAT_EXTENSIBLE beyond."""
    tag = 3 if layout.bits == 32 else 1
    rate, frame = layout.sample_rate, layout.frame_bytes
    if layout.channels <= 2:
        body = struct.pack("<HHIIHH", tag, layout.channels, rate, rate * frame, frame, layout.bits)
        body += struct.pack("<H", 0) if tag == 3 else b""
    else:
        body = struct.pack("<HHIIHH", 0xFFFE, layout.channels, rate, rate * frame, frame, layout.bits)
        body += struct.pack("<HHI", 22, layout.bits, _SPEAKERS.get(layout.channels, 0)) + struct.pack("<H", tag)
        body += _GUID_TAIL
    return b"fmt " + struct.pack("<I", len(body)) + body


def open_ended(file: BinaryIO) -> OpenEnded | None:
    """The layout of a WAV stream whose stated length means nothing; None for every other file."""
    size = file.seek(0, 2)
    file.seek(0)
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    riff_bytes = struct.unpack("<I", head[4:8])[0]
    fmt = b""
    while len(chunk := file.read(8)) == 8:
        name, length = chunk[:4], struct.unpack("<I", chunk[4:])[0]
        start = file.tell()
        if name == b"data":
            behind = size - start
            unstated = length == 0 and behind > 0 and riff_bytes + 8 != size
            return _layout(fmt, start) if unstated or (is_bogus(length) and length != behind) else None
        if name == b"fmt ":
            fmt = file.read(min(length, 40))
        file.seek(start + length + length % 2)
    return None


def is_bogus(length: int) -> bool:
    """Whether a stated length is one that stream writers leave behind instead of the true one."""
    return length >= 0xFFFFF000 or 0x7FFFF000 <= length <= 0x80000000


def _layout(fmt: bytes, start: int) -> OpenEnded | None:
    if len(fmt) < 16:
        return None
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", fmt[:16])
    if tag == 0xFFFE and len(fmt) >= 26:
        tag = struct.unpack("<H", fmt[24:26])[0]
    subtype = _CODINGS.get((tag, bits))
    return OpenEnded(start, subtype, rate, channels) if subtype and channels and rate else None
