"""Sample-rate conversion through soxr (very high quality: -140 dB), whole or block by block, without delay.
What is only listened to does with high quality (-120 dB), which takes less time.

The length rule is ceil(T * to / from): no input is resampled to nothing, and the way back always yields at least T
samples, of which the first T are the original's. libsoxr rounds to nearest instead, so a few zeros are fed behind
the end and the surplus is cut.
"""

from typing import Literal

import numpy as np
import soxr

from unbraid.audio.arrays import ArrayLike, numbers_of
from unbraid.audio.info import Audio


def resampled_length(frames: int, from_rate: int, to_rate: int) -> int:
    """The number of samples after resampling `frames`."""
    return -(-frames * to_rate // from_rate)


class Resampler:
    """Blocks (C, n) in, blocks (C, m) out, then `finish()` once for the remaining samples."""

    def __init__(self, from_rate: int, to_rate: int, channels: int, quality: Literal["HQ", "VHQ"] = "VHQ") -> None:
        self.from_rate, self.to_rate, self.channels = from_rate, to_rate, channels
        same = from_rate == to_rate
        self._stream = None if same else soxr.ResampleStream(from_rate, to_rate, channels, "float32", quality)
        self._taken = self._given = 0

    def __call__(self, block: Audio) -> Audio:
        """The output that is ready after this block; may be empty."""
        self._taken += block.shape[1]
        if self._stream is None:
            return block
        ready = self._feed(block, last=False)
        self._given += ready.shape[1]
        return ready

    def finish(self) -> Audio:
        """The last samples; all blocks together have `resampled_length` of all that came in."""
        left = resampled_length(self._taken, self.from_rate, self.to_rate) - self._given
        if self._stream is None or self._taken == 0:
            return np.zeros((self.channels, 0), np.float32)
        padding = 1 + self.from_rate // self.to_rate
        tail = self._feed(np.zeros((self.channels, padding), np.float32), last=True)  # (C, m)
        assert tail.shape[1] >= left, (tail.shape, left)
        return tail[:, :left]

    def _feed(self, block: Audio, last: bool) -> Audio:
        assert self._stream is not None
        frames = np.ascontiguousarray(block.T, dtype=np.float32)  # (n, C)
        return np.ascontiguousarray(self._stream.resample_chunk(frames, last=last).T)  # (C, m)


def resample(audio: ArrayLike, from_rate: int, to_rate: int) -> Audio:
    """The whole (C, T) at another rate, (C, resampled_length)."""
    audio = numbers_of(audio, "Audio")
    if from_rate == to_rate:
        return np.array(audio, dtype=np.float32)
    resampler = Resampler(from_rate, to_rate, audio.shape[0])
    return np.concatenate([resampler(audio), resampler.finish()], axis=1)
