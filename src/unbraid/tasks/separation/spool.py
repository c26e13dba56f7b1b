"""Stems that wait on disk: a network runs once, and its stems are read again with the recording.

    with spooled_stems() as spool:
        for stems in network(...):
            spool.write(stems)
        ...
        stems = spool.read(samples)

The file lies in a working folder below TMPDIR, which is deleted in every case; after a kill the next run does so (see
`files.workdir`). An hour of three voices at 8 kHz takes 0.35 GB for each channel.
"""

import contextlib
import math
import tempfile
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

import numpy as np

from unbraid.dsp.arrays import Blocks, FloatArray
from unbraid.errors import AudioError
from unbraid.files.workdir import disk_errors, temporary_folder


@contextlib.contextmanager
def spooled_stems() -> Iterator["Spool"]:
    """An empty spool, which is deleted afterwards.

    Raises:
        AudioError: the temporary folder is not writable.
    """
    with temporary_folder() as folder:
        with disk_errors(folder.parent, " with TMPDIR"):
            file = FileIO(folder / "stems", "w+")
        with file:
            yield Spool(file)


class Spool:
    """Stems in a file of float32, sample by sample; all are written before the first is read."""

    def __init__(self, file: FileIO) -> None:
        self._file = file
        self._written = self._read = 0  # bytes
        self._shape = (0, 0)  # (S, C)

    def write(self, stems: FloatArray) -> None:
        """Add stems (S, C, n), with the same S and C each time.

        Raises:
            AudioError: the disk is full.
        """
        self._shape = stems.shape[:2]
        data = memoryview(stems.transpose(2, 0, 1).astype(np.float32).tobytes())
        self._written += len(data)
        with disk_errors(Path(tempfile.gettempdir()), " with TMPDIR"):
            while data:  # a full disk may take part of it before it refuses
                data = data[self._file.write(data) :]

    def blocks(self, samples: int) -> Blocks:
        """All stems from the first sample on, in blocks (S, C, samples); the last may be shorter."""
        self._read, each = 0, 4 * math.prod(self._shape)  # bytes of a sample
        while self._read < self._written:
            yield self.read(min(samples, (self._written - self._read) // each))

    def read(self, samples: int) -> FloatArray:
        """The next stems (S, C, samples).

        Raises:
            AudioError: so many were never written.
        """
        stems = self._at(self._read, samples)
        self._read += stems.nbytes
        return stems

    def part(self, first: int, samples: int) -> FloatArray:
        """The stems (S, C, samples) from a sample on; `read` goes on where it was.

        Raises:
            AudioError: so many were never written.
        """
        return self._at(4 * math.prod(self._shape) * first, samples)

    def _at(self, place: int, samples: int) -> FloatArray:
        """The stems (S, C, samples) from a byte on."""
        outputs, channels = self._shape
        stems = np.empty((samples, outputs, channels), np.float32)
        if place + stems.nbytes > self._written:
            raise AudioError("The recording has grown while it was read. Separate it again once it is complete.")
        self._file.seek(place)
        rest = stems.reshape(-1).view(np.uint8).data
        while rest and (count := self._file.readinto(rest)):
            rest = rest[count:]
        if rest:
            raise AudioError(f"The stems in {tempfile.gettempdir()} were lost. Separate the recording again.")
        return np.ascontiguousarray(stems.transpose(1, 2, 0))
