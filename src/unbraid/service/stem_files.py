"""The stems of a run as files, in constant memory: all of them turned down by one gain where the format would clip."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unbraid.audio import AudioInfo, OutputFormat, Reader, Writer, check_format, choose_format, open_writer
from unbraid.dsp.arrays import FloatArray
from unbraid.errors import AudioError
from unbraid.service.player import PlayerTrack, Preview
from unbraid.service.progress import JobProgress

_FLOAT = OutputFormat("wav", "32f")
SEPARATED = 0.85  # the share of a job that is over once its stems are there


@dataclass(frozen=True)
class Signal:
    """The signal of the stems, and the format of their files."""

    sample_rate: int  # Hz
    channels: int
    fmt: OutputFormat

    @classmethod
    def of(cls, fmt: str, info: AudioInfo, sample_rate: int, channels: int) -> "Signal":
        """The signal in a format of this name.

        Raises:
            AudioError: the format cannot hold it.
        """
        chosen = choose_format(fmt, info)
        check_format(chosen, sample_rate, channels)
        return cls(sample_rate, channels, chosen)


def write_stems(
    blocks: Iterable[dict[str, FloatArray]], signal: Signal, folder: Path, work: Path, progress: JobProgress
) -> list[PlayerTrack]:
    """Write stems that come as blocks (C, n) into a folder, with their previews; WORK is for temporary files.

    Raises:
        AudioError: there are no stems, or the disk refuses.
    """
    floats, peak = _as_floats(blocks, signal, work)
    if not floats:
        raise AudioError("The recording has no audio.")
    gain = np.float32(1 / max(peak, 1.0) if signal.fmt.clips else 1.0)
    tracks = []
    for number, (stem, path) in enumerate(floats.items()):
        share = (1 - SEPARATED) / len(floats)
        progress.stage(SEPARATED + number * share, SEPARATED + (number + 1) * share)
        tracks.append(_encode(stem, path, signal, folder, gain, progress))
        path.unlink()
    return tracks


def _as_floats(blocks: Iterable[dict[str, FloatArray]], signal: Signal, work: Path) -> tuple[dict[str, Path], float]:
    """The stems as temporary files of float32, and the peak of all."""
    with ExitStack() as opened:
        writers: dict[str, Writer] = {}
        for block in blocks:
            for stem in [stem for stem in block if stem not in writers]:
                path = work / f"{len(writers)}.wav"
                writers[stem] = opened.enter_context(open_writer(path, signal.sample_rate, signal.channels, _FLOAT))
            for stem, writer in writers.items():
                writer.write(block[stem])
    files = {stem: work / f"{number}.wav" for number, stem in enumerate(writers)}
    return files, max((writer.peak for writer in writers.values()), default=0.0)


def _encode(
    stem: str, source: Path, signal: Signal, folder: Path, gain: np.float32, progress: JobProgress
) -> PlayerTrack:
    place = folder / f"{stem}.{signal.fmt.name}"
    preview = Preview(signal.sample_rate, signal.channels)
    with Reader(source) as reader:
        total = (reader.frames or 0) / signal.sample_rate
        with open_writer(place, signal.sample_rate, signal.channels, signal.fmt, frames=reader.frames) as writer:
            for block in _scaled(reader, gain):
                writer.write(block)
                preview.add(block)
                progress(preview.seconds, total)
    return preview.finish(folder, stem, place.name)


def _scaled(reader: Reader, gain: np.float32) -> Iterator[FloatArray]:
    return (block if gain == 1 else block * gain for block in reader.blocks())  # (C, n)
