"""The parts of a recording whose voice is converted, and how they become one waveform again.

A part is a piece of speech or what lies between two of them, in whole frames. A decoder decides itself how long a
piece becomes; its spectrogram is stretched to the frames that the piece had, so that a recording keeps its length and
its pauses. Each piece gets the level that it had. Neighbouring parts are vocoded with frames of each other around
them, so that there is no seam.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from unbraid.dsp.arrays import FloatArray

FLOOR = -10.0  # the lowest level of the spectrogram, log10
RAMP_SECONDS = 0.02  # in which one part's gain becomes the next one's
FADE_SECONDS = 0.005  # beside silence
MOST_GAIN = 10.0
FAINTEST = 1e-6  # root mean square of a waveform that is as good as silent


@dataclass(frozen=True)
class Part:
    """A part of a recording: speech in a new voice, or silence."""

    levels: FloatArray  # (N, F)
    level: float = 0.0  # root mean square that it had; 0 where it is silent
    peak: float = 1.0  # largest magnitude that it may have


def silence(frames: int, bins: int) -> Part:
    """So many frames without speech."""
    return Part(np.full((frames, bins), FLOOR, np.float32))


def stretched(levels: FloatArray, frames: int) -> FloatArray:
    """Levels (N, F) in so many frames, interpolated between the middles of those that there are."""
    if len(levels) == frames:
        return levels
    place = (np.arange(frames) + 0.5) * len(levels) / frames - 0.5
    place = place.clip(0, len(levels) - 1)
    first = place.astype(np.int64).clip(0, max(0, len(levels) - 2))
    share = (place - first)[:, None].astype(np.float32)
    return (1 - share) * levels[first] + share * levels[np.minimum(first + 1, len(levels) - 1)]


def waveforms(
    parts: Iterable[Part], vocoder: Callable[[FloatArray], FloatArray], context: int, hop: int, sample_rate: int
) -> Iterator[FloatArray]:
    """The waveform (N·hop,) of each part, by a vocoder (N, F) -> (N·hop,) that sees `context` frames at most."""
    ramp, fade, gain = round(RAMP_SECONDS * sample_rate), round(FADE_SECONDS * sample_rate), 0.0
    for before, part, after in _with_neighbours(parts):
        frames = len(part.levels)
        if not part.level:
            gain = 0.0
            yield np.zeros(frames * hop, np.float32)
            continue
        lead = before.levels[-context:] if before else part.levels[:0]
        tail = after.levels[:context] if after else part.levels[:0]
        made = vocoder(np.concatenate((lead, part.levels, tail)))[len(lead) * hop :][: frames * hop]
        own = _gain(made, part)
        scaled = made * _gains(len(made), gain or own, own, ramp)
        if before is None or not before.level:
            scaled[:fade] *= np.linspace(0, 1, len(scaled[:fade]), dtype=np.float32)
        if after is None or not after.level:
            scaled[-fade:] *= np.linspace(1, 0, len(scaled[-fade:]), dtype=np.float32)
        gain = own
        yield scaled


def _gain(made: FloatArray, part: Part) -> float:
    """The gain that gives a waveform the level of its part, but no peak above that of the part."""
    power, peak = float(np.sqrt(np.mean(np.square(made, dtype=np.float64)))), float(np.abs(made).max())
    return min(part.level / max(power, FAINTEST), part.peak / max(peak, FAINTEST), MOST_GAIN)


def _gains(samples: int, first: float, last: float, ramp: int) -> FloatArray:
    """Gains (T,) from one to another in the first `ramp` samples."""
    gains = np.full(samples, last, np.float32)
    gains[:ramp] = np.linspace(first, last, len(gains[:ramp]), dtype=np.float32)
    return gains


def _with_neighbours(parts: Iterable[Part]) -> Iterator[tuple[Part | None, Part, Part | None]]:
    """Each part between the one before it and the one after it."""
    before: Part | None = None
    part: Part | None = None
    for after in parts:
        if part is not None:
            yield before, part, after
        before, part = part, after
    if part is not None:
        yield before, part, None
