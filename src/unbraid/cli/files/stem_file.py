"""The four stems of a song in one file for DJ programs: `--format stem.m4a`."""

from collections.abc import Callable, Mapping
from pathlib import Path

from unbraid.audio import OutputFormat, open_writer
from unbraid.audio.formats import STEM_FILE
from unbraid.audio.stem_file import STEMS, stem_order, write_stem_file
from unbraid.cli.files.plan import TrackPlan
from unbraid.cli.request import SeparationRequest
from unbraid.errors import UsageError
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.separation.stream import recording


def check_stem_file(request: SeparationRequest) -> None:
    """Refuse a stem file where not all stems are written, or nowhere to look for them.

    Raises:
        UsageError: as it says.
    """
    options = request.options
    if request.coding.format != STEM_FILE:
        return
    if request.stems is not None or options.two_stems or options.remove or options.residual or options.raw:
        raise UsageError(
            f"{STEM_FILE} holds a song and its four stems, which add up to it; leave out --stems, --two-stems, "
            "--remove, --residual and --raw, or write another format."
        )
    if request.root is None:
        raise UsageError(f"{STEM_FILE} is a file for DJ programs; choose a folder with -o instead of -.")


def stems_of_file(separator: Separator) -> tuple[str, ...]:
    """The four stems of a stem file, in its order.

    Raises:
        UsageError: the model has others.
    """
    stems, name = separator.stems(), separator.spec.name
    if len(stems) != STEMS or not separator.spec.separates_songs:
        what = ", ".join(stems) if separator.spec.separates_songs else "voices"
        raise UsageError(
            f"{STEM_FILE} holds the four stems of a song, and {name} gives {what}; choose a model with four stems, "
            "such as -m music-4, or another format."
        )
    return stem_order(stems)


def keep_recording(track: TrackPlan, path: Path) -> float:
    """Write the recording as float32 at the rate of the stems; returns its peak.

    Raises:
        AudioError: it cannot be read, or the disk refuses.
    """
    rate, channels = track.signal.written_rate, track.signal.channels
    with open_writer(path, rate, channels, OutputFormat("wav", "32f")) as writer:
        for block in recording(track.source, track.excerpt, rate, channels):  # (C, n)
            writer.write(block)
    return writer.peak


def write_together(
    track: TrackPlan, path: Path, mix: Path, stems: Mapping[str, Path], gain: float, progress: Callable[[float], None]
) -> None:
    """Bring the recording and its stems into one file, and delete their float files.

    Raises:
        AudioError: the disk refuses.
    """
    write_stem_file(path, mix, stems, track.fmt, gain=gain, tags=track.tags, progress=progress)
    for source in (mix, *stems.values()):
        source.unlink()
