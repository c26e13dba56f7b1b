"""Note events from the activations of notes and onsets: the decoding that Basic Pitch was published with.

An onset is a local maximum over time of the onset activations, which are raised where those of notes rise quickly. From
the last onset to the first, a note goes on until its activation has been below a threshold for a while, and takes the
activation of its pitch and of both neighbours away. Notes without an onset are then grown in both directions from
the largest activation that is left (the "Melodia trick"). Source: Bittner et al., arXiv 2203.09893, section 3; the
reference implementation is basic-pitch 0.4.0, whose events are equal on the same activations.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from unbraid.dsp.arrays import FloatArray
from unbraid.errors import UsageError

_RISE_FRAMES = 2  # over which an activation rises at an onset
_PAUSE_FRAMES = 11  # below the threshold, after which a note has ended


@dataclass(frozen=True)
class DecodingOptions:
    """Thresholds of activations, and the shortest note; the defaults were chosen on dev songs.

    The published ones are 0.5, 0.3 and 11; they find more notes that are not there, harmonics above all.

    Raises:
        UsageError: a threshold that is not between 0 and 1, or a negative length.
    """

    onset: float = 0.7
    sustain: float = 0.4
    least_frames: int = 6  # a note is longer: 70 ms

    def __post_init__(self) -> None:
        if not (0 < self.onset < 1 and 0 < self.sustain < 1):
            raise UsageError("Thresholds of notes are activations above 0 and below 1, such as 0.5.")
        if self.least_frames < 0:
            raise UsageError("The shortest note cannot be shorter than nothing; give 0 or more.")


class Event(NamedTuple):
    """A note in frames."""

    start: int
    end: int  # behind its last frame
    pitch: int  # index, from 0
    amplitude: float  # mean activation


def decode(notes: FloatArray, onsets: FloatArray, options: DecodingOptions = DecodingOptions()) -> list[Event]:
    """The notes of activations (N, P) of notes and onsets, in the order of their starts."""
    if len(notes) < 3 or not notes.any():
        return []
    left = notes.astype(np.float64)
    events = [*_from_onsets(notes, left, _raised(notes, onsets), options), *_from_maxima(notes, left, options)]
    return sorted(events)


def _raised(notes: FloatArray, onsets: FloatArray) -> npt.NDArray[np.float64]:
    """Onset activations (N, P), raised to how quickly the notes rise, scaled to the same maximum."""
    activations, rise = notes.astype(np.float64), np.full(notes.shape, np.inf)
    for frames in range(1, _RISE_FRAMES + 1):
        rise[frames:] = np.minimum(rise[frames:], activations[frames:] - activations[:-frames])
    rise[:_RISE_FRAMES] = 0
    rise = np.maximum(rise, 0)
    highest = rise.max()
    return np.maximum(onsets, rise * (onsets.max() / highest)) if highest > 0 else onsets.astype(np.float64)


def _from_onsets(
    notes: FloatArray, left: npt.NDArray[np.float64], onsets: npt.NDArray[np.float64], options: DecodingOptions
) -> list[Event]:
    """The notes that begin at onsets; their activations are taken from what is left."""
    inner = onsets[1:-1]
    peaks = (inner > onsets[:-2]) & (inner > onsets[2:]) & (inner >= options.onset)
    events = []
    for before, pitch in np.argwhere(peaks)[::-1]:
        start, last = int(before) + 1, len(notes) - 1
        sustained, below = _sustained(left[start + 1 : last, pitch], options.sustain)
        end = start + 1 + sustained - below
        if end - start <= options.least_frames:
            continue
        left[start:end, max(0, pitch - 1) : pitch + 2] = 0
        events.append(Event(start, end, int(pitch), float(np.mean(notes[start:end, pitch]))))
    return events


def _from_maxima(notes: FloatArray, left: npt.NDArray[np.float64], options: DecodingOptions) -> list[Event]:
    """The notes around the largest activations that are left, which are taken away."""
    highest, events, last = left.max(1), [], len(notes) - 1
    while highest[middle := int(highest.argmax())] > options.sustain:
        pitch = int(left[middle].argmax())
        left[middle, pitch] = 0
        forward, below_after = _sustained(left[middle + 1 : last, pitch], options.sustain)
        backward, below_before = _sustained(left[1:middle, pitch][::-1], options.sustain)
        beside = slice(max(0, pitch - 1), pitch + 2)
        left[middle + 1 : middle + 1 + forward, beside] = 0
        left[middle - backward : middle, beside] = 0
        touched = slice(max(0, middle - backward), middle + 1 + forward)
        highest[touched] = left[touched].max(1)
        start, end = middle - backward + below_before, middle + forward - below_after
        if end - start > options.least_frames:
            events.append(Event(start, end, pitch, float(np.mean(notes[start:end, pitch]))))
    return events


def _sustained(activations: npt.NDArray[np.float64], threshold: float) -> tuple[int, int]:
    """How many frames (n,) a note is followed, and how many of the last of them are below the threshold."""
    below = activations < threshold
    above = np.flatnonzero(~below)
    pauses = np.flatnonzero(np.diff(above, prepend=-1) - 1 >= _PAUSE_FRAMES)
    held = above[: pauses[0]] if len(pauses) else above  # up to the first long pause
    reached = int(held[-1]) + 1 if len(held) else 0
    pause = min(_PAUSE_FRAMES, len(below) - reached)
    return reached + pause, pause
