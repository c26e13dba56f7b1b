"""The WAV headers that we write.

A program that writes WAV into a pipe cannot enter the lengths afterwards; like ffmpeg, we leave 0xFFFFFFFF there.
Files over 4 GiB are RF64 (EBU Tech 3306): a JUNK chunk reserved at the front becomes the `ds64` chunk that holds
64-bit lengths, so that the choice can wait until the last sample is written.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from unbraid.audio.tags import info_chunk

UNKNOWN = 0xFFFFFFFF
LARGEST = 0xFFFFFFFF - 1  # bytes a RIFF length can state
MARGIN = 1 << 20  # kept free below it for headers and tags
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")  # of KSDATAFORMAT_SUBTYPE_*, after the format tag
_SPEAKERS = {4: 0x33, 6: 0x3F, 8: 0x63F}  # channel masks of quad, 5.1 and 7.1; other counts stay unassigned


@dataclass(frozen=True)
class WavLayout:
    """The sample layout of a WAV file, and the form of its header."""

    sample_rate: int
    channels: int
    bits: int  # 16, 24, or 32 for float
    ds64: bool = True  # room for 64-bit lengths

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return self.channels * self.bits // 8


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
