"""Encoders: float32 blocks (C, n) in, bytes of one format into an open binary file.

WAV is written by our own code (sizes beyond 4 GiB, streams, no time stamps in the file), flac, ogg and mp3 by
libsndfile, m4a and opus by FFmpeg (libsndfile 1.2.2 damages the last millisecond of many Opus files). Integers are
rounded to nearest and saturate: +1.0 becomes the largest integer, never the smallest.
"""

import os
from collections.abc import Mapping
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from unbraid.audio import mp3, riff
from unbraid.audio.formats import OutputFormat
from unbraid.audio.info import Audio
from unbraid.audio.tags import canonical, for_sndfile
from unbraid.errors import AudioError

_SNDFILE: dict[str, tuple[str, dict[str | None, str]]] = {
    "flac": ("FLAC", {"16": "PCM_16", "24": "PCM_24"}),
    "ogg": ("OGG", {None: "VORBIS"}),
    "mp3": ("MP3", {None: "MPEG_LAYER_III"}),
}
# Nominal kbit/s of 44.1 kHz stereo Vorbis at quality 0, 1, … 10 tenths (xiph's own table)
_VORBIS_KBPS = (64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 500)
AAC_FRAME = 1024
_AT_ONCE = 1 << 14  # frames for libsndfile: libvorbis puts as many on the stack, which is small
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 8: "7.1"}


class Sink:
    """A file for C code to write into: errors are kept for Python to find, since C cannot pass them on."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: BaseException | None = None

    def write(self, data: bytes) -> int:
        """Append or overwrite, all of it."""
        if self.error is None:
            try:
                self._file.write(data)
            except BaseException as error:
                self.error = error
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position."""
        try:
            return self._file.seek(offset, whence)
        except BaseException as error:
            self.error = self.error or error
            return 0

    def tell(self) -> int:
        """The position."""
        return self.seek(0, os.SEEK_CUR)

    def seekable(self) -> bool:
        """Yes."""
        return True

    def check(self) -> None:
        """Raise an error of the file, if there was one."""
        if self.error is not None:
            raise self.error


class Encoder(Protocol):
    """One file being encoded."""

    def write(self, block: Audio) -> None:
        """Encode a block (C, n)."""
        ...

    def close(self) -> None:
        """Encode pending samples and complete the headers; the file itself stays open."""
        ...


def to_pcm(block: Audio, bits: int) -> NDArray[np.int32]:
    """Samples as integers: nearest, ties to even, saturating."""
    full = float(1 << (bits - 1))
    integers: NDArray[np.int32] = np.clip(np.rint(block * np.float32(full)), -full, full - 1).astype(np.int32)
    return integers


def pcm_bytes(block: Audio, bits: int) -> bytes:
    """Interleaved little-endian samples: 16 or 24 bit integers, 32 bit float."""
    frames = np.ascontiguousarray(block.T)  # (n, C)
    if bits == 32:
        return frames.astype("<f4", copy=False).tobytes()
    integers = to_pcm(frames, bits).astype("<i4")
    if bits == 16:
        return integers.astype("<i2").tobytes()
    return integers.view(np.uint8).reshape(*integers.shape, 4)[:, :, :3].tobytes()


class WavEncoder:
    """WAV, or RF64 once the file exceeds WAV's largest size."""

    def __init__(self, file: Sink, layout: riff.WavLayout, tags: Mapping[str, str]) -> None:
        self._file, self._layout, self._tags = file, layout, tags
        self._frames = 0
        file.write(riff.header(layout, 0, tags))

    def write(self, block: Audio) -> None:
        """Append the samples."""
        self._frames += block.shape[1]
        if not self._layout.ds64 and self._frames * self._layout.frame_bytes > riff.LARGEST - riff.MARGIN:
            raise AudioError("A WAV file grew past 4 GiB, longer than announced. Announce its true length, or none.")
        self._file.write(pcm_bytes(block, self._layout.bits))

    def close(self) -> None:
        """Pad to an even length and state the lengths in the header."""
        self._file.write(b"\0" * (self._frames * self._layout.frame_bytes % 2))
        self._file.seek(0)
        self._file.write(riff.header(self._layout, self._frames, self._tags))


class SndfileEncoder:
    """flac, ogg (Vorbis) and mp3 through libsndfile."""

    def __init__(self, file: Sink, sample_rate: int, channels: int, fmt: OutputFormat, tags: Mapping[str, str]) -> None:
        import soundfile

        from unbraid.audio.sndfile import VORBIS_ORDER

        major, subtypes = _SNDFILE[fmt.name]
        self._sound = soundfile.SoundFile(
            file,
            "w",
            sample_rate,
            channels,
            subtypes[fmt.subtype],
            format=major,
            compression_level=_compression(fmt, sample_rate, channels),
            bitrate_mode="CONSTANT" if fmt.name == "mp3" else None,
        )
        for name, value in for_sndfile(tags).items():
            setattr(self._sound, name, value)
        order = VORBIS_ORDER.get(channels) if fmt.name == "ogg" else None
        self._order = np.argsort(order) if order else None
        self._bits = int(fmt.subtype) if fmt.subtype else None
        scale = mp3.preset_scale(_mp3_kbps(fmt, sample_rate, channels)) if fmt.name == "mp3" else 1.0
        self._gain = np.float32(1 / scale)

    def write(self, block: Audio) -> None:
        """Encode the samples; integers are made here, because libsndfile truncates them."""
        audio = block if self._order is None else block[self._order]
        for start in range(0, audio.shape[1], _AT_ONCE):
            self._encode(np.ascontiguousarray(audio[:, start : start + _AT_ONCE].T))

    def close(self) -> None:
        """Flush the codec."""
        from unbraid.audio.sndfile import close_for_good

        close_for_good(self._sound)

    def _encode(self, frames: Audio) -> None:
        if self._bits == 16:  # (n, C)
            self._sound.write(to_pcm(frames, 16).astype(np.int16))
        elif self._bits == 24:
            self._sound.write(to_pcm(frames, 24) << 8)
        else:
            self._sound.write(np.clip(frames, -1, 1) * self._gain)


class FfmpegEncoder:
    """opus, and AAC in an iPod-flavoured MP4 whose edit list states the length to the sample."""

    def __init__(self, file: Sink, sample_rate: int, channels: int, fmt: OutputFormat, tags: Mapping[str, str]) -> None:
        import av

        self._frame = av.AudioFrame
        codec, container, options = "libopus", "opus", {}
        most = 256000 * channels
        self._size = sample_rate // 50
        if fmt.name == "m4a":
            # the edit list counts in the movie's time scale: at the sample rate it is exact
            codec, container, options = "aac", "ipod", {"movie_timescale": str(sample_rate)}
            most = 6 * sample_rate * channels  # 6144 bits per channel and frame
            self._size = AAC_FRAME
        self._container = av.open(file, "w", format=container, container_options=options)
        self._container.metadata.update(canonical(tags))
        self._layout = _LAYOUTS[channels]
        stream = self._container.add_stream(codec, rate=sample_rate, layout=self._layout)
        assert isinstance(stream, av.AudioStream)
        self._stream, self._rate = stream, sample_rate
        kbps = fmt.kbps(channels)
        self._stream.bit_rate = min(kbps * 1000, most)
        self._rest: Audio = np.zeros((channels, 0), np.float32)
        self._next = 0
        if fmt.name == "m4a":  # FFmpeg's encoder never recovers from a loud first frame: give it a silent one
            self._next = -AAC_FRAME  # before the start, where the edit list hides it
            self._encode(np.zeros((channels, AAC_FRAME), np.float32))

    def write(self, block: Audio) -> None:
        """Encode whole frames of the codec and keep the rest."""
        audio = np.concatenate([self._rest, block], axis=1)  # (C, n)
        whole = audio.shape[1] - audio.shape[1] % self._size
        for start in range(0, whole, self._size):
            self._encode(audio[:, start : start + self._size])
        self._rest = audio[:, whole:].copy()

    def close(self) -> None:
        """Encode the last, shorter frame and write the index."""
        if self._rest.shape[1]:
            self._encode(self._rest)
        self._container.mux(self._stream.encode(None))
        self._container.close()

    def _encode(self, audio: Audio) -> None:
        packed = np.ascontiguousarray(np.clip(audio, -1, 1).T).reshape(1, -1)  # (1, n * C)
        frame = self._frame.from_ndarray(packed, format="flt", layout=self._layout)
        frame.sample_rate, frame.pts = self._rate, self._next
        self._next += audio.shape[1]
        self._container.mux(self._stream.encode(frame))


def open_encoder(
    file: Sink, sample_rate: int, channels: int, fmt: OutputFormat, tags: Mapping[str, str], frames: int | None
) -> Encoder:
    """The encoder of a format, writing into an open file; frames, if known, is what will be written."""
    if fmt.name == "wav":
        bits = 32 if fmt.subtype == "32f" else int(fmt.subtype or 16)
        large = frames is None or frames * channels * bits // 8 > riff.LARGEST - riff.MARGIN
        return WavEncoder(file, riff.WavLayout(sample_rate, channels, bits, ds64=large), tags)
    if fmt.name in ("m4a", "opus"):
        return FfmpegEncoder(file, sample_rate, channels, fmt, tags)
    return SndfileEncoder(file, sample_rate, channels, fmt, tags)


def _compression(fmt: OutputFormat, sample_rate: int, channels: int) -> float | None:
    """libsndfile's one knob, 0 (best) to 1, set for the bit rate; rates beyond a coder's range are cut to it."""
    if fmt.name == "flac":
        return None
    if fmt.name == "ogg":
        kbps = fmt.kbps(channels)
        return float(1 - np.interp(kbps * 2 / channels, _VORBIS_KBPS, np.arange(11) / 10))
    rates = mp3.coder_rates(sample_rate)
    share = (rates[-1] - _mp3_kbps(fmt, sample_rate, channels)) / (rates[-1] - rates[0])
    return min(share, 0.99)  # LAME refuses 1


def _mp3_kbps(fmt: OutputFormat, sample_rate: int, channels: int) -> int:
    return mp3.nearest_kbps(fmt.kbps(channels), sample_rate)
