"""The edges of words, from the level of the recording: CTC says when a symbol is recognised, not how long it sounds.

A symbol is recognised at one step or two somewhere within its sound. A word therefore ends where its sound falls by
25 dB, or half way to the level around it where that is higher, or at the next word. Where each symbol is a word, as
with digits, it also begins where its sound does.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from unbraid.dsp.arrays import Blocks

FRAME_SECONDS = 0.01
FALL_DB = 25.0  # below the loudest part of a word
FLOOR = 0.1  # quantile of the level around a word that is not the word's
LEAST_DB = 6.0  # of the word above that; else its edges cannot be told, and it keeps its steps
REST_SECONDS = 0.04  # of lower level that end a word: a stop inside a word is shorter
MOST_SECONDS = 0.5  # that a word is extended by at most

Times = tuple[float, float]  # start and end in seconds


class Levels:
    """The level of audio in frames of 10 ms, measured while it passes."""

    def __init__(self, sample_rate: int):
        """`sample_rate` is that of the audio, in Hz."""
        self._frame = max(1, round(FRAME_SECONDS * sample_rate))
        self.frame_seconds = self._frame / sample_rate
        self._rate, self._samples = sample_rate, 0
        self._powers: list[NDArray[np.float32]] = []
        self._rest = np.zeros(0, np.float32)

    def over(self, blocks: Blocks) -> Blocks:
        """The blocks (1, n), unchanged."""
        for block in blocks:
            self._samples += block.shape[1]
            samples = np.concatenate((self._rest, block[0]))
            whole = len(samples) // self._frame * self._frame
            self._powers.append(np.square(samples[:whole]).reshape(-1, self._frame).mean(1).astype(np.float32))
            self._rest = samples[whole:]
            yield block

    @property
    def seconds(self) -> float:
        """How much audio has passed."""
        return self._samples / self._rate

    def db(self) -> NDArray[np.float32]:
        """The level (N,) of each frame, in dB."""
        powers = np.concatenate(self._powers or [np.zeros(0, np.float32)])
        return np.asarray(10 * np.log10(powers + 1e-10), np.float32)


def with_edges(words: Sequence[Times], levels: Levels, *, starts: bool) -> list[Times]:
    """The times of words, in order, extended to the edges of their sound: their ends, and `starts` too."""
    db, frame = levels.db(), levels.frame_seconds
    if not len(words) or not len(db):
        return list(words)
    spans = [(int(start / frame), max(int(start / frame) + 1, round(end / frame))) for start, end in words]
    most, found = round(MOST_SECONDS / frame), [list(times) for times in words]
    for i, (first, last) in enumerate(spans):
        before = spans[i - 1][1] if i else 0
        after = spans[i + 1][0] if i + 1 < len(spans) else len(db)
        near = db[max(before, first - most // 3) : min(after, last + most // 3)]
        if not len(near):
            continue
        around = db[max(0, first - 3 * most) : last + 3 * most]
        peak, floor = float(near.max()), float(np.quantile(around, FLOOR))
        if peak - floor < LEAST_DB:
            continue
        loud = db > max(peak - FALL_DB, (peak + floor) / 2)
        end = last + _reach(loud[last : min(after, last + most)], is_next=after < last + most)
        if starts:
            begin = first - _reach(loud[max(before, first - most) : first][::-1], is_next=before > first - most)
            found[i][0] = min(found[i][0], begin * frame)
            if end >= after and i + 1 < len(spans):  # one sound: they part where it is softest
                end = last + int(db[last:after].argmin()) if after > last else last
            if begin <= before and i:
                found[i][0] = max(found[i][0], found[i - 1][1])
        found[i][1] = max(found[i][1], min(end, after) * frame)
    return _apart(found)


def _reach(loud: NDArray[np.bool_], *, is_next: bool) -> int:
    """How many frames (n,) a sound goes on for, until it rests or the next word comes; 0 if it does neither."""
    rest = max(1, round(REST_SECONDS / FRAME_SECONDS))
    quiet = 0
    for n, is_loud in enumerate(loud):
        quiet = 0 if is_loud else quiet + 1
        if quiet == rest:
            return n + 1 - rest
    return len(loud) - quiet if is_next else 0


def _apart(times: Sequence[Sequence[float]]) -> list[Times]:
    """Times, none of which ends after the next one starts."""
    ends = [min(one[1], two[0]) for one, two in pairwise(times)] + [times[-1][1]]
    return [(one[0], max(one[0], end)) for one, end in zip(times, ends, strict=True)]
