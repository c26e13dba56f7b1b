"""The people of a recording that a network sees in one window: there, each voice has an output of its own.

An output is a voice if it is active for long enough. The thresholds were chosen on dev mixtures (docs/training-log.md).
"""

from collections.abc import Sequence

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.tasks.conversation.activity import FRAME_SECONDS, Activity
from unbraid.tasks.conversation.people import People, Voices

LEAST_SECONDS = 0.5  # of activity: less is a word that went astray
LEAST_SHARE = 0.05  # of the time in which anyone speaks: in a long window, more goes astray
MOST_SHARE = 0.2  # of that time, which is enough: in a short recording, nobody speaks for long


def voices_of(active: Activity, powers: FloatArray, bounds: tuple[int, int]) -> list[int]:
    """The outputs that hold a voice, of all their frames (S, N); at least and at most as many as `bounds` say.

    Where there are more, those that are active longest are taken. Of silence, it is the first output.
    """
    frames, spoken = active.sum(1), int(active.any(0).sum())
    least = np.clip(LEAST_SECONDS / FRAME_SECONDS, LEAST_SHARE * spoken, MOST_SHARE * spoken)
    count = min(max(int((frames >= max(least, 1)).sum()), bounds[0], 1), bounds[1], len(frames))
    power = powers.sum(1)
    return sorted(sorted(range(len(frames)), key=lambda output: (-frames[output], -power[output]))[:count])


def people_of(voices: Voices, outputs: Sequence[int]) -> People:
    """The people whose voices these outputs hold, one each; all pieces are of these outputs."""
    persons = np.array([outputs.index(piece.output) for piece in voices.pieces], np.int64)
    likeness = np.eye(len(outputs), dtype=np.float32)[persons]
    centres = np.zeros((len(outputs), voices.embeddings.shape[1]), np.float32)
    np.add.at(centres, persons, voices.embeddings * voices.weights[:, None])
    centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-12)
    return People(persons, likeness, centres)
