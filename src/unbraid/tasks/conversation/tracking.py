"""Follows people through a recording: a network's outputs in, a timeline and segments out.

    tracker = Tracker(outputs, sample_rate)
    for stems in ...:                       # (S, C, n), which are also written to the spool
        tracker.add(stems)
    timeline, conversation = tracker.finish(spool, embedder, wanted)

A network gives the voices of each window in any order, and one that is alone in the recording at that time on any
output. So its outputs are cut into pieces where they are active (`pieces`), each piece gets a speaker embedding, and
the pieces are clustered into people over the whole recording (`people`). In memory are 12 bytes for each frame of 0.1 s
and an embedding for each piece: 3 MB for an hour.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from unbraid.audio import Resampler
from unbraid.dsp.arrays import FloatArray
from unbraid.hub.spec import ModelSpec
from unbraid.tasks.conversation.activity import (
    Activity,
    Levels,
    active,
    active_over_time,
    frame_samples,
    voices_at_once,
)
from unbraid.tasks.conversation.conversation import Conversation
from unbraid.tasks.conversation.embedder import batches
from unbraid.tasks.conversation.one_window import people_of, voices_of
from unbraid.tasks.conversation.people import MOST_PEOPLE, People, Voices, as_alike, find_people, scale_of
from unbraid.tasks.conversation.pieces import Piece, Seam, cut
from unbraid.tasks.conversation.segments import segments_of
from unbraid.tasks.conversation.timeline import Timeline, timeline_of, whole_outputs

COPY = 0.8  # correlation of two outputs above which the softer one is a copy
AT_ONCE = 16  # pieces that are embedded together
MATCH = 0.35  # likeness of an enrolled person and a person of the recording, at least, with `voice`


class Embedder(Protocol):
    """A network that makes speaker embeddings: a `SpeakerEmbedder`, or a fake in a test."""

    @property
    def spec(self) -> ModelSpec:
        """Its spec, with its sample rate."""

    @property
    def least_samples(self) -> int:
        """The shortest piece that it takes."""

    def embed(self, pieces: Sequence[FloatArray]) -> FloatArray:
        """The embeddings (P, D) of pieces (T,) at its rate, each of length 1."""

    def close(self) -> None:
        """Free the network."""


class Stored(Protocol):
    """Stems that can be read from any sample on."""

    def part(self, first: int, samples: int) -> FloatArray:
        """Stems (S, C, samples)."""


@dataclass(frozen=True)
class Wanted:
    """The people who are looked for."""

    fewest: int = 1
    most: int = MOST_PEOPLE
    enrolled: Mapping[str, FloatArray] = field(default_factory=dict)  # name: embedding (D,)


class Tracker:
    """Collects the levels of a network's outputs, and then finds the people."""

    def __init__(self, sample_rate: int) -> None:
        self._rate, self._levels = sample_rate, Levels(sample_rate)
        self._samples = 0
        self.seams: list[Seam] = []

    def add(self, stems: FloatArray) -> None:
        """Add stems (S, C, n)."""
        self._samples += stems.shape[-1]
        self._levels.add(stems)

    def finish(self, stored: Stored, embedder: Embedder, wanted: Wanted = Wanted()) -> tuple[Timeline, Conversation]:
        """The timeline, and who speaks when, of all stems, which are read again where somebody is active."""
        cell, powers = frame_samples(self._rate), self._levels.finish()
        outputs, frames = powers.shape
        speaking = active_over_time(powers) if self.seams else active(powers)
        bounds = wanted.fewest, wanted.most
        pieces, audio = cut(speaking, powers, self.seams, cell), Audio(stored, self._rate, cell, self._samples)
        muted = 0
        if self.seams:
            kept, embeddings, muted = _without_copies(pieces, *_embedded(pieces, audio, embedder))
            found = Voices(kept, embeddings, _weights(kept, powers), scale_of(embedder.spec))
            at_once = voices_at_once(active(powers) & _covered(kept, powers.shape))
            people, plan = find_people(found, (int(np.clip(at_once, *bounds)), wanted.most)), timeline_of
        else:  # of one window
            voices = voices_of(speaking, powers, bounds)
            kept = [piece for piece in pieces if piece.output in voices]
            found = Voices(kept, _embedded(kept, audio, embedder)[0], _weights(kept, powers))
            people, plan = people_of(found, voices), whole_outputs
        people = _by_first_word(kept, people)
        count = max(len(people.centres), wanted.fewest)
        matches = _matches(people.centres, wanted.enrolled, as_alike(MATCH, scale_of(embedder.spec))) if kept else {}
        names = tuple(matches.get(k, f"speaker{k + 1}") for k in range(count))
        seconds = self._samples / self._rate
        conversation = Conversation(
            names,
            tuple(segments_of(kept, people, names, frames, seconds)),
            seconds,
            absent=tuple(name for name in wanted.enrolled if name not in names),
            muted_seconds=round(muted * cell / self._rate, 3),
        )
        return plan(kept, people.persons.tolist(), outputs, frames, count), conversation


@dataclass(frozen=True)
class Audio:
    """The audio of pieces."""

    stored: Stored
    sample_rate: int
    cell_samples: int
    samples: int

    def of(self, piece: Piece) -> FloatArray:
        """All outputs (S, n) in a piece, of the channel in which its own output is loudest."""
        first = piece.start * self.cell_samples
        stems = self.stored.part(first, min(piece.end * self.cell_samples, self.samples) - first)  # (S, C, n)
        return stems[:, int(np.square(stems[piece.output]).sum(-1).argmax())]


def _embedded(pieces: Sequence[Piece], audio: Audio, embedder: Embedder) -> tuple[FloatArray, list[bool]]:
    """The embeddings (P, D) of pieces, zeros where one is too short, and which pieces are copies of another output."""
    rows: dict[int, FloatArray] = {}
    is_copy = [False] * len(pieces)
    least = embedder.least_samples * audio.sample_rate / embedder.spec.sample_rate

    def voices() -> Iterator[tuple[int, FloatArray]]:
        for i, piece in enumerate(pieces):
            outputs = audio.of(piece)
            is_copy[i] = _is_copy(outputs, piece.output)
            if not is_copy[i] and outputs.shape[-1] >= least:
                yield i, at_rate(outputs[piece.output], audio.sample_rate, embedder.spec.sample_rate)

    for batch in batches(voices(), AT_ONCE):
        found = embedder.embed([voice for _, voice in batch])
        rows.update({i: row for (i, _), row in zip(batch, found, strict=True)})
    features = next(iter(rows.values())).size if rows else 1
    nothing = np.zeros(features, np.float32)
    embeddings = np.stack([rows.get(i, nothing) for i in range(len(pieces))]) if pieces else np.zeros((0, features))
    return embeddings.astype(np.float32, copy=False), is_copy


def _without_copies(
    pieces: Sequence[Piece], embeddings: FloatArray, is_copy: Sequence[bool]
) -> tuple[list[Piece], FloatArray, int]:
    """The pieces that are no copies, their embeddings (P, D), and the frames of the copies."""
    heard = [i for i, copy in enumerate(is_copy) if not copy]
    muted = sum(piece.frames for piece, copy in zip(pieces, is_copy, strict=True) if copy)
    return [pieces[i] for i in heard], embeddings[heard], muted


def _covered(pieces: Sequence[Piece], shape: tuple[int, ...]) -> Activity:
    """The frames (S, N) of these pieces."""
    covered = np.zeros(shape, bool)
    for piece in pieces:
        covered[piece.output, piece.start : piece.end] = True
    return covered


def _weights(pieces: Sequence[Piece], powers: FloatArray) -> FloatArray:
    """The frames (P,) of pieces, each weighted by how far its output stands out of all, of powers (S, N)."""
    share = powers / np.maximum(powers.sum(0), 1e-30)  # (S, N)
    return np.array([share[p.output, p.start : p.end].sum() for p in pieces], np.float32)


def _is_copy(outputs: FloatArray, output: int) -> bool:
    """Whether a louder output of (S, n) holds the same signal."""
    powers = np.square(outputs, dtype=np.float64).sum(-1)
    products = np.abs(outputs.astype(np.float64) @ outputs[output])
    louder = (powers > powers[output]) | ((powers == powers[output]) & (np.arange(len(powers)) < output))
    return bool((louder & (products > COPY * np.sqrt(powers * powers[output]))).any())


def at_rate(voice: FloatArray, rate: int, embedder_rate: int) -> FloatArray:
    """A voice (n,) at the embedder's rate, at the level of speech: embeddings do not depend on it, thresholds might."""
    if rate != embedder_rate:
        resampler = Resampler(rate, embedder_rate, 1)
        voice = np.concatenate((resampler(voice[None]), resampler.finish()), axis=-1)[0]
    rms = float(np.sqrt(np.square(voice, dtype=np.float64).mean()))
    return np.asarray(voice * (0.05 / max(rms, 1e-12)), np.float32)


def _by_first_word(pieces: Sequence[Piece], people: People) -> People:
    """The people in the order in which they begin to speak; those who never do come last."""
    begins = np.full(len(people.centres), np.inf)
    for piece, person in zip(pieces, people.persons, strict=True):
        begins[person] = min(begins[person], piece.start)
    order = np.argsort(begins, kind="stable")
    place = np.argsort(order)
    return replace(
        people, persons=place[people.persons], likeness=people.likeness[:, order], centres=people.centres[order]
    )


def _matches(centres: FloatArray, enrolled: Mapping[str, FloatArray], least: float) -> dict[int, str]:
    """The name of each person (by number) who is enrolled; the most alike pairs are matched first."""
    pairs = [
        (float(centre @ voice), k, name)
        for k, centre in enumerate(centres)
        for name, voice in enrolled.items()
        if centre.size == voice.size
    ]
    found: dict[int, str] = {}
    for alike, k, name in sorted(pairs, key=lambda pair: -pair[0]):
        if alike >= least and k not in found and name not in found.values():
            found[k] = name
    return found
