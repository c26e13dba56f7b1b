"""The data of a stems page from a recording and its stems on disk, in one pass and constant memory."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unbraid.audio import Excerpt, Reader
from unbraid.dsp.arrays import Blocks, FloatArray
from unbraid.dsp.overlap import regrouped
from unbraid.tasks.pages.lane import Lane
from unbraid.tasks.pages.sound import Sound
from unbraid.tasks.separation.stream import BLOCK_FRAMES, recording

AUDIBLE_DB = -60.0  # the residual is on the page only where it is above this, relative to the mixture
ROUNDING = 1e-5  # -100 dB
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

    @property
    def left_over_db(self) -> float:
        """The power of the residual, relative to the mixture's; -inf where there is none."""
        if self.left_over.power == 0:
            return -np.inf
        return float(10 * np.log10(self.left_over.power / self.mixture.power)) if self.mixture.power else np.inf


def gather(
    source: Path,
    excerpt: Excerpt,
    stems: Mapping[str, Path],
    gain: float = 1.0,
    progress: Callable[[float], None] = lambda _: None,
) -> Gathered:
    """Gather the data of stems (files of one rate and length, best in float) and of the recording they come from.

    `gain` is the gain of the sound, and `progress` is called with the seconds that are done.

    Raises:
        AudioError: a file cannot be read.
    """
    with contextlib.ExitStack() as stack:
        readers = {stem: stack.enter_context(Reader(path)) for stem, path in stems.items()}
        info = next(iter(readers.values())).info
        rate, channels, frames = info.sample_rate, info.channels, info.frames or 0
        lanes = {name: Lane(rate, channels, frames) for name in (MIXTURE, *stems, LEFT_OVER)}
        sounds = {name: Sound(rate, channels, gain) for name in stems}
        for whole, parts in _together(recording(source, excerpt, rate, channels), list(readers.values())):
            signals = {MIXTURE: whole, **dict(zip(stems, parts, strict=True)), LEFT_OVER: _left_over(whole, parts)}
            if LEFT_OVER not in sounds and signals[LEFT_OVER].any():
                sounds[LEFT_OVER] = _sound_after(lanes[LEFT_OVER].frames, rate, channels, gain)
            for name, signal in signals.items():
                lanes[name].add(signal)
            for name, sound in sounds.items():
                sound.add(signals[name])
            progress(lanes[MIXTURE].frames / rate)
        seen = {name: _seen(lane, sounds.get(name)) for name, lane in lanes.items()}
    mixture, left_over = seen.pop(MIXTURE), seen.pop(LEFT_OVER)
    return Gathered(mixture, seen, left_over, lanes[MIXTURE].frames / rate, rate)


def _seen(lane: Lane, sound: Sound | None) -> Seen:
    lane.finish()
    return Seen(lane.spectrogram(), lane.level(), lane.power, lane.span, None if sound is None else sound.finish())


def _sound_after(frames: int, sample_rate: int, channels: int, gain: float) -> Sound:
    """A sound that begins with so many samples of silence: most recordings have none to encode."""
    sound = Sound(sample_rate, channels, gain)
    for at in range(0, frames, BLOCK_FRAMES):
        sound.add(np.zeros((channels, min(BLOCK_FRAMES, frames - at)), np.float32))
    return sound


def _left_over(whole: FloatArray, parts: list[FloatArray]) -> FloatArray:
    """The mixture minus the stems (C, n); zero where that is no more than rounding, which is not worth a picture."""
    left = whole - sum(parts)
    rounding = np.abs(left).max(initial=0) <= ROUNDING * np.abs(whole).max(initial=0)
    return np.zeros_like(left) if rounding else np.asarray(left, np.float32)


def _together(mixture: Blocks, readers: list[Reader]) -> Iterator[tuple[FloatArray, list[FloatArray]]]:
    """Mixture and stems in blocks (C, n) of the same size, as far as all of them reach."""
    stems = zip(*(reader.blocks(BLOCK_FRAMES) for reader in readers), strict=True)
    for whole, parts in zip(regrouped(mixture, BLOCK_FRAMES), stems, strict=False):
        count = min(whole.shape[1], parts[0].shape[1])
        yield whole[:, :count], [part[:, :count] for part in parts]
