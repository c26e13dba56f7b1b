"""Damaged audio in a track: its position, its length, and whether silence may replace it.

After damage, the next time stamp gives the position. Formats without time stamps (mp3, AAC in ADTS) are measured by the
bytes between the last intact packet and the next, at the bit rate so far: exact for a constant bit rate, approximate
for a variable one. A frame count in the file makes it exact.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from unbraid.audio.packets import Loss

_LEAST_BYTES = 8  # fewer bytes between two packets are padding, not damage


@dataclass
class Damage:
    """The damage in a track so far; positions in frames."""

    is_skipped: bool  # whether silence replaces it everywhere
    measure: Callable[[], Loss] | None = None  # measures by bytes, in formats without time stamps
    tolerated: int = 0  # silence replaces damage before this position in any case
    stretches: list[tuple[int, int]] = field(default_factory=list)
    reason: str | None = None  # for damage that has not ended
    _loss: Loss | None = None
    _end: int | None = None  # byte after the last intact packet
    _frames: int = 0  # in intact packets
    _bytes: int = 0
    _broken_frames: int = 0  # in complete packets since then that could not be decoded
    _broken_bytes: int = 0

    def may_be(self, position: int) -> bool:
        """Whether damage at this position becomes silence instead of an error."""
        return self.is_skipped or position < self.tolerated

    def whole(self, size: int, frames: int) -> None:
        """Count a complete packet that could not be decoded."""
        self._broken_bytes += size
        self._broken_frames += frames

    def lost(self, at: int | None, size: int, frames: int) -> int | None:
        """The frames missing before an intact packet of `size` bytes at byte `at`; None: unknown."""
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
        """Record the silence that replaces the damage so far; False where that is not allowed."""
        self.reason = None
        if frames > 0:
            if self.stretches and sum(self.stretches[-1]) == position:
                first, before = self.stretches.pop()
                position, frames = first, before + frames
            self.stretches.append((position, frames))
        return self.is_skipped or position + frames <= self.tolerated or frames <= 0
