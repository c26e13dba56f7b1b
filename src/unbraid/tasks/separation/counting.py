"""Counts the voices of a recording by the levels of a network's outputs, which are silent where nobody speaks.

    levels, activity = Levels(sample_rate), Activity(outputs)
    for stems in ...:                            # (S, C, n)
        activity.add(levels.add(stems))
    activity.add(levels.finish())
    activity.voices()                            # outputs, the one that speaks first in front

An output is a voice if it is active for long enough. What a network leaves of one voice on another output is soft
while that voice speaks, and gone when it pauses; so an output is active in a frame only where it is nearly as loud as
the loudest one of that frame, and the frame is not much softer than the speech of the recording. How loud that is, the
end of the recording tells; until then, frames are counted by their level, in constant memory. The thresholds were
chosen on dev mixtures (docs/training.md).
"""

import numpy as np

from unbraid.dsp.arrays import FloatArray

FRAME_SECONDS = 0.1  # half a syllable
WITHIN_DB = 6.0  # of the loudest output of a frame: leaks lie lower, and every voice comes this near at times
FLOOR_DB = 20  # below the speech of the recording: a breath, or noise in a pause, is no voice
LEAST_SECONDS = 0.5  # of activity: less is a word that went astray
LEAST_SHARE = 0.05  # of the time in which anyone speaks: in a long recording, more goes astray
MOST_SHARE = 0.2  # of that time, which is enough: in a short recording, nobody speaks for long
_QUIETEST_DB, _LOUDEST_DB = -150, 50  # the levels that are told apart, in whole dB


class Levels:
    """The power of each output in frames of `FRAME_SECONDS`, from blocks of any size."""

    def __init__(self, sample_rate: int) -> None:
        self._frame_samples = max(1, round(FRAME_SECONDS * sample_rate))
        self._rest = np.zeros((0, 0), np.float32)  # (S, n), the power of samples in the frame that is not complete

    def add(self, stems: FloatArray) -> FloatArray:
        """The frames (S, N) that stems (S, C, n) complete."""
        power = np.square(stems).mean(1)  # (S, n)
        power = np.concatenate((self._rest, power), axis=-1) if self._rest.size else power
        frames = power.shape[-1] // self._frame_samples
        whole, self._rest = np.split(power, [frames * self._frame_samples], axis=-1)
        return np.asarray(whole.reshape(len(power), frames, self._frame_samples).mean(-1))

    def finish(self) -> FloatArray:
        """The last frame (S, 1), which is shorter, or none."""
        return np.asarray(self._rest.mean(-1, keepdims=True)) if self._rest.size else self._rest


class Activity:
    """The frames in which each output is active, counted by the level of the frame."""

    def __init__(self, outputs: int) -> None:
        levels = _LOUDEST_DB - _QUIETEST_DB + 1
        self._frames = 0  # until now
        self._spoken = np.zeros(levels, int)  # frames that are not silent
        self._energy = np.zeros(levels)  # of the loudest output in them
        self._active = np.zeros((outputs, levels), int)  # frames in which an output is nearly as loud as the loudest
        self._begins = np.full((outputs, levels), np.inf)  # the first of them
        self._power = np.zeros(outputs)  # over all frames

    def add(self, powers: FloatArray) -> None:
        """Add the next frames (S, N)."""
        first, self._frames = self._frames, self._frames + powers.shape[-1]
        (sounding,) = powers.max(0, initial=0).nonzero()
        powers = powers[:, sounding]
        top = powers.max(0, initial=0)  # (N,)
        level = np.clip(np.floor(10 * np.log10(top)), _QUIETEST_DB, _LOUDEST_DB).astype(int) - _QUIETEST_DB
        np.add.at(self._spoken, level, 1)
        np.add.at(self._energy, level, top)
        for output, active in enumerate(powers >= top * 10 ** (-WITHIN_DB / 10)):
            np.add.at(self._active[output], level[active], 1)
            np.minimum.at(self._begins[output], level[active], first + sounding[active])
            self._power[output] += powers[output].sum(dtype=np.float64)

    def voices(self) -> list[int]:
        """The outputs that hold a voice, the one that speaks first in front; at least one, of silence the first."""
        frames, spoken = self._seen(self._active).sum(-1), self._seen(self._spoken).sum()  # (S,), ()
        least = np.clip(LEAST_SECONDS / FRAME_SECONDS, LEAST_SHARE * spoken, MOST_SHARE * spoken)
        found = [output for output, count in enumerate(frames) if count >= max(least, 1)]
        return self._in_order(found) if found else self.longest(1)

    def longest(self, count: int) -> list[int]:
        """As many outputs, those that are active longest, the one that speaks first in front."""
        frames = self._seen(self._active).sum(-1)
        return self._in_order(sorted(range(len(frames)), key=lambda i: (-frames[i], -self._power[i]))[:count])

    def _in_order(self, outputs: list[int]) -> list[int]:
        """Outputs by the frame in which they begin; where that is the same, the louder one first."""
        begins = self._seen(self._begins).min(-1)
        return sorted(outputs, key=lambda output: (begins[output], -self._power[output]))

    def _seen(self, counts: np.ndarray) -> np.ndarray:
        """What was counted (…, levels) in frames that are not much softer than speech.

        Half of the energy is in frames as loud as speech or louder, however long the pauses are.
        """
        louder = np.cumsum(self._energy[::-1])[::-1]  # energy at a level and above
        speech = int(np.flatnonzero(louder >= louder[0] / 2)[-1])
        return counts[..., max(0, speech - FLOOR_DB) :]
