"""The stems of a run as files, in constant memory: all of them turned down by one gain where the format would clip.

Stems come side by side, block by block, and their peak is known at the end. So they are first kept as float32, then
brought into their format one after the other.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from unbraid.audio import AudioInfo, OutputFormat, Reader, Writer, check_format, choose_format, open_writer
from unbraid.dsp.arrays import FloatArray
from unbraid.errors import AudioError

_FLOAT = OutputFormat("wav", "32f")


@dataclass(frozen=True)
class Signal:
    """The signal of the stems, and the format of their files."""

    sample_rate: int  # Hz
    channels: int
    fmt: OutputFormat

    @classmethod
    def of(cls, fmt: str, info: AudioInfo, sample_rate: int, channels: int) -> Self:
        """The signal in a format of this name.

        Raises:
            AudioError: the format cannot hold it.
        """
        chosen = choose_format(fmt, info)
        check_format(chosen, sample_rate, channels)
        return cls(sample_rate, channels, chosen)


@dataclass(frozen=True)
class FloatStems:
    """Stems as temporary files of float32, and the gain at which none of them clips."""

    files: dict[str, Path]  # stem: file
    signal: Signal
    gain: float

    @classmethod
    def of(cls, blocks: Iterable[dict[str, FloatArray]], signal: Signal, work: Path) -> Self:
        """The stems of a run, {stem: (C, n)} block by block, as files in the folder WORK.

        Raises:
            AudioError: there are no stems, or the disk refuses.
        """
        with ExitStack() as opened:
            writers: dict[str, Writer] = {}
            for block in blocks:
                for stem in [stem for stem in block if stem not in writers]:
                    path = work / f"{len(writers)}.wav"
                    writers[stem] = opened.enter_context(open_writer(path, signal.sample_rate, signal.channels, _FLOAT))
                for stem, writer in writers.items():
                    writer.write(block[stem])
        if not writers:
            raise AudioError("The recording has no audio.")
        peak = max(writer.peak for writer in writers.values())
        files = {stem: work / f"{number}.wav" for number, stem in enumerate(writers)}
        return cls(files, signal, 1 / max(peak, 1.0) if signal.fmt.clips else 1.0)

    def encode(self, stem: str, folder: Path) -> Iterator[FloatArray]:
        """Write a stem to FOLDER/stem.format, and delete its temporary file; blocks (C, n) come as they are written."""
        source, signal, factor = self.files[stem], self.signal, np.float32(self.gain)
        with (
            Reader(source) as reader,
            open_writer(
                folder / self.name(stem), signal.sample_rate, signal.channels, signal.fmt, frames=reader.frames
            ) as writer,
        ):
            for block in reader.blocks():  # (C, n)
                scaled = block if factor == 1 else block * factor
                writer.write(scaled)
                yield scaled
        source.unlink()

    def name(self, stem: str) -> str:
        """The name of a stem's file."""
        return f"{stem}.{self.signal.fmt.name}"
