"""Warnings from the header and the decoding of a track: late starts, gaps, overlaps, clock resets, damage."""

from collections.abc import Sequence

from unbraid.audio.damage import Damage
from unbraid.audio.info import AudioInfo, Notice
from unbraid.audio.timeline import Timeline

LATE_SECONDS = 0.5  # shorter delays are not reported
_NAMED = 5

Stretches = Sequence[tuple[int, int]]  # (first frame, frames)


def of_header(info: AudioInfo, tracks: str) -> list[Notice]:
    """The warnings known from the header; `tracks` is the one about several tracks."""
    found = [Notice(tracks)] if info.tracks > 1 else []
    if info.start_seconds >= LATE_SECONDS:
        found.append(
            Notice(f"its audio starts {info.start_seconds:.3f} s after the file; silence fills the time before")
        )
    return found


def of_decoding(timeline: Timeline, damage: Damage, start: int) -> list[Notice]:
    """The warnings from decoding, for everything after the frame at which reading started."""
    rate, found = timeline.sample_rate, []
    gaps, overlaps, damaged = (_since(some, start) for some in (timeline.gaps, timeline.overlaps, damage.stretches))
    jumps = [jump for jump in timeline.jumps if jump >= start]
    if gaps:
        found.append(f"gaps between its time stamps are filled with silence: {_counted(gaps, rate)}")
    if overlaps:
        found.append(f"its time stamps overlap, and repeated audio is dropped: {_counted(overlaps, rate)}")
    if jumps:
        at = ", ".join(f"{jump / rate:.3f} s" for jump in jumps[:_NAMED])
        found.append(f"its clock is reset at {at}; the audio goes on without a gap")
    if damaged:
        found.append(f"damaged audio is replaced by silence: {_counted(damaged, rate)}")
    return [Notice(text) for text in found]


def _since(stretches: Stretches, start: int) -> Stretches:
    return [(first, frames) for first, frames in stretches if first + frames > start]


def _counted(stretches: Stretches, rate: int) -> str:
    """Stretches as "0.500 s (3.000–3.500 s)" or "2.000 s in 7 places (3.000–3.500 s, …)"."""
    total = sum(frames for _, frames in stretches) / rate
    spans = [f"{first / rate:.3f}–{(first + frames) / rate:.3f} s" for first, frames in stretches[:_NAMED]]
    more = ", …" if len(stretches) > _NAMED else ""
    places = f" in {len(stretches)} places" if len(stretches) > 1 else ""
    return f"{total:.3f} s{places} ({', '.join(spans)}{more})"
