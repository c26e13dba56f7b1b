"""Temporary audio on disk while a song is scored: the mixture for the separator, stems for a second pass."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from unbraid.audio import choose_format, open_writer
from unbraid.corpora.mixtures import Clip
from unbraid.corpora.songs import read_stereo
from unbraid.evaluation.music.scoring import Array


def pieces_of(samples: int, size: int) -> Iterator[tuple[int, int]]:
    """(start, samples) of each piece; only the last is shorter."""
    return ((start, min(size, samples - start)) for start in range(0, samples, size))


def write_mixture(path: Path, clips: Sequence[Clip], sample_rate: int, samples: int, size: int) -> None:
    """The sum of recordings as a stereo file of floats, a piece at a time."""
    with open_writer(path, sample_rate, 2, choose_format("wav", subtype="32f"), frames=samples) as writer:
        for start, count in pieces_of(samples, size):
            writer.write(read_stereo(clips, sample_rate, start / sample_rate, count / sample_rate))


class Spool:
    """References and estimates (S, C, n), written piece by piece, and read in frames as often as one likes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._shapes: list[tuple[int, ...]] = []

    def add(self, references: Array, estimates: Array) -> None:
        """Append a piece."""
        pair = np.stack((references, estimates)).astype(np.float32, copy=False)  # (2, S, C, n)
        self._shapes.append(pair.shape)
        with self._path.open("ab") as file:
            file.write(pair.tobytes())

    def frames(self, samples: int, stems: Sequence[int]) -> Iterator[tuple[Array, Array]]:
        """Pairs (S, C, samples) of some of the stems; every piece but the last must hold whole frames."""
        with self._path.open("rb") as file:
            for shape in self._shapes:
                pair = np.fromfile(file, np.float32, int(np.prod(shape))).reshape(shape)[:, list(stems)]
                for start in range(0, shape[-1], samples):
                    references, estimates = pair[..., start : start + samples]
                    yield references, estimates
