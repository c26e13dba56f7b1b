"""Where decoded frames lie in time: gaps between their time stamps become silence, overlaps are left out.

    timeline = Timeline(sample_rate=48000, tick=48)
    timeline.place(at=0, frames=1024)          # 0: put it right behind what came before
    timeline.place(at=73024, frames=1024)      # 72000 frames of silence first
    timeline.place(at=73800, frames=1024)      # -248: so many of its frames were there already

Time stamps are rounded to ticks of the container and jitter a little, so that small differences mean nothing; a drift
that adds up is set right once it can be heard. Where packets are missing, whole ones are.
"""

from dataclasses import dataclass, field

MOST_SILENT_SECONDS = 24 * 3600.0  # more between two frames is no gap but a broken clock
SMALL_SECONDS = 0.01  # of a gap between two packets
DRIFT_SECONDS = 0.05  # that add up over many packets
OVERLAP_SECONDS = 1.0  # more than this backwards, and the clock was set anew
JUMP_SECONDS = 60.0  # forwards, where clocks may be set anew


class EndlessGap(Exception):
    """A gap that no recording has; `seconds` of it after `at_seconds`."""

    def __init__(self, seconds: float, at_seconds: float) -> None:
        super().__init__(f"a gap of {seconds:g} s at {at_seconds:g} s")
        self.seconds, self.at_seconds = seconds, at_seconds


@dataclass
class Timeline:
    """The frames of a track so far. All numbers are frames, counted from the start of the timeline."""

    sample_rate: int
    tick: float = 1.0  # frames in a tick of the container's clock
    is_timed: bool = True  # whether time stamps tell where frames lie; else only behind damage
    may_jump: bool = False  # whether the clock may be set anew, forwards too
    position: int = 0
    gaps: list[tuple[int, int]] = field(default_factory=list)  # where silence was put, and how much
    overlaps: list[tuple[int, int]] = field(default_factory=list)  # where frames were left out, and how many
    jumps: list[int] = field(default_factory=list)  # where the clock was set anew
    _offset: int = 0  # what is added to time stamps since then
    _overlaps: bool = False  # whether all of the last frames was there already
    _deviation: int = 0  # of the last frames from where their time stamp has them

    def place(self, at: int | None, frames: int, *, after_damage: bool = False) -> int:
        """Put decoded frames on the timeline, whose time stamp says that they begin `at` (None: right behind).

        Returns how many frames of silence come first; below zero, how many of these are left out.

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
        """How far frames are to be moved that deviate by so much from where the last ones end."""
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
