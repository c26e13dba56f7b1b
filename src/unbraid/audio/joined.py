"""Concatenated recordings in a file, read as one."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from unbraid.audio.info import Audio, AudioInfo, Decoder, Notice, changed, damaged


class JoinedDecoder(Decoder):
    """Several decoders, one after the other.

    `infos` describes the recordings, if they were opened before; so they need not be again, only to be passed over.
    """

    def __init__(
        self, openers: Sequence[Callable[[], Decoder]], name: str, infos: Sequence[AudioInfo] | None = None
    ) -> None:
        self._openers, self._name = openers, name
        self._now, self._decoder = 0, openers[0]()
        self._done = 0  # frames of the recordings before this one
        self._position = 0
        self.notices: list[Notice] = []
        self.infos = infos or self._look()
        self.info = _together(self.infos)

    def _look(self) -> Sequence[AudioInfo]:
        """The facts of each recording; note the first one that cannot follow the others."""
        first = self._decoder.info
        infos, there = [first], _length(self._decoder)
        for opener in self._openers[1:]:
            decoder = opener()
            info = decoder.info
            if self.obstacle is None and (info.sample_rate, info.channels) != (first.sample_rate, first.channels):
                self.readable = there
                seconds = (there or 0) / first.sample_rate
                self.obstacle = changed(self._name, first, info.sample_rate, info.channels, seconds)
            known = _length(decoder)
            there = there + known if there is not None and known is not None else None
            self.is_cut = decoder.is_cut
            infos.append(info)
            decoder.close()
        if self.obstacle is None:
            self.readable = there
        return infos

    def skip(self, frames: int) -> int:
        """Pass over whole recordings where their length is known, and the rest as their decoder does."""
        left = frames
        while left > 0:
            length = self.infos[self._now].frames
            if length is not None and self._position == 0 and left >= length and self._now + 1 < len(self._openers):
                left -= length
                self._position = length
                self._go_on()
                continue
            skipped = self._decoder.skip(left)
            self._position += skipped
            left -= skipped
            if left > 0 and not self._go_on():
                break
        return frames - left

    def read(self, frames: int) -> Audio:
        """The next frames (C, n), across recordings."""
        parts: list[Audio] = [np.zeros((self.info.channels, 0), np.float32)]
        left = frames
        while left > 0:
            length = self.infos[self._now].frames  # tags may follow, at which libFLAC would fail
            block = self._decoder.read(left if length is None else min(left, length - self._position))  # (C, n)
            self._position += block.shape[1]
            left -= block.shape[1]
            parts.append(block)
            if left > 0 and not self._go_on():
                break
        return np.concatenate(parts, axis=1)

    def close(self) -> None:
        """Close the recording that is open, and take over its warnings."""
        self._decoder.close()
        self.notices += [notice for notice in self._decoder.notices if notice not in self.notices]

    def _go_on(self) -> bool:
        """Open the next recording, if there is one, and it is like the first."""
        if self._now + 1 == len(self._openers):
            return False
        first, now, following = self.infos[0], self.infos[self._now], self.infos[self._now + 1]
        self._done += self._position
        if now.frames is not None and self._position < now.frames:
            raise damaged(self._name, self._done / first.sample_rate, "a part of it is shorter than it states")
        if (first.sample_rate, first.channels) != (following.sample_rate, following.channels):
            raise changed(self._name, first, following.sample_rate, following.channels, self._done / first.sample_rate)
        self.close()
        self._now, self._position = self._now + 1, 0
        self._decoder = self._openers[self._now]()
        return True


def _length(decoder: Decoder) -> int | None:
    """The number of frames that a decoder can read, if known."""
    return decoder.info.frames if decoder.readable is None else decoder.readable


def _together(infos: Sequence[AudioInfo]) -> AudioInfo:
    """The first recording's description, with the length of all."""
    first = infos[0]
    same = {info.sample_rate for info in infos} == {first.sample_rate}
    frames = sum(info.frames or 0 for info in infos) if all(info.frames is not None for info in infos) else None
    duration = sum(info.duration or 0.0 for info in infos)
    frames = frames if same or frames is None else round(duration * first.sample_rate)
    return replace(first, frames=frames, duration=duration, lossy=any(info.lossy for info in infos))
