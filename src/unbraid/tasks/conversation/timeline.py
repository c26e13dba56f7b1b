"""Who has which output of a network when: the plan by which the second pass writes a track for each person."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from unbraid.dsp.arrays import FloatArray
from unbraid.tasks.conversation.pieces import Piece

NOBODY = -1
BRIDGE_FRAMES = 20  # between two pieces of a person on one output that belong to them: there, others are louder
MARGIN_FRAMES = 3  # before and after a piece that belong to it: soft beginnings and ends, and pauses between words


@dataclass(frozen=True)
class Timeline:
    """The person who has each output in each frame.

    Gates change linearly from the middle of a frame to that of the next one, so that nothing clicks.
    """

    owners: NDArray[np.int8]  # (S, N), from 0; NOBODY where nobody has it
    people: int

    def gates(self, first: int, samples: int, cell_samples: float) -> FloatArray:
        """The share (K, S, samples) of each output that each person has, from a sample on; a frame has CELL samples."""
        here, there, place = self._between(first, samples, cell_samples)
        persons = np.arange(self.people)[:, None, None]
        now, then = self.owners[:, here] == persons, self.owners[:, there] == persons  # (K, S, n)
        return np.asarray(now * (1 - place) + then * place, np.float32)

    def claim(self, first: int, samples: int, cell_samples: float) -> FloatArray:
        """The share (samples,) of the recording that somebody has: 1 where anybody is active, less nearby."""
        here, there, place = self._between(first, samples, cell_samples)
        owned = (self.owners != NOBODY).any(0)
        return np.asarray(owned[here] * (1 - place) + owned[there] * place, np.float32)

    def _between(
        self, first: int, samples: int, cell_samples: float
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
        """The frames whose middles lie before and after each sample, and how far it is on its way."""
        middle = (first + np.arange(samples) + 0.5) / cell_samples - 0.5
        frame = np.floor(middle).astype(np.int64)
        last = self.owners.shape[1] - 1
        return np.clip(frame, 0, last), np.clip(frame + 1, 0, last), (middle - frame).astype(np.float32)


def timeline_of(pieces: Sequence[Piece], persons: Sequence[int], outputs: int, frames: int, people: int) -> Timeline:
    """The timeline of pieces and their persons; a margin belongs to the nearer piece of an output.

    So does a gap of up to two seconds between two pieces of one person.
    """
    owners = np.full((outputs, frames), NOBODY, np.int8)
    distance = np.full((outputs, frames), MARGIN_FRAMES + 1)
    for piece, person in zip(pieces, persons, strict=True):
        if person == NOBODY:
            continue
        first, last = max(0, piece.start - MARGIN_FRAMES), min(frames, piece.end + MARGIN_FRAMES)
        at = np.arange(first, last)
        away = np.maximum(np.maximum(piece.start - at, at - piece.end + 1), 0)
        nearer = away < distance[piece.output, first:last]
        owners[piece.output, first:last][nearer] = person
        distance[piece.output, first:last][nearer] = away[nearer]
    for row in owners:
        _bridge(row)
    return Timeline(owners, people)


def whole_outputs(pieces: Sequence[Piece], persons: Sequence[int], outputs: int, frames: int, people: int) -> Timeline:
    """The timeline where each output is one person's from the beginning to the end, or nobody's."""
    owners = np.full((outputs, frames), NOBODY, np.int8)
    for piece, person in zip(pieces, persons, strict=True):
        owners[piece.output] = person
    return Timeline(owners, people)


def _bridge(owners: NDArray[np.int8]) -> None:
    """Give short gaps in the owners (N,) of an output to the person who has it before and after."""
    owned = np.flatnonzero(owners != NOBODY)
    for start, end in pairwise(owned):
        if 1 < end - start <= BRIDGE_FRAMES and owners[start] == owners[end]:
            owners[start:end] = owners[start]
