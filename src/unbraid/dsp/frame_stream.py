"""Frames of a signal that comes in blocks: frame n is centred on sample n · hop, so N = ⌈T / hop⌉."""

import numpy as np

from unbraid.dsp.arrays import FloatArray


class FrameStream:
    """Cuts blocks (n,) into overlapping frames (m, size); `finish` gives those that reach past the end."""

    def __init__(self, size: int, hop: int) -> None:
        self._size, self._hop = size, hop
        self._waiting = np.zeros(size // 2, np.float32)

    def add(self, block: FloatArray) -> FloatArray:
        """The frames (m, size) that are complete with this block (n,), as a view that must not be changed."""
        samples = np.concatenate((self._waiting, block))
        count = max(0, (len(samples) - self._size) // self._hop + 1)
        self._waiting = samples[count * self._hop :]
        if not count:
            return np.zeros((0, self._size), np.float32)
        return np.lib.stride_tricks.sliding_window_view(samples, self._size)[:: self._hop][:count]

    def finish(self) -> FloatArray:
        """The last frames (m, size), with zeros behind the end."""
        left = len(self._waiting) - self._size // 2  # samples whose frames are still to come
        if left <= 0:
            return np.zeros((0, self._size), np.float32)
        count = -(-left // self._hop)
        return self.add(np.zeros((count - 1) * self._hop + self._size - len(self._waiting), np.float32))[:count]
