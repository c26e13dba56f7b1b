"""Decoding packets in FFmpeg: samples as float32, failures as errors or as damage."""

from collections.abc import Iterator
from typing import Any, TypeAlias, cast

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from unbraid.audio import mpeg_frames
from unbraid.audio.arrays import scaled
from unbraid.audio.damage import Damage
from unbraid.audio.info import Audio, AudioInfo, changed, damaged
from unbraid.audio.streams import protected
from unbraid.audio.timeline import Timeline
from unbraid.errors import AudioError

_MANY = 8  # channels from which PyAV 18 cannot take planar frames apart (it reads past the eight plane pointers)
_STRICT_CODECS = {"flac": {"err_detect": "crccheck+explode"}}  # that can tell damaged frames, and would play them
_MOST_ERRORS = 1000  # of a demuxer, one after the other
_MOST_UNFRAMED_BYTES = 4 << 20  # 5 minutes or so: their samples are in memory at once

Packet: TypeAlias = "av.Packet[av.AudioStream]"


class FrameDecoder:
    """The packets of a track, decoded; `timeline` keeps the position, `damage` the tolerated errors."""

    def __init__(
        self,
        container: InputContainer,
        stream: av.AudioStream,
        info: AudioInfo,
        name: str,
        timeline: Timeline,
        damage: Damage,
    ) -> None:
        self._container, self._stream, self._info, self._name = container, stream, info, name
        self._timeline, self._damage = timeline, damage
        self._is_mp3 = damage.measure is not None and info.codec == "mp3"
        self._packer: av.AudioResampler | None = None
        stream.codec_context.options = _STRICT_CODECS.get(stream.codec_context.name, {})

    def packets(self) -> Iterator[Packet]:
        """All packets of the track, in order."""
        if self._info.container == "wav" and self._info.codec == "aac" and self._stream.codec_context.extradata:
            yield from self._joined()
        else:
            yield from self._apart()

    def _joined(self) -> Iterator[Packet]:
        """The packets in one, for AAC that nothing in its WAV file frames: only the decoder finds where each ends."""
        data = bytearray()
        for packet in self._apart():
            data += bytes(packet)
            if len(data) > _MOST_UNFRAMED_BYTES:
                raise AudioError(
                    f"{self._name} holds AAC that is not framed, of which at most {_MOST_UNFRAMED_BYTES >> 20} MB are "
                    f"decoded. Put it into an m4a or aac file."
                )
        joined = cast("Packet", av.Packet(bytes(data)))
        joined.stream = self._stream
        yield joined

    def _apart(self) -> Iterator[Packet]:
        packets, errors = self._container.demux(self._stream), 0
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError, IndexError) as error:
                errors += 1
                is_foreign = isinstance(error, IndexError)  # a packet of a track that the header does not name
                if not (is_foreign or isinstance(error, av.FFmpegError)) or errors > _MOST_ERRORS:
                    raise damaged(self._name, self._seconds(), _reason(error)) from error
                if not is_foreign:
                    self._break(error)
                packets = self._container.demux(self._stream)
                continue
            if packet is None:
                return
            errors = 0
            yield packet

    def is_whole(self, packet: Packet) -> bool:
        """Whether a packet is as long as its header says; then damage in it does not move the audio after it."""
        return not self._is_mp3 or mpeg_frames.is_whole(bytes(packet))

    def count(self, packet: Packet) -> int:
        """The number of frames in a packet according to its container."""
        return round((packet.duration or 0) * float(packet.time_base) * self._info.sample_rate)

    def decode(self, packet: Packet) -> list[tuple[av.AudioFrame, Audio]]:
        """The frames in a packet and their samples (C, n); none where it is damaged and that may be."""
        if packet.size and not self.is_whole(packet) and self._damage.may_be(self._timeline.position):
            self._damage.reason = "a frame is damaged"
            return []
        frames = self._decoded(packet)
        return [(frame, self._samples(frame)) for frame in frames if self._fits(frame)]

    def _decoded(self, packet: Packet) -> list[av.AudioFrame]:
        is_locked = packet.has_sidedata("encryption_info")
        try:
            return packet.decode()
        except (av.FFmpegError, OSError) as error:
            if is_locked:
                raise protected(self._name) from None
            self._break(error)
            if self._is_mp3 and self.is_whole(packet):
                self._damage.whole(packet.size, self.count(packet))
            return []

    def _break(self, error: Exception) -> None:
        """Raise an error for undecodable data, or note it as damage to be replaced by silence."""
        reason = _reason(error)
        if not self._damage.may_be(self._timeline.position):
            raise damaged(self._name, self._seconds(), reason) from error
        self._damage.reason = self._damage.reason or reason

    def _fits(self, frame: av.AudioFrame) -> bool:
        """Whether a frame has the rate and channels of its track; another one is damage where that may be."""
        rate, channels = frame.sample_rate, frame.layout.nb_channels
        if (rate, channels) == (self._info.sample_rate, self._info.channels):
            return True
        if not self._damage.may_be(self._timeline.position):
            raise changed(self._name, self._info, rate, channels, self._seconds())
        self._damage.reason = "a frame of another rate"
        return False

    def _samples(self, frame: av.AudioFrame) -> Audio:
        """A decoded frame as float32 (C, n)."""
        if frame.format.is_planar and self._info.channels >= _MANY:
            self._packer = self._packer or av.AudioResampler(format=frame.format.name.removesuffix("p"))
            frame = self._packer.resample(frame)[0]
        return _as_float(frame)

    def _seconds(self) -> float:
        return self._timeline.position / self._info.sample_rate


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _as_float(frame: av.AudioFrame) -> Audio:
    """A decoded frame as float32 (C, n), full scale 1."""
    array: NDArray[Any] = frame.to_ndarray()  # (C, n) planar, (1, n * C) packed
    if not frame.format.is_planar:
        array = array.reshape(-1, frame.layout.nb_channels).T  # (C, n)
    return np.ascontiguousarray(array if array.dtype.kind == "f" else scaled(array), dtype=np.float32)
