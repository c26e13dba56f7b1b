"""Finds the people of a recording, and whose voice each piece is, from pieces of its outputs and their embeddings.

1. Pieces of half a second or longer are clustered; clusters with too little speech are nobody of their own.
2. Each person is the mean embedding of their pieces, taken twice: the second time of the pieces nearest to them.
3. The pieces of each output are assigned in order of time, by the best path (Viterbi): a piece costs the more the less
   it is like the person, and a change of person costs the more the shorter the pause before it is.
4. Pieces without an embedding go to the person of the nearest piece: on their own output, or else on any.

The thresholds were chosen on dev conversations with the model `voice` (docs/conversations.md). Another model's cosines
lie closer together or further apart. From its spec we know from which one on two pieces are of one speaker, and what
differences of cosines mean follows: those of `voice` times `scale`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from unbraid.dsp.arrays import FloatArray
from unbraid.hub.spec import ModelSpec
from unbraid.tasks.conversation.clustering import Labels, Limits, cluster
from unbraid.tasks.conversation.pieces import Piece

MOST_PEOPLE = 20
ANCHOR_FRAMES = 5  # of pieces that people are found by; some people say single words only
ALIKE = 0.25  # clusters that are more alike are one person
AT_ONCE = 0.1  # likeness that two pieces lose by being heard at the same time
AT_ONCE_FRAMES = 5  # in which both must be active for that
LEAST_FRAMES = 60.0  # of speech of a person, weighted; less is a voice that was separated badly
LEAST_SHARE = 0.1  # of all, which is enough in a short recording
CHANGE = 2.0  # cost of a change of person without a pause; in frames times cosine
PAUSE_FRAMES = 10  # after which a change costs nothing
NEAR_FRAMES = 3  # between a short piece and its neighbour on the same output


@dataclass(frozen=True)
class Voices:
    """The pieces of all outputs, in the order of `pieces.cut`, and their embeddings."""

    pieces: Sequence[Piece]
    embeddings: FloatArray  # (P, D), of length 1; zeros where a piece is too short
    weights: FloatArray  # (P,): frames, the fewer the more other outputs sound at the same time
    scale: float = 1.0  # of differences of cosines, see `scale_of`

    @property
    def known(self) -> NDArray[np.bool_]:
        """The pieces (P,) that have an embedding."""
        return np.asarray(self.embeddings.any(1))


@dataclass(frozen=True)
class People:
    """The people of a recording: who speaks each piece, and how sure that is."""

    persons: Labels  # (P,), from 0
    likeness: FloatArray  # (P, K): of each piece to each person; zeros where a piece is too short
    centres: FloatArray  # (K, D): the embedding of each person, of length 1
    scale: float = 1.0  # of differences of likeness


def scale_of(spec: ModelSpec) -> float:
    """How much a difference of cosines of a model of speaker embeddings is, compared with one of `voice`."""
    return 1.0 if spec.same_speaker is None else (1 - spec.same_speaker) / (1 - ALIKE)


def as_alike(cosine: float, scale: float) -> float:
    """The cosine that means what this one means with `voice`."""
    return 1 - scale * (1 - cosine)


def find_people(voices: Voices, bounds: tuple[int, int]) -> People:
    """The people of these pieces, at least and at most as many as `bounds` say if there are so many pieces."""
    frames, known = np.array([piece.frames for piece in voices.pieces]), voices.known
    anchors = np.flatnonzero(known & (frames >= ANCHOR_FRAMES))
    if len(anchors) < bounds[0] or not len(anchors):
        anchors = np.flatnonzero(known)
    if not len(anchors):
        return People(
            np.zeros(len(frames), np.int64), np.zeros((len(frames), 1), np.float32), np.zeros((1, 1), np.float32)
        )
    scale = voices.scale
    anchors = anchors[np.argsort([voices.pieces[i].start for i in anchors.tolist()], kind="stable")]
    chosen, weights = voices.embeddings[anchors], voices.weights[anchors]
    penalties = _penalties([voices.pieces[i] for i in anchors.tolist()], AT_ONCE * scale)
    least = min(LEAST_FRAMES, LEAST_SHARE * float(weights.sum()))
    labels = cluster(chosen, weights, penalties, Limits(as_alike(ALIKE, scale), *bounds, least))
    centres = _centres(chosen, weights, labels, _kept(labels, weights, bounds, least))
    nearest = (chosen @ centres.T).argmax(1)
    if len(set(nearest)) == len(centres):
        centres = _centres(chosen, weights, nearest, list(range(len(centres))))
    likeness = voices.embeddings @ centres.T
    persons = _paths(voices, likeness)
    return People(_with_short_ones(voices.pieces, persons, known), likeness, centres, scale)


def _penalties(pieces: Sequence[Piece], penalty: float) -> dict[tuple[int, int], float]:
    """Pairs of pieces in order of time that are active at the same time on two outputs."""
    found: dict[tuple[int, int], float] = {}
    running: list[int] = []
    for j, piece in enumerate(pieces):
        running = [i for i in running if pieces[i].end > piece.start]
        for i in running:
            if pieces[i].output != piece.output and pieces[i].overlap(piece) >= AT_ONCE_FRAMES:
                found[i, j] = penalty
        running.append(j)
    return found


def _kept(labels: Labels, weights: FloatArray, bounds: tuple[int, int], least: float) -> list[int]:
    """The clusters with enough speech, at least one, and as many as were asked for."""
    totals = np.bincount(labels, weights)
    enough = int(np.clip((totals >= least).sum(), *bounds))
    return sorted(int(i) for i in np.argsort(-totals, kind="stable")[: max(1, enough)])


def _centres(embeddings: FloatArray, weights: FloatArray, labels: Labels, kept: Sequence[int]) -> FloatArray:
    """The mean embedding (K, D) of each of these clusters, of length 1."""
    sums = np.stack([(embeddings * weights[:, None])[labels == k].sum(0) for k in kept])
    return (sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def _paths(voices: Voices, likeness: FloatArray) -> Labels:
    """The person (P,) of each piece: the best path of each output; -1 where a piece has no embedding."""
    pieces, known = voices.pieces, voices.known
    persons = np.full(len(pieces), -1)
    for output in {piece.output for piece in pieces}:
        items = [i for i, piece in enumerate(pieces) if piece.output == output and known[i]]
        if not items:
            continue
        frames = np.array([pieces[i].frames for i in items], np.float32)
        pauses = np.array([pieces[b].start - pieces[a].end for a, b in pairwise(items)])
        changes = (CHANGE * voices.scale * np.clip(1 - pauses / PAUSE_FRAMES, 0, 1)).astype(np.float32)
        persons[items] = _viterbi(likeness[items] * frames[:, None], changes)
    return persons


def _viterbi(gains: FloatArray, changes: FloatArray) -> Labels:
    """The best path (Q,) through gains (Q, K), where a change between rows costs as much as `changes` (Q - 1,) say."""
    score, back = gains[0], np.zeros(gains.shape, np.int64)
    for q in range(1, len(gains)):
        best = int(score.argmax())
        stays = score >= score[best] - changes[q - 1]
        back[q] = np.where(stays, np.arange(len(score)), best)
        score = np.maximum(score, score[best] - changes[q - 1]) + gains[q]
    path = [int(score.argmax())]
    for q in range(len(gains) - 1, 0, -1):
        path.append(int(back[q, path[-1]]))
    return np.array(path[::-1])


def _with_short_ones(pieces: Sequence[Piece], persons: Labels, known: NDArray[np.bool_]) -> Labels:
    """The persons (P,), those of pieces without an embedding included."""
    out, sure = persons.copy(), np.flatnonzero(known)
    starts = np.array([pieces[i].start for i in sure.tolist()])
    order = sure[np.argsort(starts, kind="stable")].tolist()
    starts = np.sort(starts)
    for i in np.flatnonzero(~known).tolist():
        piece = pieces[i]
        around = slice(
            max(0, int(np.searchsorted(starts, piece.start)) - 8), int(np.searchsorted(starts, piece.end)) + 8
        )
        near = sorted((_distance(piece, pieces[j]), j) for j in order[around])
        own = [(gap, j) for gap, j in near if pieces[j].output == piece.output and gap <= NEAR_FRAMES]
        out[i] = persons[(own or near)[0][1]]
    return out


def _distance(piece: Piece, other: Piece) -> int:
    """The frames between two pieces; 0 where they overlap."""
    return max(0, other.start - piece.end, piece.start - other.end)
