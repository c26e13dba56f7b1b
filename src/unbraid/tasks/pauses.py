"""Cutting a recording at its pauses, into pieces that a network reads independently of each other.

A piece has a greatest length. Where more follows, it ends in the quietest third of a second of its second half, so
that no word is cut apart where there is a pause. Quiet of a second or more before a piece is left out.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from unbraid.dsp.arrays import Blocks, FloatArray

FRAMES = 100  # a second
PAUSE_FRAMES = 33
QUIET_DB, FAINT_DB = 40.0, -60.0  # below the loud parts of a piece, and of full scale: somebody far away is not quiet
LOUD = 95  # percentile of frames
LEAST_QUIET_SECONDS, KEPT_SECONDS = 1.0, 0.3  # of quiet that is left out, and of it what stays


class Piece(NamedTuple):
    """A part of a recording."""

    begin: int  # samples
    audio: FloatArray  # (n,)


class Ahead:
    """Audio that is read a window ahead."""

    def __init__(self, blocks: Blocks):
        self._blocks = iter(blocks)
        self._held: FloatArray = np.zeros(0, np.float32)

    def window(self, samples: int) -> FloatArray:
        """The next samples, as many as there are."""
        held, found = [self._held], len(self._held)
        while found < samples and (block := next(self._blocks, None)) is not None:
            held.append(block[0])
            found += len(block[0])
        self._held = np.concatenate(held) if len(held) > 1 else self._held
        return self._held[:samples]

    def move(self, samples: int) -> None:
        """Leave samples behind."""
        self._held = self._held[samples:]


def pieces(blocks: Blocks, longest: int, sample_rate: int) -> Iterator[Piece]:
    """Pieces of at most `longest` samples of blocks (1, n), one behind the other, in constant memory."""
    audio, place = Ahead(blocks), 0
    while len(window := audio.window(longest + 1)):
        moved = _quiet_before(window, sample_rate)
        if not moved:
            moved = len(window) if len(window) <= longest else _cut(window[:longest], sample_rate)
            yield Piece(place, window[:moved])
        audio.move(moved)
        place += moved


def _levels(window: FloatArray, sample_rate: int) -> FloatArray:
    """The mean power (N,) of each hundredth of a second."""
    frame = sample_rate // FRAMES
    return np.square(window[: len(window) // frame * frame].reshape(-1, frame)).mean(1)


def _quiet_before(window: FloatArray, sample_rate: int) -> int:
    """Samples at the beginning that are faint, and far softer than the rest, if they are many."""
    power = _levels(window, sample_rate)
    if not len(power):
        return 0
    least = min(float(np.percentile(power, LOUD)) * 10 ** (-QUIET_DB / 10), 10 ** (FAINT_DB / 10))
    loud = np.flatnonzero(power > least)
    quiet = (loud[0] if len(loud) else len(power)) / FRAMES
    return round((quiet - KEPT_SECONDS) * sample_rate) if quiet >= LEAST_QUIET_SECONDS else 0


def _cut(window: FloatArray, sample_rate: int) -> int:
    """Where a piece ends: in the middle of the quietest pause of the second half, of several the last one."""
    power = _levels(window, sample_rate)
    sums = np.convolve(power, np.ones(PAUSE_FRAMES), "valid")[len(power) // 2 :]
    last = len(sums) - 1 - int(sums[::-1].argmin())
    return min(len(window), round((len(power) // 2 + last + PAUSE_FRAMES / 2) * sample_rate / FRAMES))
