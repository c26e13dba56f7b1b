"""Stretches of frames in which something is true."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def stretches(active: NDArray[np.bool_], pause: int = 1) -> Iterator[tuple[int, int]]:
    """The stretches (start, end) of frames (N,) that are active; pauses of fewer frames than `pause` belong to them."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], active, [False])).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    if len(starts):
        apart = np.flatnonzero(starts[1:] - ends[:-1] >= pause)
        for start, end in zip(starts[[0, *(apart + 1)]], ends[[*apart, -1]], strict=True):
            yield int(start), int(end)
