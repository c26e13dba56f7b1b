"""The position of decoded frames in time: gaps between time stamps become silence, overlaps are dropped.

    timeline = Timeline(sample_rate=48000, tick=48)
    timeline.place(at=0, frames=1024)          # 0: append it
    timeline.place(at=73024, frames=1024)      # 72000 frames of silence first
    timeline.place(at=73800, frames=1024)      # -248: drop so many of its frames, which repeat earlier ones

Time stamps are rounded to the container's ticks and jitter, so small differences are ignored; an accumulated drift is
corrected once it is audible. Where ticks are coarse, gaps are rounded to whole packets.
"""

from dataclasses import dataclass, field

MOST_SILENT_SECONDS = 24 * 3600.0  # a longer gap is a broken clock
SMALL_SECONDS = 0.01  # shorter gaps between two packets are jitter
DRIFT_SECONDS = 0.05  # accumulated over many packets
OVERLAP_SECONDS = 1.0  # a longer step back is a clock reset
JUMP_SECONDS = 60.0  # a longer step forwards is a clock reset, where `may_jump`


class EndlessGap(Exception):
    """A gap of `seconds` at `at_seconds`, too long for a recording."""

    def __init__(self, seconds: float, at_seconds: float) -> None:
        super().__init__(f"a gap of {seconds:g} s at {at_seconds:g} s")
        self.seconds, self.at_seconds = seconds, at_seconds


@dataclass
class Timeline:
    """The frames of a track so far. All numbers are frames, counted from the start of the timeline."""

    sample_rate: int
    tick: float = 1.0  # frames in a tick of the container's clock
    is_timed: bool = True  # whether time stamps are used everywhere; else only after damage
    may_jump: bool = False  # whether a clock reset may go forwards, too
    position: int = 0
    gaps: list[tuple[int, int]] = field(default_factory=list)  # (position, frames of silence)
    overlaps: list[tuple[int, int]] = field(default_factory=list)  # (position, dropped frames)
    jumps: list[int] = field(default_factory=list)  # positions of clock resets
    _offset: int = 0  # added to time stamps since the last clock reset
    _overlaps: bool = False  # whether all of the last frames were dropped
    _deviation: int = 0  # of the last frames from their time stamp

    def place(self, at: int | None, frames: int, *, after_damage: bool = False) -> int:
        """Put decoded frames on the timeline, at their time stamp `at` (None: after the last ones).

        Returns the frames of silence to insert before them; a negative number, the frames to drop at their start.

        Raises:
            EndlessGap: the silence would last longer than a day.
        """
        if at is None or not (self.is_timed or after_damage):
            shift = 0
        else:
            deviation = at + self._offset - self.position
            shift = max(-frames, self._shift(deviation, frames, after_damage=after_damage))
            self._deviation = at + self._offset - self.position - shift
            self._overlaps = shift == -frames
        if shift > 0 and not after_damage and self.position:
            self.gaps.append((self.position, shift))
        elif shift < 0:
            self.overlaps.append((self.position, -shift))
        self.position += shift + frames
        return shift

    def _shift(self, deviation: int, frames: int, *, after_damage: bool) -> int:
        """The shift for frames that deviate by so much from the end of the last ones."""
        is_abrupt = self.position == 0 or deviation - self._deviation > frames / 2
        least = max((SMALL_SECONDS if is_abrupt else DRIFT_SECONDS) * self.sample_rate, 2 * self.tick)
        if deviation > (0 if after_damage else least):
            return self._gap(deviation, frames)
        if deviation < (0 if self._overlaps else -max(DRIFT_SECONDS * self.sample_rate, 2 * self.tick)):
            if deviation >= -OVERLAP_SECONDS * self.sample_rate:
                return deviation
            self._jump(deviation)
        return 0

    def _gap(self, deviation: int, frames: int) -> int:
        seconds = deviation / self.sample_rate
        if self.may_jump and self.position and seconds > JUMP_SECONDS:
            self._jump(deviation)
            return 0
        if seconds > MOST_SILENT_SECONDS:
            raise EndlessGap(seconds, self.position / self.sample_rate)
        whole = round(deviation / frames) * frames
        return whole if whole and 1 < self.tick >= abs(whole - deviation) else deviation

    def _jump(self, deviation: int) -> None:
        self._offset -= deviation
        self.jumps.append(self.position)
