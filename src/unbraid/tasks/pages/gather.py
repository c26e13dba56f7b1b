"""The data of a stems page from a recording and its stems as they pass by, in constant memory."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from unbraid.audio import Resampler
from unbraid.dsp.arrays import Blocks, FloatArray
from unbraid.tasks.pages.lane import Lane
from unbraid.tasks.pages.sound import Sound
from unbraid.tasks.separation.stream import BLOCK_FRAMES, Track, Waiting

AUDIBLE_DB = -60.0  # the residual is on the page only where it is above this, relative to the mixture
ROUNDING = 1e-5  # -100 dB
HEADROOM = 0.125  # gain of the sound as it is encoded: an encoder clips what is far above full scale
MIXTURE, LEFT_OVER = "mixture", "left over"


@dataclass(frozen=True)
class Seen:
    """The data of one signal."""

    spectrogram: FloatArray  # (R, columns), power
    level: FloatArray  # (columns,), power
    power: float
    span: float  # of the columns, as a multiple of the length
    sound: bytes | None = None  # None: not to be heard


@dataclass(frozen=True)
class Gathered:
    """The data of a page."""

    mixture: Seen
    stems: dict[str, Seen]
    left_over: Seen  # the mixture minus the sum of the stems
    seconds: float
    sample_rate: int
    gain: float = 1.0  # that the sound is to be played with

    @property
    def left_over_db(self) -> float:
        """The power of the residual, relative to the mixture's; -inf where there is none."""
        if self.left_over.power == 0:
            return -np.inf
        return float(10 * np.log10(self.left_over.power / self.mixture.power)) if self.mixture.power else np.inf


class Gathering:
    """Gathers the data of a page while a recording is separated: its blocks go through `hear`, their stems to `add`."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        """For stems of so many channels."""
        self._rate, self._channels, self._frames = sample_rate, channels, 0
        self._waiting, self._peak = Waiting(), 0.0
        self._lanes, self._sounds = dict[str, Lane](), dict[str, Sound]()

    def hear(self, recording: Track) -> Blocks:
        """Give on the blocks (C, n) of the recording, and keep them until their stems come."""
        resampler = Resampler(recording.sample_rate, self._rate, recording.channels)
        self._frames = (recording.frames or 0) * self._rate // recording.sample_rate
        for block in recording.blocks():
            self._keep(resampler(block))
            yield block
        self._keep(resampler.finish())

    def add(self, stems: Mapping[str, FloatArray]) -> None:
        """Take the next block of stems (C, n)."""
        names = (MIXTURE, *stems, LEFT_OVER)
        if not self._lanes:
            self._lanes = {name: Lane(self._rate, self._channels, self._frames) for name in names}
            self._sounds = {name: Sound(self._rate, self._channels, HEADROOM) for name in stems}
        for whole, parts in self._waiting.pair(iter((np.stack(list(stems.values())),))):  # (C, n), (S, C, n)
            for name, signal in zip(names, (whole, *parts, self._left_over(whole, parts)), strict=True):
                if name == LEFT_OVER and LEFT_OVER not in self._sounds and signal.any():
                    self._sounds[LEFT_OVER] = self._silence_so_far()
                self._lanes[name].add(signal)
                if name in self._sounds:
                    self._sounds[name].add(signal)

    def finish(self, gain: float = 1.0) -> Gathered:
        """The data of all that was taken; `gain` is the gain of the sound."""
        seconds = self._lanes[MIXTURE].frames / self._rate
        seen = {name: _seen(lane, self._sounds.get(name)) for name, lane in self._lanes.items()}
        mixture, left_over = seen.pop(MIXTURE), seen.pop(LEFT_OVER)
        return Gathered(mixture, seen, left_over, seconds, self._rate, gain / HEADROOM)

    def _keep(self, block: FloatArray) -> None:
        self._waiting.put(np.broadcast_to(block, (self._channels, block.shape[1])))  # raw makes stereo of mono

    def _left_over(self, whole: FloatArray, parts: FloatArray) -> FloatArray:
        """The mixture minus the stems (C, n); zero where that is mere rounding, which is not worth a picture."""
        left = whole - parts.sum(0)
        self._peak = max(self._peak, float(np.abs(whole).max(initial=0)))
        return np.zeros_like(left) if np.abs(left).max(initial=0) <= ROUNDING * self._peak else left

    def _silence_so_far(self) -> Sound:
        """A sound that begins with silence: most recordings leave nothing over, and so have none to encode."""
        sound = Sound(self._rate, self._channels, HEADROOM)
        silence, left = np.zeros((self._channels, BLOCK_FRAMES), np.float32), self._lanes[LEFT_OVER].frames
        while left > 0:
            sound.add(silence[:, :left])
            left -= BLOCK_FRAMES
        return sound


def _seen(lane: Lane, sound: Sound | None) -> Seen:
    lane.finish()
    return Seen(lane.spectrogram(), lane.level(), lane.power, lane.span, None if sound is None else sound.finish())
