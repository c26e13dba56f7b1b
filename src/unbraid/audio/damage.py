"""What cannot be decoded: how long it lasted, where it is, and whether silence may stand for it.

Behind damage the next time stamp tells where decoding goes on. Where packets just follow one another without any (mp3,
AAC in ADTS), the bytes between the last sound packet and the next do, at the rate of those before: exactly at a
constant bit rate, nearly at a variable one. What the file itself tells of its length makes it exact.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from unbraid.audio.packets import Loss

_LEAST_BYTES = 8  # between two packets that are damage, and no padding


@dataclass
class Damage:
    """The damage in a track so far; positions in frames."""

    is_skipped: bool  # whether silence stands for it everywhere
    measure: Callable[[], Loss] | None = None  # where bytes tell of it, instead of time stamps
    tolerated: int = 0  # before this position it does, too
    stretches: list[tuple[int, int]] = field(default_factory=list)
    reason: str | None = None  # of damage that goes on
    _loss: Loss | None = None
    _end: int | None = None  # byte behind the last sound packet
    _frames: int = 0  # in the sound packets
    _bytes: int = 0
    _broken_frames: int = 0  # in whole packets since then that could not be decoded
    _broken_bytes: int = 0

    def may_be(self, position: int) -> bool:
        """Whether what cannot be decoded here is silence, instead of an error."""
        return self.is_skipped or position < self.tolerated

    def whole(self, size: int, frames: int) -> None:
        """Note a packet that could not be decoded, of which only the length is known."""
        self._broken_bytes += size
        self._broken_frames += frames

    def lost(self, at: int | None, size: int, frames: int) -> int | None:
        """How many frames are missing before a sound packet of so many bytes that lies `at` a byte; None: unknown."""
        if self.measure is None or at is None or at < 0 or frames <= 0:
            return None
        missing, hole = self._broken_frames, 0 if self._end is None else at - self._end - self._broken_bytes
        if (hole > _LEAST_BYTES or self.reason) and self._frames:
            first = self._loss is None
            self._loss = self._loss or self.measure()
            hole += self._loss.hidden_bytes if first else 0
            rate = self._loss.packets_per_byte
            per_byte = self._frames / self._bytes if rate is None else rate * frames
            missing += max(0 if self._broken_frames else 1, round(hole * per_byte / frames)) * frames
        self._broken_frames = self._broken_bytes = 0
        self._end, self._frames, self._bytes = at + size, self._frames + frames, self._bytes + size
        return missing

    def ends(self, position: int, frames: int) -> bool:
        """Note how much silence stands for the damage up to now; whether that may be."""
        self.reason = None
        if frames > 0:
            if self.stretches and sum(self.stretches[-1]) == position:
                first, before = self.stretches.pop()
                position, frames = first, before + frames
            self.stretches.append((position, frames))
        return self.is_skipped or position + frames <= self.tolerated or frames <= 0
