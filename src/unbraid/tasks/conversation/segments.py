"""Segments, when each person speaks, from the pieces of their voices."""

from collections.abc import Sequence

import numpy as np

from unbraid.corpora.rttm import Segment
from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.stretches import stretches
from unbraid.tasks.conversation.activity import FRAME_SECONDS
from unbraid.tasks.conversation.people import People
from unbraid.tasks.conversation.pieces import Piece

EDGE_FRAMES = 1  # of soft speech at either end of a piece
PAUSE_FRAMES = 6  # 0.6 s: a longer pause ends a segment
STEEPNESS = 3.5  # of confidence over the margin; fitted to pieces of dev conversations that were assigned right
UNKNOWN = 0.5  # confidence of a piece that is too short to be told


def segments_of(
    pieces: Sequence[Piece], people: People, names: Sequence[str], frames: int, seconds: float
) -> list[Segment]:
    """The segments of all people in order of time; a person without any piece has none."""
    sure, found = confidences(people), list[Segment]()
    for person, name in enumerate(names):
        mine = [i for i, owner in enumerate(people.persons) if owner == person]
        speaks = np.zeros(frames, bool)
        for i in mine:
            speaks[max(0, pieces[i].start - EDGE_FRAMES) : pieces[i].end + EDGE_FRAMES] = True
        for start, end in stretches(speaks, PAUSE_FRAMES):
            inside = [i for i in mine if start <= pieces[i].start and pieces[i].end <= end + EDGE_FRAMES]
            weights = [pieces[i].frames for i in inside]
            confidence = round(float(np.average(sure[inside], weights=weights)), 3)
            times = round(start * FRAME_SECONDS, 3), round(min(end * FRAME_SECONDS, seconds), 3)
            found.append(Segment(*times, name, confidence))
    return sorted(found, key=lambda segment: (segment.start, segment.end))


def confidences(people: People) -> FloatArray:
    """How sure the person (P,) of each piece is, from 0 to 1: by how much more alike it is than to the next person."""
    count, persons = people.likeness.shape[1], np.maximum(people.persons, 0)
    if count == 1:
        return np.ones(len(persons), np.float32)
    own = np.take_along_axis(people.likeness, persons[:, None], 1)[:, 0]
    others = people.likeness.copy()
    np.put_along_axis(others, persons[:, None], -np.inf, 1)
    margin = (own - others.max(1)) / people.scale
    sure = 1 / (1 + np.exp(-STEEPNESS * margin))
    return np.where(people.likeness.any(1), sure, UNKNOWN).astype(np.float32)
