"""Levels of frames: mean powers of a signal that comes in blocks, and how they decide where a stem is heard."""

import numpy as np
import numpy.typing as npt

from unbraid.audio import Resampler
from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.downmix import Downmix

Powers = npt.NDArray[np.float64]
SILENT_DB = -60.0  # of full scale: nothing below it is heard
FAINT_DB = -20.0  # of a stem below its recording, over SPAN_SECONDS: it is what other stems leave in it
SPAN_SECONDS = 1.0
EDGE_FRAMES = 3  # over which silence is told, so that the frame of an onset is heard


class Mono:
    """Blocks (C, n) of a recording as mono blocks (n,) at another rate, and the powers of their frames."""

    def __init__(self, from_rate: int, to_rate: int, hop_samples: int) -> None:
        self._downmix, self._resampler = Downmix(from_rate), Resampler(from_rate, to_rate, 1)
        self._hop, self._rest, self._powers = hop_samples, np.zeros(0, np.float32), list[Powers]()
        self.samples = 0  # given so far

    def __call__(self, block: FloatArray) -> FloatArray:
        """The samples (m,) that are ready after this block (C, n)."""
        if not block.shape[1]:
            return block[0]
        return self._measured(self._resampler(self._downmix.section(block))[0])

    def finish(self) -> FloatArray:
        """The last samples (m,)."""
        return self._measured(self._resampler.finish()[0])

    def powers(self, frames: int) -> Powers:
        """The mean power of each of so many frames (N,), whose samples begin `hop_samples` apart; 0 behind the end."""
        powers = np.concatenate([*self._powers, [float(np.mean(self._rest**2))] if len(self._rest) else []])
        return np.pad(powers, (0, max(0, frames - len(powers))))[:frames]

    def _measured(self, mono: FloatArray) -> FloatArray:
        held = np.concatenate((self._rest, mono))
        whole = len(held) // self._hop * self._hop
        squares = held[:whole].astype(np.float64).reshape(-1, self._hop) ** 2
        self._powers.append(squares.mean(1))
        self._rest = held[whole:]
        self.samples += len(mono)
        return mono


def heard(stem: Powers, recording: Powers | None, frames_per_second: float) -> npt.NDArray[np.bool_]:
    """Where a stem is heard (N,): not silent, and not only a trace in its `recording`, if that is given."""
    audible = _mean(stem, EDGE_FRAMES) > 10 ** (SILENT_DB / 10)
    if recording is None:
        return audible
    span = max(1, round(SPAN_SECONDS * frames_per_second))
    return audible & (_mean(stem, span) > 10 ** (FAINT_DB / 10) * _mean(recording, span))


def _mean(powers: Powers, span: int) -> Powers:
    """Centred moving means; at the ends of fewer frames."""
    sums = np.concatenate(([0.0], np.cumsum(powers)))
    places = np.arange(len(powers))
    starts, ends = np.maximum(0, places - span // 2), np.minimum(len(powers), places + span // 2 + 1)
    return (sums[ends] - sums[starts]) / (ends - starts)
