"""Trials of speaker verification, drawn from the recordings of a split: the same in every run.

Of each speaker up to ten pieces of 2 to 4 s are drawn, by a generator that is seeded with the speaker's name: from all
their recordings in turn, and without overlap. Every pair of pieces is a trial.
"""

import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unbraid.corpora import Clip, read_clip
from unbraid.errors import AudioError
from unbraid.evaluation.run import Evaluation, TimedResult, timed
from unbraid.evaluation.speakers.scoring import Verification, verification
from unbraid.tasks.conversation.embedder import SpeakerEmbedder

MOST_PIECES = 10  # of a speaker
PIECE_SECONDS = (2.0, 4.0)
SILENT_PEAK = 1e-3  # of a piece, relative to the recording's

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Speaker:
    """Somebody and their recordings."""

    name: str
    clips: tuple[Clip, ...]


@dataclass(frozen=True)
class Piece:
    """A piece of a recording."""

    recording: Path
    audio: Array  # (T,)


@dataclass(frozen=True)
class SpeakerResult(TimedResult):
    """The embeddings of a speaker's pieces."""

    recordings: tuple[Path, ...]  # of each piece
    embeddings: Array  # (P, D)


@dataclass(frozen=True)
class Trials:
    """The scores of all trials."""

    same: Array  # of the same speaker
    across: Array  # those of them whose pieces are from two recordings
    other: Array  # of different speakers

    def verified(self, same: Array) -> Verification | None:
        """The errors of these trials of the same speaker and of all others; None where there are none."""
        return verification(same, self.other) if len(same) and len(self.other) else None


@dataclass
class SpeakerEvaluation(Evaluation[SpeakerResult]):
    """The embeddings of all speakers."""

    def trials(self) -> Trials:
        """The scores of every pair of pieces."""
        embeddings = np.concatenate([result.embeddings for result in self.results])  # (P, D)
        speakers = np.repeat(np.arange(len(self.results)), [len(result.embeddings) for result in self.results])
        places: dict[Path, int] = {}
        recordings = np.array([places.setdefault(p, len(places)) for r in self.results for p in r.recordings])
        first, second = np.triu_indices(len(embeddings), 1)
        cosines = (embeddings @ embeddings.T)[first, second]
        same = speakers[first] == speakers[second]
        across = same & (recordings[first] != recordings[second])
        return Trials(cosines[same], cosines[across], cosines[~same])


def embed_speaker(embedder: SpeakerEmbedder, speaker: Speaker) -> SpeakerResult:
    """The embeddings of a speaker's pieces.

    Raises:
        AudioError: a recording cannot be read, or none is long enough for a piece.
    """
    pieces = drawn_pieces(speaker, embedder.spec.sample_rate)
    if not pieces:
        raise AudioError(f"{speaker.name} has no recording of {PIECE_SECONDS[0]:g} s that is not silent.")
    found, wall, cpu = timed(lambda: embedder.embed([piece.audio for piece in pieces]))
    seconds = sum(len(piece.audio) for piece in pieces) / embedder.spec.sample_rate
    return SpeakerResult(speaker.name, seconds, wall, cpu, tuple(piece.recording for piece in pieces), found)


def drawn_pieces(speaker: Speaker, sample_rate: int) -> list[Piece]:
    """The pieces of a speaker: one of each recording, then a second one of each, and so on."""
    random = np.random.default_rng(zlib.crc32(os.fsencode(speaker.name)))
    clips = [speaker.clips[i] for i in random.permutation(len(speaker.clips))[:MOST_PIECES]]
    queues = [_cut(clip, sample_rate, random) for clip in clips]
    rounds = [queue[k] for k in range(MOST_PIECES) for queue in queues if k < len(queue)]
    return rounds[:MOST_PIECES]


def _cut(clip: Clip, sample_rate: int, random: np.random.Generator) -> list[Piece]:
    """A recording in pieces of random lengths, silent ones left out."""
    audio, start = read_clip(clip, sample_rate), 0
    pieces: list[Piece] = []
    peak = np.abs(audio).max(initial=0)
    while True:
        samples = round(random.uniform(*PIECE_SECONDS) * sample_rate)
        samples = min(samples, len(audio) - start)
        if samples < round(PIECE_SECONDS[0] * sample_rate) or len(pieces) == MOST_PIECES:
            return pieces
        piece = audio[start : start + samples]
        if np.abs(piece).max() > SILENT_PEAK * peak:
            pieces.append(Piece(clip.path, piece))
        start += samples
