"""The stems of a run as files, in constant memory: all of them turned down by one gain where the format would clip.

Stems come side by side, block by block, and their peak is known at the end. So they are first kept as float32, then
brought into their format one after the other.
"""

from collections.abc import Iterable, Iterator, Mapping
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


class StemWriters:
    """Writes the stems of a run as they come, to temporary files of float32 in the folder WORK."""

    def __init__(self, signal: Signal, work: Path, opened: ExitStack) -> None:
        """Files are closed with the stack OPENED."""
        self._signal, self._work, self._opened = signal, work, opened
        self._writers: dict[str, Writer] = {}

    def __call__(self, block: Mapping[str, FloatArray]) -> None:
        """Take a block (C, n) of each stem."""
        for stem in [stem for stem in block if stem not in self._writers]:
            path, signal = self._place(len(self._writers)), self._signal
            writer = open_writer(path, signal.sample_rate, signal.channels, _FLOAT)
            self._writers[stem] = self._opened.enter_context(writer)
        for stem, writer in self._writers.items():
            writer.write(block[stem])

    def stems(self) -> "FloatStems":
        """All stems, once the files are closed.

        Raises:
            AudioError: there are none.
        """
        if not self._writers:
            raise AudioError("The recording has no audio.")
        peak = max(writer.peak for writer in self._writers.values())
        files = {stem: self._place(number) for number, stem in enumerate(self._writers)}
        return FloatStems(files, self._signal, 1 / max(peak, 1.0) if self._signal.fmt.clips else 1.0)

    def _place(self, number: int) -> Path:
        return self._work / f"{number}.wav"


@dataclass(frozen=True)
class FloatStems:
    """Stems as temporary files of float32, and the gain at which none of them clips."""

    files: dict[str, Path]  # stem: file
    signal: Signal
    gain: float

    @staticmethod
    def of(blocks: Iterable[Mapping[str, FloatArray]], signal: Signal, work: Path) -> "FloatStems":
        """The stems of a run, {stem: (C, n)} block by block, as files in the folder WORK.

        Raises:
            AudioError: there are no stems, or the disk refuses.
        """
        with ExitStack() as opened:
            write = StemWriters(signal, work, opened)
            for block in blocks:
                write(block)
        return write.stems()

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
