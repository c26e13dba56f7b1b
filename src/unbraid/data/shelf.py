"""Pieces of recordings, quickly: what is slow to decode is decoded once and kept, as int16, as long as there is room.

A wav or flac file is entered where the piece begins. Opus, mp3 and their like cost ten times as much, and most cannot
be entered in the middle to the sample; a file of those is decoded whole. Every worker has a shelf of its own.
"""

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from unbraid.corpora.levels import Array
from unbraid.corpora.mixtures import Clip, Head, read_clip, read_head

ROOM_BYTES = 256 << 20  # four and a half hours at 8 kHz
_FULL_SCALE = 32767


class Shelf:
    """Clips at one sample rate. Their levels are left as they are stored (`Clip.rms` does not count)."""

    def __init__(self, sample_rate: int, room_bytes: int = ROOM_BYTES):
        self._sample_rate, self._room_bytes = sample_rate, room_bytes
        self._heads: dict[Clip, Head] = {}
        self._kept: OrderedDict[Clip, NDArray[np.int16]] = OrderedDict()  # the least recently used one comes first
        self._bytes = 0

    def samples(self, clip: Clip) -> int:
        """How long a clip is."""
        return self._head(clip).samples

    def piece(self, clip: Clip, start: int, samples: int) -> Array:
        """(≤ samples,) from the sample `start` of a clip on: fewer where it ends before."""
        head = self._head(clip)
        samples = min(samples, head.samples - start)
        if head.lossy and 2 * head.samples <= self._room_bytes:
            return self._whole(clip)[start : start + samples].astype(np.float32) / np.float32(_FULL_SCALE)
        return read_clip(clip.part(start / self._sample_rate, samples / self._sample_rate), self._sample_rate)

    def _head(self, clip: Clip) -> Head:
        if clip not in self._heads:
            self._heads[clip] = read_head(clip, self._sample_rate)
        return self._heads[clip]

    def _whole(self, clip: Clip) -> NDArray[np.int16]:
        if clip not in self._kept:
            audio = read_clip(Clip(clip.path, clip.start_seconds, clip.seconds), self._sample_rate)
            self._kept[clip] = np.rint(audio.clip(-1, 1) * _FULL_SCALE).astype(np.int16)
            self._bytes += self._kept[clip].nbytes
            while self._bytes > self._room_bytes:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        else:
            self._kept.move_to_end(clip)
        return self._kept[clip]
