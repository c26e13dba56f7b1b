"""The stems of a job as files, with their previews for the player."""

from collections.abc import Iterable
from pathlib import Path

from unbraid.audio import Reader
from unbraid.dsp.arrays import FloatArray
from unbraid.service.player import PlayerTrack, Preview
from unbraid.service.progress import JobProgress
from unbraid.tasks.separation.stem_files import FloatStems, Signal

SEPARATED = 0.85  # the share of a job that is over once its stems are there


def write_stems(
    blocks: Iterable[dict[str, FloatArray]], signal: Signal, folder: Path, work: Path, progress: JobProgress
) -> list[PlayerTrack]:
    """Write stems that come as blocks (C, n) into a folder, with their previews; WORK is for temporary files.

    Raises:
        AudioError: there are no stems, or the disk refuses.
    """
    return encode_stems(FloatStems.of(blocks, signal, work), folder, progress)


def encode_stems(stems: FloatStems, folder: Path, progress: JobProgress) -> list[PlayerTrack]:
    """Write stems into a folder in their format, with their previews.

    Raises:
        AudioError: the disk refuses.
    """
    tracks = []
    for number, stem in enumerate(stems.files):
        share = (1 - SEPARATED) / len(stems.files)
        progress.stage(SEPARATED + number * share, SEPARATED + (number + 1) * share)
        tracks.append(_encode(stem, stems, folder, progress))
    return tracks


def _encode(stem: str, stems: FloatStems, folder: Path, progress: JobProgress) -> PlayerTrack:
    signal = stems.signal
    preview = Preview(signal.sample_rate, signal.channels)
    with Reader(stems.files[stem]) as reader:
        total = (reader.frames or 0) / signal.sample_rate
    for block in stems.encode(stem, folder):
        preview.add(block)
        progress(preview.seconds, total)
    return preview.finish(folder, stem, stems.name(stem))
