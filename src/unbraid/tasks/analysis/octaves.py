"""Octave errors of a pitch track, mended by the likeliest path through each pitch, its lower and its upper octave.

For some frames a tracker takes the second harmonic, or half the pitch, for the pitch. In each frame the path may keep
the pitch or shift it by an octave, which costs as much as the tracker was confident; between two frames it pays for
each semitone by which it moves, up to a limit, since real leaps exist. A jump that comes back soon is mended, one that
stays is a leap. After Viterbi (IEEE Trans. Inf. Theory 13, 1967), as in pYIN (Mauch & Dixon, ICASSP 2014).
"""

import numpy as np
import numpy.typing as npt

Pitches = npt.NDArray[np.floating]
SHIFTS = np.array([0.0, -12.0, 12.0])  # semitones; the first keeps the pitch
SHIFT_COST = 1.0  # of a frame that is shifted, at full confidence
MOVE_COST, FREE_SEMITONES, MOST_SEMITONES = 1.5, 8.0, 12.0  # of a semitone; smaller moves are free


def mended(pitch: Pitches, confidence: npt.NDArray[np.float64]) -> Pitches:
    """Pitches (N,) of MIDI of one voiced passage, those that jump by an octave for a while shifted back."""
    if len(pitch) < 3:
        return pitch
    candidates = pitch[:, None] + SHIFTS  # (N, 3)
    here = np.where(SHIFTS == 0, 0.0, SHIFT_COST * confidence[:, None])
    cost, before = here[0], np.zeros((len(pitch), len(SHIFTS)), np.int8)
    for n in range(1, len(pitch)):
        moved = np.abs(candidates[n][:, None] - candidates[n - 1])  # (to, from)
        total = cost + MOVE_COST * np.clip(moved - FREE_SEMITONES, 0, MOST_SEMITONES - FREE_SEMITONES)
        before[n] = total.argmin(1)
        cost = total.min(1) + here[n]
    path = np.empty(len(pitch), np.int8)
    path[-1] = cost.argmin()
    for n in range(len(pitch) - 1, 0, -1):
        path[n - 1] = before[n, path[n]]
    return pitch + SHIFTS[path]
