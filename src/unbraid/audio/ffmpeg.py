"""Decoding through FFmpeg's libraries (PyAV): mp3, m4a, aac, mp4, webm, mkv, wma, ac3 and whatever else FFmpeg reads.

The samples of a track are its decoded frames, put in place by their time stamps (timeline.py). Encoder delay is cut by
FFmpeg itself; padding at the end by the stream's duration, which MP4 files state to the sample. Seeking in such files
is inexact, so a start is reached by decoding up to it, or by counting packets where each has a known length. Damage on
the way there does not matter; elsewhere it is an error, or silence if that was asked for.
"""

import contextlib
from collections.abc import Generator, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeAlias

import av
import numpy as np

from unbraid.audio import demuxers, findings
from unbraid.audio.damage import Damage
from unbraid.audio.facts import look_at
from unbraid.audio.frames import FrameDecoder, Packet
from unbraid.audio.info import BLOCK_FRAMES, Audio, Decoder, Notice, damaged, drop
from unbraid.audio.options import ReadOptions
from unbraid.audio.packets import measure_loss
from unbraid.audio.parts import WHOLE, Part
from unbraid.audio.signals import undisturbed
from unbraid.audio.streams import clock_of, describe, find_track, several
from unbraid.audio.timeline import EndlessGap, Timeline
from unbraid.audio.view import opened
from unbraid.errors import AudioError

_SLACK_FRAMES = 4096  # a track may end this much before its stated duration: the rest is silence

_COUNTED = ("mp3float", "flac", "alac")  # codecs that need no more than a few packets before, to the very bit
_LEAD_PACKETS = 12  # decoded before a start: an mp3 frame may need bits of up to nine frames before it
_FIRST_PACKETS = 8  # always decoded: FFmpeg cuts the encoder's delay there

Stamped: TypeAlias = "av.Packet[av.AudioStream] | av.AudioFrame"


class FfmpegDecoder(Decoder):
    """One audio track open in FFmpeg."""

    def __init__(
        self,
        source: Path | BinaryIO,
        name: str,
        track: int = 0,
        reading: ReadOptions = ReadOptions(),
        part: Part = WHOLE,
    ) -> None:
        self.notices: list[Notice] = []
        with contextlib.ExitStack() as stack:
            content = source if part.pieces is None else stack.enter_context(opened(source, part.pieces))
            facts = look_at(content, part.link)
            self._container = stack.enter_context(demuxers.open_container(content))
            self._stream = find_track(self._container, name, track)
            clock = clock_of(self._container, self._stream)
            self.info = describe(self._container, self._stream, clock, facts)
            self._closing = stack.pop_all()
        is_end_lost = facts.is_cut and not (reading.skip_damage and facts.is_damaged)
        self.is_cut = is_end_lost or part.is_cut or part.missing > 0
        self._name, self._origin = name, float(clock.origin)
        self._origin_frames = float(clock.origin * self.info.sample_rate)
        self.notices += findings.of_header(self.info, several(self._container, self.info.track))
        names = demuxers.names_of(self.info.container)
        self._is_numbered = bool(names & demuxers.NUMBERED) or facts.is_damaged
        tick = float((self._stream.time_base or 1) * self.info.sample_rate)
        is_timed = bool(names & demuxers.TIMED) or self._is_numbered
        self._timeline = Timeline(self.info.sample_rate, tick, is_timed, may_jump=bool(names & demuxers.JUMPING))
        is_packed = bool(names & demuxers.PACKED)
        measure = partial(measure_loss, content, self.info.container, facts.mp3_packets) if is_packed else None
        self._damage = Damage(reading.skip_damage, measure)
        self._frames = FrameDecoder(self._container, self._stream, self.info, name, self._timeline, self._damage)
        self._is_counted = self._stream.codec_context.name in _COUNTED
        self._target = 0  # no packet that ends well before this has to be decoded
        self._passed = 0  # packets
        self._blocks = self._trimmed()
        self._rest: Audio = np.zeros((self.info.channels, 0), np.float32)

    def skip(self, frames: int) -> int:
        """Decode and drop: the only way to land on the sample in every format; damage there does not matter."""
        self._target = self._damage.tolerated = self._timeline.position - self._rest.shape[1] + frames
        return drop(self, frames)

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
        self._closing.close()

    def _trimmed(self) -> Generator[Audio, None, None]:
        """The blocks, cut or filled to the stated length where there is one."""
        left = self.info.frames
        try:
            for block in self._placed():
                if left is None:
                    yield block
                elif left > 0:
                    yield block[:, :left]
                    left -= min(left, block.shape[1])
                else:
                    return
            position = self._timeline.position
            if left is None:
                if self._ends_early(position):
                    raise damaged(self._name, position / self.info.sample_rate, "its header states a longer duration")
            elif left > 0:
                self._check_end(position, left)
                yield from self._silence(left)
        finally:
            self.notices += findings.of_decoding(self._timeline, self._damage, self._target)

    def _check_end(self, position: int, left: int) -> None:
        """Whether silence may replace the missing end of a track with a stated length."""
        if self._damage.reason is None and left <= min(_SLACK_FRAMES, position):
            return
        reason = self._damage.reason or "its header states a longer duration"
        is_known = self._damage.reason is not None or bool(self._damage.stretches)
        if not is_known or not self._damage.ends(position, left):
            raise damaged(self._name, position / self.info.sample_rate, reason)

    def _placed(self) -> Iterator[Audio]:
        """The decoded blocks, with silence between where their time stamps, or damage, have gaps."""
        for packet in self._frames.packets():
            if self._may_pass(packet):
                frames = self._frames.count(packet)
                lost = self._damage.lost(packet.pos, packet.size, frames)
                yield from self._silence(frames + self._shift(self._at(packet), frames, lost))
                continue
            blocks = [(self._at(frame), samples) for frame, samples in self._frames.decode(packet)]
            lost = self._damage.lost(packet.pos, packet.size, sum(block.shape[1] for _, block in blocks))
            for at, block in blocks:
                shift = self._shift(at, block.shape[1], lost)
                yield from self._silence(shift)
                yield block[:, -min(shift, 0) :]
                lost = None

    def _shift(self, at: int | None, frames: int, lost: int | None) -> int:
        """Frames of silence to insert before a decoded block; a negative number, frames to drop at its start."""
        position, reason = self._timeline.position, self._damage.reason
        if lost is not None and (lost or reason):
            at = position + lost
        is_damage = bool(reason or lost or (self._is_numbered and position))
        try:
            shift = self._timeline.place(at, frames, after_damage=is_damage)
        except EndlessGap as gap:
            raise AudioError(
                f"{self._name} has a gap of {gap.seconds / 3600:.0f} hours between its time stamps at "
                f"{gap.at_seconds:.3f} s; at most 24 are filled with silence. Get an intact copy, or pass a duration "
                f"that ends before the gap."
            ) from None
        if is_damage and (reason or shift > 0) and not self._damage.ends(position, shift):
            raise damaged(self._name, position / self.info.sample_rate, reason or "samples are missing")
        return shift

    def _silence(self, frames: int) -> Iterator[Audio]:
        for start in range(0, frames, BLOCK_FRAMES):
            yield np.zeros((self.info.channels, min(BLOCK_FRAMES, frames - start)), np.float32)

    def _may_pass(self, packet: Packet) -> bool:
        """Whether a packet before the start has not even to be decoded."""
        self._passed += 1
        if not (self._is_counted and packet.size and packet.duration) or self._passed <= _FIRST_PACKETS:
            return False
        position = max(self._timeline.position, self._at(packet) or 0)
        if position + _LEAD_PACKETS * self._frames.count(packet) >= self._target:
            return False
        return self._frames.is_whole(packet)

    def _at(self, stamped: Stamped) -> int | None:
        """The start of a packet or frame, by its time stamp."""
        if stamped.pts is None or stamped.time_base is None:
            return None
        return round(stamped.pts * float(stamped.time_base) * self.info.sample_rate - self._origin_frames)

    def _ends_early(self, position: int) -> bool:
        """Whether a track without an exact length ended well before the duration its header states."""
        alone = len(self._container.streams) == 1 and "matroska" in self._container.format.name
        stated = self._container.duration
        end = position / self.info.sample_rate + self._origin
        return alone and stated is not None and end < stated / av.time_base - 0.25
