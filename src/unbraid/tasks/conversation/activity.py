"""Where each output of a separation network is active, by its level in frames of 0.1 s.

What a network leaves of one voice on another output is soft while that voice speaks, and gone when it pauses. So an
output is active in a frame only where it is nearly as loud as the loudest one of that frame, and where the frame is not
much softer than the speech of the recording. The thresholds were chosen on dev mixtures (docs/training-log.md).

Two people who talk at once are seldom equally loud in the same tenth of a second: one has a syllable where the other
takes a breath. Where people are followed through a recording, outputs are therefore compared by their levels over half
a second, and with a wider limit: what is left of another voice is then told by its speaker embedding. These thresholds
were chosen on dev conversations (docs/conversations.md).
"""

import numpy as np
from numpy.typing import NDArray

from unbraid.dsp.arrays import FloatArray

Activity = NDArray[np.bool_]  # (S, N)

FRAME_SECONDS = 0.1  # half a syllable
WITHIN_DB = 6.0  # of the loudest output of a frame: leaks lie lower, and every voice comes this near at times
FLOOR_DB = 20.0  # below the speech of the recording: a breath, or noise in a pause, is no voice
SMOOTH_FRAMES = 5  # over which levels are compared where people are followed
SMOOTH_WITHIN_DB = 10.0  # of the loudest output over these frames
SOFTEST_DB = 25.0  # below the speech of the recording, of a frame of an output
AT_ONCE_SHARE = 0.05  # of the time of speech: of one voice 0, of two that overlap throughout 0.25 or more (dev)


class Levels:
    """The power of each output in frames, from blocks of any size."""

    def __init__(self, sample_rate: int) -> None:
        self._frame_samples = frame_samples(sample_rate)
        self._rest = np.zeros((0, 0), np.float32)  # (S, n), the power of samples in the frame that is not complete
        self._frames: list[FloatArray] = []  # (S, N) each: 12 bytes for 0.1 s of three outputs

    def add(self, stems: FloatArray) -> None:
        """Add stems (S, C, n)."""
        power = np.square(stems).mean(1)  # (S, n)
        power = np.concatenate((self._rest, power), axis=-1) if self._rest.size else power
        frames = power.shape[-1] // self._frame_samples
        whole, self._rest = np.split(power, [frames * self._frame_samples], axis=-1)
        self._frames.append(whole.reshape(len(power), frames, self._frame_samples).mean(-1))

    def finish(self) -> FloatArray:
        """All frames (S, N); the last one may be shorter than the others."""
        last = [self._rest.mean(-1, keepdims=True)] if self._rest.size else []
        return np.concatenate([*self._frames, *last], axis=-1)


def frame_samples(sample_rate: int) -> int:
    """The length of a frame in samples."""
    return max(1, round(FRAME_SECONDS * sample_rate))


def active(powers: FloatArray) -> Activity:
    """The frames (S, N) in which each output is active, of their powers (S, N)."""
    return _near_the_loudest(powers, WITHIN_DB) & _has_speech(powers.max(0, initial=0), FLOOR_DB)


def active_over_time(powers: FloatArray) -> Activity:
    """The same (S, N) by levels over half a second, of powers (S, N) of a recording in which people are followed."""
    top = powers.max(0, initial=0)  # (N,)
    not_too_soft = powers >= _speech_power(top) * 10 ** (-SOFTEST_DB / 10)
    return _near_the_loudest(_smooth(powers), SMOOTH_WITHIN_DB) & not_too_soft & _has_speech(top, FLOOR_DB)


def voices_at_once(activity: Activity) -> int:
    """How many voices are heard at the same time, for a share of the time of speech, in an activity (S, N)."""
    together = activity.sum(0)  # (N,)
    least = max(1.0, AT_ONCE_SHARE * np.count_nonzero(together))
    return max((k for k in range(1, len(activity) + 1) if np.count_nonzero(together >= k) >= least), default=0)


def _near_the_loudest(powers: FloatArray, within_db: float) -> Activity:
    return np.asarray(powers >= powers.max(0, initial=0) * 10 ** (-within_db / 10))


def _has_speech(top: FloatArray, floor_db: float) -> Activity:
    """The frames (N,) in which the loudest output is not much softer than the speech."""
    return (top > 0) & (top >= _speech_power(top) * 10 ** (-floor_db / 10))


def _smooth(powers: FloatArray) -> FloatArray:
    """The sum of powers (S, N) over the frames around each."""
    side, frames = SMOOTH_FRAMES // 2, powers.shape[1]
    padded = np.pad(powers, ((0, 0), (side, side)))
    return np.asarray(sum(padded[:, first : first + frames] for first in range(SMOOTH_FRAMES)))


def _speech_power(top: FloatArray) -> float:
    """The level of the speech: half of the energy is in frames as loud or louder, however long the pauses are."""
    if not top.size:
        return 0.0
    falling = np.sort(top)[::-1].astype(np.float64)
    energy = np.cumsum(falling)
    return float(falling[np.searchsorted(energy, energy[-1] / 2)])
