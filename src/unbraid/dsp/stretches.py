"""Stretches of frames in which something is true, and intervals of time."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Time = TypeVar("Time", int, float)


def stretches(active: NDArray[np.bool_], pause: int = 1) -> Iterator[tuple[int, int]]:
    """The stretches (start, end) of frames (N,) that are active; pauses of fewer frames than `pause` belong to them."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], active, [False])).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    if len(starts):
        apart = np.flatnonzero(starts[1:] - ends[:-1] >= pause)
        for start, end in zip(starts[[0, *(apart + 1)]], ends[[*apart, -1]], strict=True):
            yield int(start), int(end)


def joined(intervals: Iterable[tuple[Time, Time]], gap: float = 0) -> list[tuple[Time, Time]]:
    """Intervals (start, end) in order of time, those that overlap or are no further apart than a gap as one."""
    found: list[tuple[Time, Time]] = []
    for start, end in sorted(intervals):
        if found and start - found[-1][1] <= gap:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found
