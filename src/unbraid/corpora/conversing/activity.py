"""Where somebody speaks in a recording of one person, by its level in frames of 10 ms.

Speech is what lies well above the recording's noise. A pause of more than half a second ends a stretch of speech; a
shorter one belongs to it, as in the references of the NIST evaluations. Times are whole milliseconds.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unbraid.corpora.levels import Array
from unbraid.dsp.stretches import stretches

FRAME_MS = 10
PAUSE_MS = 500  # a longer one splits a stretch
SHORTEST_MS = 100  # less is a click
PAD_MS = 50  # before and after: soft beginnings and ends
_SMOOTHING = 5  # frames
_BELOW_SPEECH_DB = 30.0  # speech is at most so much below the loud frames of the recording
_ABOVE_NOISE_DB = 6.0  # and so much above the quiet ones
_LEAST_BELOW_DB = 12.0  # even where the quiet frames are speech, since nobody pauses
_QUIETEST = 1e-15  # the power of -150 dB

Span = tuple[int, int]  # from, to, in ms
Powers = NDArray[np.float64]


@dataclass(frozen=True)
class Activity:
    """The stretches of speech of a recording, in order, and the power of its frames."""

    spans: tuple[Span, ...]
    powers: Powers  # (N,), smoothed

    def rms(self, spans: Iterable[Span]) -> float:
        """The RMS of the recording in these stretches."""
        power = np.concatenate([self.powers[start // FRAME_MS : end // FRAME_MS] for start, end in spans])
        return float(np.sqrt(power.mean()))


def activity_of(blocks: Iterable[Array], sample_rate: int) -> Activity:
    """The activity of a recording, from blocks (1, n) of one second each."""
    found = [frame_powers(block[0], sample_rate) for block in blocks]
    powers = np.concatenate(found) if found else np.zeros(0)
    if not powers.any():
        return Activity((), powers)
    kernel = np.ones(_SMOOTHING) / _SMOOTHING
    powers = np.convolve(powers, kernel, "same")[: len(powers)]
    return Activity(tuple(_spans(_is_speech(powers))), powers)


def frame_powers(samples: Array, sample_rate: int) -> Powers:
    """The mean power (N,) of the whole frames of 10 ms in at most a second of samples (n,)."""
    edges = np.arange(1000 // FRAME_MS + 1) * sample_rate // (1000 // FRAME_MS)
    edges = edges[edges <= len(samples)]
    if edges.size < 2:
        return np.zeros(0)
    sums = np.add.reduceat(np.square(samples[: edges[-1]], dtype=np.float64), edges[:-1])
    return np.asarray(sums / np.diff(edges))


def pieces(activity: Activity, longest_ms: int) -> list[tuple[Span, ...]]:
    """The stretches in groups that last at most `longest_ms` from end to end; longer ones are cut where it is quiet."""
    groups: list[list[Span]] = []
    for span in (part for whole in activity.spans for part in _cut(whole, activity.powers, longest_ms)):
        if groups and span[1] - groups[-1][0][0] <= longest_ms:
            groups[-1].append(span)
        else:
            groups.append([span])
    return [tuple(group) for group in groups]


def _is_speech(powers: Powers) -> NDArray[np.bool_]:
    levels = 10 * np.log10(np.maximum(powers, _QUIETEST))  # (N,)
    quiet, loud = np.percentile(levels, (10, 95))
    return np.asarray(levels > max(loud - _BELOW_SPEECH_DB, min(quiet + _ABOVE_NOISE_DB, loud - _LEAST_BELOW_DB)))


def _spans(active: NDArray[np.bool_]) -> Iterator[Span]:
    """Runs of active frames, joined over short pauses, padded, without clicks."""
    last = len(active) * FRAME_MS
    for first, behind in stretches(active, PAUSE_MS // FRAME_MS + 1):
        start, end = first * FRAME_MS, behind * FRAME_MS
        if end - start >= SHORTEST_MS:
            yield max(0, start - PAD_MS), min(last, end + PAD_MS)


def _cut(span: Span, powers: Powers, longest_ms: int) -> Iterator[Span]:
    start, end = span
    while end - start > longest_ms:
        low, high = ((start + part) // FRAME_MS for part in (longest_ms // 2, longest_ms))
        at = FRAME_MS * (low + int(np.argmin(powers[low:high])))
        yield start, at
        start = at
    yield start, end
