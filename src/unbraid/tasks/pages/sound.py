"""The sound of one signal on a page: a small mp3, which every browser plays, of the first minutes."""

import contextlib
import os
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from unbraid.audio import Resampler
from unbraid.audio.signals import undisturbed
from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.downmix import Downmix
from unbraid.files.printable import is_utf8

LIMIT_SECONDS = 12 * 60.0  # browsers hold it as floats: 12 minutes of a stereo stem are 140 MB
RATES = (16000, 24000)  # Hz: of mp3 those that every browser knows and that are small
_COMPRESSION = {1: 0.5, 2: 0.99}  # of LAME's variable bit rate: 38 kbit/s mono, 36 stereo, and little for silence


def page_rate(sample_rate: int) -> int:
    """The sample rate of a page's sound."""
    return RATES[0] if sample_rate <= RATES[0] else RATES[1]


def _target(path: Path) -> str | int:
    """The file for libsndfile: a name in UTF-8, or else an open file, which it closes."""
    return str(path) if is_utf8(path) else os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)


class Sound:
    """An mp3 that takes blocks (C, n) and stops at the limit; more than two channels are folded onto two."""

    def __init__(self, path: Path, sample_rate: int, channels: int, gain: float) -> None:
        import soundfile

        self._path, self._gain, self._channels = path, np.float32(gain), min(2, channels)
        self._resampler = Resampler(sample_rate, page_rate(sample_rate), self._channels)
        self._folds = Downmix(sample_rate), Downmix(sample_rate)
        self._left = round(LIMIT_SECONDS * page_rate(sample_rate))
        self._file = soundfile.SoundFile(
            _target(path), "w", page_rate(sample_rate), self._channels, "MPEG_LAYER_III", format="MP3",
            compression_level=_COMPRESSION[self._channels], bitrate_mode="VARIABLE",
        )  # fmt: skip

    def add(self, block: FloatArray) -> None:
        """Add a block."""
        if self._left > 0:
            if len(block) > 2:
                halves = (block[::2], block[1::2])
                block = np.concatenate([fold.section(half) for fold, half in zip(self._folds, halves, strict=True)])
            self._write(self._resampler(block * self._gain))

    def finish(self) -> bytes:
        """The whole file."""
        self._write(self._resampler.finish())
        self._close()
        return self._path.read_bytes()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _close(self) -> None:
        """Close it once: soundfile notes that it has after it has, and a signal between would have it freed twice."""
        from unbraid.audio.sndfile import close_for_good

        undisturbed(partial(close_for_good, self._file))

    def _write(self, block: FloatArray) -> None:
        block = block[:, : self._left]
        self._left -= block.shape[1]
        self._file.write(np.clip(block, -1, 1).T)
