"""The space that tracks need on the disk, told before any of them is made.

Stems in formats that clip are first kept as float32, so that a track needs more while it is written than afterwards.
"""

import dataclasses
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from unbraid.audio import OutputFormat
from unbraid.cli.files.plan import TrackPlan
from unbraid.cli.progress import clock
from unbraid.errors import UsageError

LARGE_BYTES = 1e9  # outputs from here on are told before they are made
_FLOAT_BYTES = 4
_FLAC_SHARE = 0.6  # of uncompressed, as a rule: music takes more, speech with pauses less
_SMALLER = {
    "write floats with --subtype 32f, which need no copies meanwhile": OutputFormat("wav", "32f"),
    "write -f flac": OutputFormat("flac", "16"),
    "write -f mp3": OutputFormat("mp3", None),
}  # hints, and the formats that they are about


def size(count: float) -> str:
    """A number of bytes for people: 640 kB, 20 MB, 1.3 GB."""
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if count >= unit:
            return f"{count / unit:.{1 if count < 100 * unit else 0}f} {name}"
    return f"{count / 1e3:.0f} kB"


def peak_bytes(track: TrackPlan, stems: int) -> int:
    """The space for so many stems of a track while they are written; 0 where its length is unknown."""
    samples, fmt = _samples(track), track.fmt
    needed = samples * _FLOAT_BYTES * stems
    if fmt.clips:  # each is encoded beside all the others; lossy formats need less than 16 bit
        needed += samples * int(fmt.subtype or 16) // 8
    return needed


def estimated_bytes(track: TrackPlan) -> float:
    """The size of a track's stems; of one person where it is not known how many there are."""
    fmt, signal = track.fmt, track.signal
    if fmt.lossy:
        return _stems(track) * _seconds(track) * fmt.kbps(signal.channels) * 125
    return _pcm_bytes(track) * (_FLAC_SHARE if fmt.name == "flac" else 1)


def needed_bytes(tracks: Sequence[TrackPlan], jobs: int = 1) -> int:
    """The least space in which all tracks can be written, so many at a time, one after the other."""
    peaks = [peak_bytes(track, _stems(track)) for track in tracks]
    needed = used = 0
    for at, track in enumerate(tracks):
        needed = max(needed, used + sum(peaks[at : at + jobs]))
        if track.fmt.name == "wav":
            used += _pcm_bytes(track) - sum(map(_bytes_there, track.outputs.values()))
    return needed


def told_space(tracks: Sequence[TrackPlan], free: float) -> str | None:
    """A line about outputs that are large, or more than there is space for; else None."""
    estimate = sum(map(estimated_bytes, tracks))
    if estimate < LARGE_BYTES and estimate <= free:
        return None
    count, people = sum(map(_stems, tracks)), any(track.voices for track in tracks)
    stems = f"{'at least ' if people else ''}{count} stem{'s' if count > 1 else ''} of "
    stems += clock(sum(map(_seconds, tracks))) if len(tracks) == 1 else f"{len(tracks)} inputs"
    rates = {f" at {track.signal.written_rate / 1000:g} kHz" for track in tracks}
    formats = {track.fmt.words for track in tracks}
    how = "".join(rates) if len(rates) == 1 else ""
    how += f", {' or '.join(sorted(formats))}"
    return f"{stems}{how}: about {size(estimate)}; {size(free)} free"


def check_space(tracks: Sequence[TrackPlan], root: Path, jobs: int, *, all_stems: bool) -> str | None:
    """Refuse tracks that cannot fit on the disk of ROOT; else the line to tell, if there is something to tell.

    Raises:
        UsageError: with the space that is missing, and what would help.
    """
    above = next(folder for folder in (root, *Path(os.path.abspath(root)).parents) if os.path.isdir(folder))
    free = shutil.disk_usage(above).free
    needed = needed_bytes(tracks, jobs)
    if needed <= free:
        return told_space(tracks, free)
    helps = ["Free some space", "choose another disk with -o"]
    if all_stems and any(len(track.outputs) > 1 for track in tracks):
        helps.append("write fewer stems with --stems")
    helps += [hint for hint, fmt in _SMALLER.items() if _fits(tracks, fmt, free, jobs)][:1]
    raise UsageError(
        f"The stems need {size(needed)} on the disk of {root} while they are written, and {size(free)} are free: "
        f"{size(needed - free)} are missing. {', '.join(helps[:-1])}, or {helps[-1]}."
    )


def _fits(tracks: Sequence[TrackPlan], fmt: OutputFormat, free: float, jobs: int) -> bool:
    """Whether tracks in another format fit, as estimated."""
    others = [dataclasses.replace(track, fmt=fmt) for track in tracks]
    if fmt.name == "wav":
        return needed_bytes(others, jobs) <= free
    return sum(map(estimated_bytes, others)) + max(peak_bytes(track, _stems(track)) for track in others) <= free


def _stems(track: TrackPlan) -> int:
    """The stems that are sure to be written, and the recording in a stem file."""
    return 1 if track.voices else track.signals


def _samples(track: TrackPlan) -> int:
    """Samples of a stem over all channels; 0 where the length is unknown."""
    signal = track.signal
    return (signal.frames or 0) * signal.written_rate // signal.sample_rate * signal.channels


def _seconds(track: TrackPlan) -> float:
    return (track.signal.frames or 0) / track.signal.sample_rate


def _pcm_bytes(track: TrackPlan) -> int:
    depth = track.fmt.subtype or "16"
    return _samples(track) * int(depth.removesuffix("f")) // 8 * _stems(track)


def _bytes_there(path: Path) -> int:
    """The size of a file that is to be replaced."""
    try:
        return path.lstat().st_size
    except OSError:
        return 0
