"""Scores of tracks against the people alone, in one pass and constant memory.

Recordings are read in steps of 2 s, of which only inner products are kept: of references and tracks with each other
and themselves. From these follow, exactly:

- the assignment of people to tracks with the least squared error, for the whole recording and for each 10 s;
- SI-SDR over the whole recording, with the one global assignment, and with the tracks spliced by the best local ones;
- the share of a person's speech, where nobody else speaks, that is on their track: ⟨r, e⟩ / ⟨r, r⟩ over that time. The
  shares of all tracks add up to one if the tracks add up to the recording;
- swaps: how often the track that has most of a person's speech is another one than before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from unbraid.corpora.rttm import Segment
from unbraid.dsp.metrics import Array, ratio_db
from unbraid.evaluation.conversation.assignment import NOBODY, best_assignment

STEP_SECONDS = 2
LOCAL_STEPS = 5  # 10 s, for the best local assignment
LEAST_SPOKEN = 0.25  # of a step, in which a person must speak for the step to tell their track
LEAST_SHARE = 0.5  # of their speech, that a track must have for the step to tell it

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class TrackScores:
    """The scores of the tracks of a conversation."""

    assignment: tuple[int, ...]  # the track of each person, -1 for none
    si_sdr_db: tuple[float, ...]  # of each person with the global assignment; NaN without a track
    local_db: tuple[float, ...]  # with the best local assignments
    alone_share: float  # of the speech of people who speak alone, on their track; NaN if nobody does
    swaps: int

    @property
    def missed(self) -> int:
        """The number of people without a track."""
        return sum(track == NOBODY for track in self.assignment)


@dataclass
class TrackStatistics:
    """The inner products of a conversation, step by step; R people, E tracks."""

    cross: list[Matrix] = field(default_factory=list)  # (R, E)
    references: list[Matrix] = field(default_factory=list)  # (R,) energies
    tracks: list[Matrix] = field(default_factory=list)  # (E,) energies
    reference_sums: list[Matrix] = field(default_factory=list)  # (R,)
    track_sums: list[Matrix] = field(default_factory=list)  # (E,)
    alone: list[Matrix] = field(default_factory=list)  # (R, E), where nobody else speaks
    alone_references: list[Matrix] = field(default_factory=list)  # (R,)
    spoken: list[Matrix] = field(default_factory=list)  # (R,), share of the step
    samples: int = 0

    def add(self, references: Array, tracks: Array, speaks: NDArray[np.bool_]) -> None:
        """Add a step: references (R, n), tracks (E, n), and whether each person speaks (R, n)."""
        r, e = np.asarray(references, np.float64), np.asarray(tracks, np.float64)
        only = r * (speaks & (speaks.sum(0) == 1))
        self.cross.append(r @ e.T)
        self.references.append(np.square(r).sum(-1))
        self.tracks.append(np.square(e).sum(-1))
        self.reference_sums.append(r.sum(-1))
        self.track_sums.append(e.sum(-1))
        self.alone.append(only @ e.T)
        self.alone_references.append(np.square(only).sum(-1))
        self.spoken.append(speaks.mean(-1))
        self.samples += r.shape[-1]

    def scores(self) -> TrackScores:
        """The scores so far."""
        cross = np.stack(self.cross)  # (W, R, E)
        assignment = best_assignment(cross.sum(0, keepdims=True))[0]  # (R,)
        starts = np.arange(0, len(cross), LOCAL_STEPS)
        local = np.repeat(best_assignment(np.add.reduceat(cross, starts)), LOCAL_STEPS, axis=0)[: len(cross)]  # (W, R)
        everywhere = np.broadcast_to(assignment, local.shape)
        has_track = assignment != NOBODY
        known, own = np.flatnonzero(has_track), assignment[has_track]
        mine = float(np.sum(self.alone, axis=0)[known, own].sum())
        every = float(np.sum(self.alone_references))
        return TrackScores(
            tuple(map(int, assignment)),
            tuple(np.where(has_track, self._si_sdr(everywhere), np.nan).tolist()),
            tuple(np.where(has_track, self._si_sdr(local), np.nan).tolist()),
            mine / every if every else float("nan"),
            self._swaps(cross),
        )

    def _si_sdr(self, assignment: NDArray[np.int64]) -> Matrix:
        """SI-SDR (R,) of tracks spliced by an assignment (W, R), means removed."""
        steps, people = np.ogrid[: assignment.shape[0], : assignment.shape[1]]
        there = assignment != NOBODY
        taken = np.where(there, assignment, 0)
        cross = (np.stack(self.cross)[steps, people, taken] * there).sum(0)  # (R,)
        energy = (np.stack(self.tracks)[steps, taken] * there).sum(0)
        total = (np.stack(self.track_sums)[steps, taken] * there).sum(0)
        s_energy, s_total = np.sum(self.references, axis=0), np.sum(self.reference_sums, axis=0)
        n = self.samples
        s, e, both = s_energy - s_total**2 / n, energy - total**2 / n, cross - s_total * total / n
        target = both**2 / np.where(s > 0, s, 1.0)
        return np.asarray(ratio_db(target, np.where(e > 0, np.maximum(e - target, 0), s)), np.float64)

    def _swaps(self, cross: Matrix) -> int:
        """How often people change their track, from one step that tells it to the next."""
        energy, spoken = np.stack(self.references), np.stack(self.spoken)  # (W, R)
        track, share = cross.argmax(-1), cross.max(-1) / np.where(energy > 0, energy, 1.0)
        telling = (spoken >= LEAST_SPOKEN) & (share >= LEAST_SHARE)
        return sum(int(np.count_nonzero(np.diff(track[telling[:, i], i]))) for i in range(track.shape[1]))


class SpeakingTimes:
    """When each of several people speaks, in samples."""

    def __init__(self, segments: Sequence[Segment], speakers: Sequence[str], sample_rate: int) -> None:
        self._people = len(speakers)
        self._who = np.array([speakers.index(segment.speaker) for segment in segments], int)
        times = [(segment.start, segment.end) for segment in segments]
        self._times = np.rint(np.array(times).reshape(-1, 2) * sample_rate).astype(int)  # (segments, 2)

    def between(self, start: int, end: int) -> NDArray[np.bool_]:
        """Whether each person speaks (R, n) at the samples from START to END."""
        speaks = np.zeros((self._people, end - start), bool)
        (here,) = np.nonzero((self._times[:, 0] < end) & (self._times[:, 1] > start))
        for i in here:
            first, last = self._times[i] - start
            speaks[self._who[i], max(0, first) : last] = True
        return speaks
