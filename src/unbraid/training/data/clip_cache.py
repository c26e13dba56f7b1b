"""A cache of decoded recordings: lossy files are decoded once and kept as int16 while there is room.

wav and flac files are read from the start of the piece. Vorbis, mp3 and the like take ten times as long, and most do
not allow sample-exact seeking; such a file is decoded whole, block by block. Every worker has its own cache.
"""

import dataclasses
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from unbraid.audio import Resampler
from unbraid.corpora.levels import Array
from unbraid.corpora.mixtures import Clip, Head, opened, read_clip, read_head
from unbraid.corpora.songs import read_stereo
from unbraid.errors import AudioError

ROOM_BYTES = 256 << 20  # four and a half hours at 8 kHz
_FULL_SCALE = 32767


class Shelf:
    """Clips at one sample rate, mono or stereo. Their levels are left as they are stored (`Clip.rms` does not count).

    With two channels, a mono recording is heard on both. `keep_all`: what is quick to decode is kept, too.
    """

    def __init__(self, sample_rate: int, channels: int = 1, room_bytes: int = ROOM_BYTES, *, keep_all: bool = False):
        self._sample_rate, self._channels, self._room_bytes = sample_rate, channels, room_bytes
        self._keep_all = keep_all
        self._heads: dict[Clip, Head] = {}
        self._kept: OrderedDict[Clip, NDArray[np.int16]] = OrderedDict()  # the least recently used one comes first
        self._bytes = 0

    def checked(self, clip: Clip) -> int:
        """The length of a clip, at least one sample.

        Raises:
            AudioError: by its header it cannot be read, has more channels, or holds nothing.
        """
        if not (samples := self.samples(clip)):
            raise AudioError(f"{clip.path} holds no samples.")
        return samples

    def samples(self, clip: Clip) -> int:
        """The length of a clip in samples."""
        return self._head(clip).samples

    def piece(self, clip: Clip, start: int, samples: int) -> Array:
        """(C, ≤ samples) from the sample `start` of a clip on: fewer where it ends before."""
        head = self._head(clip)
        samples = min(samples, head.samples - start)
        if samples <= 0:
            return np.zeros((self._channels, 0), np.float32)
        if (head.lossy or self._keep_all) and 2 * self._channels * head.samples <= self._room_bytes:
            audio = self._whole(clip)[:, start : start + samples].astype(np.float32) / np.float32(_FULL_SCALE)
            return audio if len(audio) == self._channels else audio.repeat(self._channels, axis=0)
        begin, seconds = start / self._sample_rate, samples / self._sample_rate
        if self._channels == 1:
            return read_clip(clip.part(begin, seconds), self._sample_rate)[None]
        return read_stereo((clip,), self._sample_rate, begin, seconds)

    def _head(self, clip: Clip) -> Head:
        if clip not in self._heads:
            self._heads[clip] = read_head(clip, self._sample_rate, self._channels)
        return self._heads[clip]

    def _whole(self, clip: Clip) -> NDArray[np.int16]:
        """(C, T), with the channels that are stored."""
        if clip in self._kept:
            self._kept.move_to_end(clip)
        else:
            self._kept[clip] = self._decoded(clip)
            self._bytes += self._kept[clip].nbytes
            while self._bytes > self._room_bytes:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return self._kept[clip]

    def _decoded(self, clip: Clip) -> NDArray[np.int16]:
        with opened(dataclasses.replace(clip, rms=None), self._channels) as reader:
            resampler = Resampler(reader.info.sample_rate, self._sample_rate, reader.info.channels)
            blocks = [_packed(resampler(block)) for block in reader.blocks()]
        return np.concatenate([*blocks, _packed(resampler.finish())], axis=1)


def _packed(audio: Array) -> NDArray[np.int16]:
    packed: NDArray[np.int16] = np.rint(audio.clip(-1, 1) * _FULL_SCALE).astype(np.int16)
    return packed
