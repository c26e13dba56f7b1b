"""The sound of one signal on a page: a small Opus file of the first minutes.

Opus at its lowest complexity takes a fifth of the time of mp3. Browsers know it in Ogg: Chromium, Firefox, and Safari
from 18.4 on. Each call of the encoder is a thread (see `undisturbed`), so it takes many seconds at a time.
"""

import io
from functools import partial

import numpy as np

from unbraid.audio import Resampler
from unbraid.audio.signals import undisturbed
from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.downmix import Downmix

LIMIT_SECONDS = 12 * 60.0  # browsers hold it as floats: 12 minutes of a stereo stem are 140 MB
RATES = (16000, 24000)  # Hz, of those that Opus has
_BIT_RATE = {1: 28000, 2: 40000}
_OPTIONS = {"compression_level": "0", "application": "lowdelay", "frame_duration": "120"}  # what is fast
_AT_ONCE_SECONDS = 10
_DITHER = 1e-5  # -100 dB: of digital silence the encoder computes with denormal numbers, which is 5 times as slow


def page_rate(sample_rate: int) -> int:
    """The sample rate of a page's sound."""
    return RATES[0] if sample_rate <= RATES[0] else RATES[1]


class Sound:
    """An Opus file in memory that takes blocks (C, n) and stops at the limit; more than two channels become two."""

    def __init__(self, sample_rate: int, channels: int, gain: float) -> None:
        import av

        self._gain, self._channels, self._rate = np.float32(gain), min(2, channels), page_rate(sample_rate)
        self._resampler = Resampler(sample_rate, self._rate, self._channels, "HQ")
        self._folds = Downmix(sample_rate), Downmix(sample_rate)
        self._dither = np.random.default_rng(0).normal(0, _DITHER, self._rate).astype(np.float32)
        self._waiting, self._ready = list[FloatArray](), 0  # blocks for the encoder, and their samples
        self._done, self._limit = 0, round(LIMIT_SECONDS * self._rate)
        self._file, self._frame = io.BytesIO(), av.AudioFrame
        self._container = av.open(self._file, "w", format="ogg")
        layout = "mono" if self._channels == 1 else "stereo"
        stream = self._container.add_stream("libopus", rate=self._rate, layout=layout, options=_OPTIONS)
        assert isinstance(stream, av.AudioStream)
        stream.bit_rate = _BIT_RATE[self._channels]
        self._stream = stream

    def add(self, block: FloatArray) -> None:
        """Add a block."""
        if self._done < self._limit:
            if len(block) > 2:
                halves = (block[::2], block[1::2])
                block = np.concatenate([fold.section(half) for fold, half in zip(self._folds, halves, strict=True)])
            self._write(self._resampler(block * self._gain))

    def finish(self) -> bytes:
        """The whole file."""
        self._write(self._resampler.finish())
        self._flush()
        undisturbed(self._close)
        return self._file.getvalue()

    def _write(self, block: FloatArray) -> None:
        block = block[:, : self._limit - self._done]
        if block.shape[1]:
            if np.abs(block).max() < _DITHER:
                block = np.broadcast_to(np.resize(self._dither, block.shape[1]), block.shape)
            self._waiting.append(block)
            self._done += block.shape[1]
            self._ready += block.shape[1]
            if self._ready >= _AT_ONCE_SECONDS * self._rate:
                self._flush()

    def _flush(self) -> None:
        """Encode what waits."""
        if self._ready:
            packed = np.concatenate(self._waiting, axis=1).T.reshape(1, -1)  # (1, n · C)
            at, self._waiting, self._ready = self._done - self._ready, [], 0
            undisturbed(partial(self._encode, packed, at))

    def _encode(self, packed: FloatArray, at: int) -> None:
        frame = self._frame.from_ndarray(packed, format="flt", layout=self._stream.layout.name)
        frame.sample_rate, frame.pts = self._rate, at
        self._container.mux(self._stream.encode(frame))

    def _close(self) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()
