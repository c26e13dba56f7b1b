"""WAV as it comes through a pipe: the header is read, and samples follow as long as they come.

The lengths in the header mean nothing, since a recorder writes it before it knows them. Format: Microsoft, "Multimedia
Programming Interface and Data Specifications 1.0" (RIFF), and "New Multimedia Data Types" (WAVE_FORMAT_EXTENSIBLE).
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from unbraid.audio.info import MOST_HERTZ, Audio
from unbraid.errors import AudioError

Coding = Literal["s16", "s32", "f32"]
DTYPES: dict[Coding, str] = {"s16": "<i2", "s32": "<i4", "f32": "<f4"}
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE  # format tags
ENDLESS = 0xFFFFFFFF  # the length of samples that end when they end
UNKNOWN = 0x7FFF0000  # from here on, lengths are what programs write that do not know them
MOST_CHANNELS = 32
MOST_CHUNK = 1 << 20  # bytes of a chunk before the samples
ReadExactly = Callable[[int], bytes]  # fewer bytes only at the end


@dataclass(frozen=True)
class LiveFormat:
    """How samples are coded, channel by channel in turn."""

    sample_rate: int  # Hz
    channels: int = 1
    coding: Coding = "s16"

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return self.channels * np.dtype(DTYPES[self.coding]).itemsize

    def decoded(self, data: bytes) -> Audio:
        """Whole frames as float32 (C, n); full scale is 1."""
        samples = np.frombuffer(data, DTYPES[self.coding]).reshape(-1, self.channels).T
        if self.coding == "f32":
            return np.ascontiguousarray(samples, np.float32)
        return (samples / np.float64(_full_scale(self.coding))).astype(np.float32)

    def encoded(self, audio: Audio) -> bytes:
        """Audio (C, n) as bytes; integers are clipped at full scale."""
        if self.coding == "f32":
            return audio.T.astype("<f4").tobytes()
        full = _full_scale(self.coding)
        return (
            np.clip(np.rint(audio.T.astype(np.float64) * full), -full, full - 1).astype(DTYPES[self.coding]).tobytes()
        )

    def header(self) -> bytes:
        """The header of a WAV whose length nobody knows yet."""
        width = np.dtype(DTYPES[self.coding]).itemsize
        tag = FLOAT if self.coding == "f32" else PCM
        rate = self.sample_rate
        fmt = struct.pack("<HHIIHH", tag, self.channels, rate, rate * self.frame_bytes, self.frame_bytes, 8 * width)
        return b"".join(
            (b"RIFF", struct.pack("<I", ENDLESS), b"WAVE", b"fmt ", struct.pack("<I", len(fmt)), fmt,
             b"data", struct.pack("<I", ENDLESS))
        )  # fmt: skip


def read_header(read: ReadExactly) -> LiveFormat:
    """The format of a WAV stream, read to where its samples begin; raises what `read_start` does."""
    return read_start(read)[0]


def read_start(read: ReadExactly) -> tuple[LiveFormat, int | None]:
    """The format of a WAV stream, read to where its samples begin, and their bytes, if its header knows.

    Raises:
        AudioError: it does not begin like a WAV file, or its samples are of a kind that live audio has not.
    """
    riff = read(12)
    if riff[:4] != b"RIFF" or riff[8:] != b"WAVE":
        raise AudioError("The stream does not begin with a WAV header; say the rate of raw 16-bit samples with --rate.")
    found: LiveFormat | None = None
    while True:
        head = read(8)
        if len(head) < 8:
            raise AudioError("The stream ends in its WAV header; is the recorder running?")
        name, size = head[:4], int.from_bytes(head[4:], "little")
        if name == b"data":
            if found is None:
                raise AudioError("The stream has samples before their format; it is not a WAV file.")
            return found, size if 0 < size < UNKNOWN else None
        if size > MOST_CHUNK:
            raise AudioError(f"The WAV header has a part of {size} bytes; it is damaged.")
        chunk = read(size + size % 2)
        if name == b"fmt ":
            found = _format(chunk)


def _format(chunk: bytes) -> LiveFormat:
    if len(chunk) < 16:
        raise AudioError("The WAV header is damaged: its format is too short.")
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", chunk[:16])
    if tag == EXTENSIBLE and len(chunk) >= 26:
        tag = int.from_bytes(chunk[24:26], "little")
    codings: dict[tuple[int, int], Coding] = {(PCM, 16): "s16", (PCM, 32): "s32", (FLOAT, 32): "f32"}
    coding = codings.get((tag, bits))
    if coding is None or not 1 <= channels <= MOST_CHANNELS or not 1 <= rate <= MOST_HERTZ:
        raise AudioError(
            f"The stream is a WAV of {bits} bits, format {tag}, {channels} channels at {rate} Hz; live audio takes "
            f"16-bit, 32-bit and float samples, and 1 to {MOST_CHANNELS} channels."
        )
    return LiveFormat(rate, channels, coding)


def _full_scale(coding: Coding) -> int:
    return 1 << (8 * np.dtype(DTYPES[coding]).itemsize - 1)
