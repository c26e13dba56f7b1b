"""Decoding through FFmpeg's libraries (PyAV): m4a, aac, mp4, webm, mkv, wma, ac3 and whatever else FFmpeg reads.

The samples of a track are its decoded frames, one after the other. Encoder delay is cut by FFmpeg itself; padding
at the end by the stream's duration, which MP4 files state to the sample. Seeking in such files is inexact, so a
start is reached by decoding up to it.
"""

from collections.abc import Generator
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from unbraid.audio.calls import undisturbed
from unbraid.audio.info import BLOCK_FRAMES, Audio, AudioInfo, Notice, Unreadable, damaged, no_such_track
from unbraid.audio.options import ReadOptions
from unbraid.audio.tags import canonical
from unbraid.errors import AudioError

_LOSSLESS = ("pcm_", "alac", "flac", "wavpack", "tta", "ape", "wmalossless", "truehd", "mlp", "shorten", "tak")
_BITS = {"u8": 8, "s16": 16, "s32": 24, "s64": 32, "flt": 32, "dbl": 64}  # s32 carries 20 and 24 bit codecs too
_LOCKED = ("drms", "drmi", "aavd", "enca")  # codec tags of protected MP4 tracks
_SLACK_FRAMES = 4096  # a track may end this much before its stated duration: the rest is silence
_MANY = 8  # channels from which PyAV 18 cannot take planar frames apart (it reads past the eight plane pointers)


class FfmpegDecoder:
    """One audio track open in FFmpeg; see info.Decoder."""

    readable: int | None = None
    obstacle: AudioError | None = None

    def __init__(
        self, source: Path | BinaryIO, name: str, track: int = 0, reading: ReadOptions = ReadOptions()
    ) -> None:
        self.notices: list[Notice] = []
        if not isinstance(source, Path):
            source.seek(0)
        try:
            # "file:" keeps a colon in a path from being taken for a protocol; no file may pull in others by network
            target = f"file:{source}" if isinstance(source, Path) else source
            options = {"protocol_whitelist": "file"}
            self._container = av.open(target, "r", options=options, metadata_errors="replace")
        except (av.FFmpegError, ValueError, OSError) as error:
            raise Unreadable(getattr(error, "strerror", None) or str(error)) from None
        try:
            self._stream = _track(self._container, name, track)
            self.info = _describe(self._container, self._stream)
            self.is_cut = False
        except BaseException:
            self._container.close()
            raise
        self._name = name
        self._position = 0  # frames decoded, to say where something broke
        self._blocks = self._trimmed()
        self._rest: Audio = np.zeros((self.info.channels, 0), np.float32)

    def skip(self, frames: int) -> int:
        """Decode and drop: the only way to land on the sample in every format."""
        skipped = 0
        while skipped < frames:
            block = self.read(min(frames - skipped, BLOCK_FRAMES))
            if block.shape[1] == 0:
                break
            skipped += block.shape[1]
        return skipped

    def read(self, frames: int) -> Audio:
        """The next frames (C, n)."""
        return undisturbed(lambda: self._read(frames))

    def _read(self, frames: int) -> Audio:
        parts, have = [self._rest], self._rest.shape[1]
        while have < frames and (block := next(self._blocks, None)) is not None:
            parts.append(block)
            have += block.shape[1]
        audio = np.concatenate(parts, axis=1)  # (C, have)
        self._rest = audio[:, frames:].copy()
        return np.ascontiguousarray(audio[:, :frames])

    def close(self) -> None:
        """Close the file, unless the caller owns it."""
        self._blocks.close()
        self._container.close()

    def _trimmed(self) -> Generator[Audio, None, None]:
        """The decoded blocks, cut or filled to the stated length where there is one."""
        left = self.info.frames
        for block in self._decoded():
            if left is None:
                yield block
            elif left > 0:
                yield block[:, :left]
                left -= min(left, block.shape[1])
            else:
                return
        if left is not None and 0 < left <= min(_SLACK_FRAMES, self._position):
            yield np.zeros((self.info.channels, left), np.float32)
        elif self._ends_early():
            raise damaged(self._name, self._position / self.info.sample_rate, "its header states a longer duration")

    def _decoded(self) -> Generator[Audio, None, None]:
        packer: av.AudioResampler | None = None
        packets = self._container.demux(self._stream)
        while True:
            locked = False
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                locked = packet.has_sidedata("encryption_info")
                frames = packet.decode()
            except (av.FFmpegError, OSError) as error:
                if locked:
                    raise _protected(self._name) from None
                reason = getattr(error, "strerror", None) or str(error)
                raise damaged(self._name, self._position / self.info.sample_rate, reason) from error
            for frame in frames:
                self._check_shape(frame)
                if frame.format.is_planar and self.info.channels >= _MANY:
                    packer = packer or av.AudioResampler(format=frame.format.name.removesuffix("p"))
                    frame = packer.resample(frame)[0]
                block = _samples(frame)
                self._position += block.shape[1]
                yield block

    def _check_shape(self, frame: av.AudioFrame) -> None:
        rate, channels = frame.sample_rate, frame.layout.nb_channels
        if (rate, channels) != (self.info.sample_rate, self.info.channels):
            seconds = self._position / self.info.sample_rate
            raise AudioError(
                f"{self._name} changes from {self.info.sample_rate} Hz, {self.info.channels} channels to {rate} Hz, "
                f"{channels} channels at {seconds:.3f} s. Convert it to one sample rate and channel count first."
            )

    def _ends_early(self) -> bool:
        """Whether a track without an exact length ended well before the duration its header states."""
        alone = len(self._container.streams) == 1 and "matroska" in self._container.format.name
        stated = self._container.duration
        return alone and stated is not None and self._position / self.info.sample_rate < stated / av.time_base - 0.25


def _track(container: InputContainer, name: str, track: int) -> av.AudioStream:
    """The asked-for audio stream, or the reason why there is none."""
    streams = container.streams.audio
    if not streams:
        kind = container.format.name
        if kind.endswith("_pipe") or kind in ("tty", "image2", "gif", "apng", "ico") or not container.streams.video:
            raise Unreadable(f"it looks like {kind.removesuffix('_pipe')}")
        raise AudioError(f"{name} is a video without an audio track. Name a file that has sound.")
    if not 0 <= track < len(streams):
        raise no_such_track(name, track, len(streams))
    stream = streams[track]
    context = stream.codec_context
    protection = {key.lower() for key in (*stream.metadata, *container.metadata)} & {"asf_protection_type"}
    if (context is not None and context.codec_tag in _LOCKED) or protection:
        raise _protected(name)
    if context is None or not context.sample_rate or not context.layout.nb_channels:
        raise Unreadable("its audio coding is unknown here")
    return stream


def _protected(name: str) -> AudioError:
    return AudioError(f"{name} is encrypted or copy protected (DRM). Name a copy without protection.")


def _describe(container: InputContainer, stream: av.AudioStream) -> AudioInfo:
    context = stream.codec_context
    rate, codec = context.sample_rate, context.name
    kind = context.format.name.removesuffix("p") if context.format else "s16"
    lossy = not codec.startswith(_LOSSLESS)
    frames, seconds = None, None
    if stream.duration and stream.time_base:
        seconds = float(stream.duration * stream.time_base)
        if "mp4" in container.format.name.split(","):
            frames = round(stream.duration * stream.time_base * rate)
    elif container.duration:
        seconds = container.duration / av.time_base
    return AudioInfo(
        sample_rate=rate,
        channels=context.layout.nb_channels,
        frames=frames,
        duration=seconds,
        container=container.format.name,
        codec=codec,
        bits=None if lossy else _BITS.get(kind, 24),
        is_float=not lossy and kind in ("flt", "dbl"),
        lossy=lossy,
        tags=canonical({**stream.metadata, **container.metadata}),
        tracks=len(container.streams.audio),
    )


def _samples(frame: av.AudioFrame) -> Audio:
    """A decoded frame as float32 (C, n), full scale 1."""
    array: NDArray[Any] = frame.to_ndarray()  # (C, n) planar, (1, n * C) packed
    if not frame.format.is_planar:
        array = array.reshape(-1, frame.layout.nb_channels).T  # (C, n)
    if array.dtype.kind == "f":
        return np.ascontiguousarray(array, dtype=np.float32)
    if array.dtype == np.uint8:
        return (array.astype(np.float32) - np.float32(128)) / np.float32(128)
    return (array / 2.0 ** (8 * array.itemsize - 1)).astype(np.float32)
