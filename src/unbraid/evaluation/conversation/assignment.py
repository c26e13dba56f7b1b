"""The best assignment of people to tracks, of which there may be more or fewer; for many windows at once."""

import numpy as np
from numpy.typing import NDArray

NOBODY = -1  # the track of a person who has none


def best_assignment(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """The track of each person, NOBODY for none, that maximises the sum of scores (W, R, E): (W, R).

    A person without a track scores 0. Dynamic programming over sets of people (Held and Karp, 1962): exact, in
    E · R · 2^R steps.
    """
    windows, people, tracks = scores.shape
    sets = np.arange(1 << people)
    best = np.zeros((windows, 1 << people))  # of each set of people, with the tracks so far
    chosen = np.full((tracks, windows, 1 << people), NOBODY, np.int8)  # the person who takes the track
    for track in range(tracks):
        before = best.copy()
        for person in range(people):
            having = sets[(sets >> person) & 1 == 1]
            with_track = before[:, having ^ (1 << person)] + scores[:, person, track, None]  # (W, sets)
            better = with_track > best[:, having]
            best[:, having] = np.where(better, with_track, best[:, having])
            chosen[track][:, having] = np.where(better, person, chosen[track][:, having])
    found = np.full((windows, people), NOBODY)
    left = np.full(windows, (1 << people) - 1)
    for track in reversed(range(tracks)):
        person = chosen[track][np.arange(windows), left].astype(np.int64)
        (rows,) = np.nonzero(person != NOBODY)
        found[rows, person[rows]] = track
        left[rows] ^= 1 << person[rows]
    return found
