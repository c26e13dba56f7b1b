"""Pitches of MIDI and their frequencies in equal temperament: 69 is A4, 440 Hz."""

from typing import overload

import numpy as np
import numpy.typing as npt

Pitches = npt.NDArray[np.floating]
CONCERT_PITCH, CONCERT_HZ = 69, 440.0
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


@overload
def pitch_hz(pitch: float) -> float: ...
@overload
def pitch_hz(pitch: Pitches) -> Pitches: ...
def pitch_hz(pitch: float | Pitches) -> float | Pitches:
    """The frequency of a pitch of MIDI, fractions of a semitone included."""
    return CONCERT_HZ * 2 ** ((pitch - CONCERT_PITCH) / 12)


def pitch_of(hz: Pitches) -> Pitches:
    """The pitches of MIDI, fractions included, of frequencies (N,) above 0."""
    return CONCERT_PITCH + 12 * np.log2(hz / CONCERT_HZ)


def note_name(pitch: int) -> str:
    """The name of a pitch of MIDI: C#4; 60 is C4."""
    return f"{NAMES[pitch % 12]}{pitch // 12 - 1}"
