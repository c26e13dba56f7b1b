"""Cuts what the outputs of a network say into pieces, each short enough that one person speaks in it.

An output may pass from one person to another, mostly where it pauses, and where one window of the network ends. So it
is cut at pauses, at seams of windows that disagree, and where a piece would be longer than `LONGEST`, at its softest
frame.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.stretches import stretches
from unbraid.tasks.conversation.activity import Activity

PAUSE = 2  # frames without activity that end a piece
LONGEST = 30  # frames
SHORTEST = 5  # frames, of the parts of a long one
AGREED_DB = 3.0  # of two windows where they overlap: less is two opinions


@dataclass(frozen=True)
class Piece:
    """A stretch in which an output is active."""

    output: int
    start: int  # frame
    end: int

    @property
    def frames(self) -> int:
        """How long it is."""
        return self.end - self.start

    def overlap(self, other: "Piece") -> int:
        """The frames that both have in common."""
        return max(0, min(self.end, other.end) - max(self.start, other.start))


@dataclass(frozen=True)
class Seam:
    """The middle of the overlap of two windows of a network."""

    sample: int
    agreement_db: tuple[float, ...]  # of each output: SNR of one window against the other


def cut(active: Activity, powers: FloatArray, seams: Sequence[Seam] = (), cell_samples: int = 1) -> list[Piece]:
    """The pieces of outputs with this activity (S, N) and these powers (S, N), output by output, in order of time.

    A frame has CELL samples.
    """
    found: list[Piece] = []
    for output in range(len(active)):
        edges = [round(seam.sample / cell_samples) for seam in seams if seam.agreement_db[output] < AGREED_DB]
        for start, end in stretches(active[output], PAUSE):
            inner = [edge for edge in edges if start < edge < end]
            for first, last in zip([start, *inner], [*inner, end], strict=True):
                found += [Piece(output, *part) for part in _parts(first, last, powers[output])]
    return found


def _parts(start: int, end: int, powers: FloatArray) -> Iterator[tuple[int, int]]:
    """A stretch in parts of at most LONGEST frames, cut where it is softest."""
    while end - start > LONGEST:
        first, last = start + LONGEST // 2, min(start + LONGEST, end - SHORTEST)
        middle = first + int(np.argmin(powers[first:last]))
        yield start, middle
        start = middle
    yield start, end
