"""The sung pieces of a stem of vocals, and an embedding of each, in constant memory.

    pieces = VoicePieces(sample_rate, embedder)
    for stems in separator.blocks("song.mp3"):
        pieces.push(stems["vocals"], sum(stems.values()))
    sung = pieces.finish()

A piece ends where the voice pauses, or after three seconds at most, where it is softest; it is embedded as soon as it
is known. Published models of voices hear the stem with the rest of the song behind it, 6 dB softer: on dev songs they
tell singers better so than in the stem alone, since they have learnt to bear music, but not what separation does to a
voice. `voice` has not, and hears the stem. In memory are some seconds of sound, and 1 kB for each piece: 1.5 MB for an
hour of singing.
"""

from dataclasses import dataclass

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.hub.defaults import DEFAULTS
from unbraid.tasks.analysis.levels import Mono, heard
from unbraid.tasks.conversation.activity import FRAME_SECONDS, frame_samples
from unbraid.tasks.conversation.people import Voices, scale_of
from unbraid.tasks.conversation.pieces import LONGEST, SHORTEST, Piece, cut
from unbraid.tasks.conversation.tracking import Embedder, at_rate

READ_FRAMES = 300  # that are cut at once: 30 s
REST_GAIN = 0.5  # of all but the voice, for published models
EDGE_FRAMES = 6  # at the end, of which only what follows tells whether they are heard
OPEN_FRAMES = LONGEST + SHORTEST  # at the end, whose pieces may still become longer


@dataclass(frozen=True)
class SungVoices:
    """The pieces of a recording in order of time, with their embeddings."""

    voices: Voices
    frames: int  # of 0.1 s, of the recording
    seconds: float


class VoicePieces:
    """Takes the blocks of a stem, and of the recording around it, and gives its pieces at the end."""

    def __init__(self, sample_rate: int, embedder: Embedder) -> None:
        self._embedder, self._rate = embedder, embedder.spec.sample_rate
        self._cell = frame_samples(self._rate)
        self._stem, self._recording = (Mono(sample_rate, self._rate, self._cell) for _ in range(2))
        self._has_recording = False
        self._rest_gain = np.float32(0 if embedder.spec.name == DEFAULTS["speaker embedding"] else REST_GAIN)
        self._waiting = np.zeros(0, np.float32)  # samples of frames that are not cut
        self._first = 0  # frame at which they begin
        self._pieces: list[Piece] = []
        self._embeddings: list[FloatArray | None] = []  # of each piece, of those that are long enough

    def push(self, stem: FloatArray, recording: FloatArray | None = None) -> None:
        """Take a block (C, n) of a stem, and the same samples of the recording that it was separated from."""
        if recording is None:
            self._wait(self._stem(stem))
        else:
            self._has_recording = True
            self._wait(self._stem(stem), self._recording(recording))
        if len(self._waiting) >= READ_FRAMES * self._cell:
            self._cut(is_last=False)

    def finish(self) -> SungVoices:
        """All pieces."""
        self._wait(self._stem.finish(), self._recording.finish() if self._has_recording else None)
        self._cut(is_last=True)
        size = next((len(embedding) for embedding in self._embeddings if embedding is not None), 1)
        embeddings = np.zeros((len(self._pieces), size), np.float32)
        for row, embedding in zip(embeddings, self._embeddings, strict=True):
            row[:] = 0 if embedding is None else embedding
        weights = np.array([piece.frames for piece in self._pieces], np.float32)
        voices = Voices(self._pieces, embeddings, weights, scale_of(self._embedder.spec))
        return SungVoices(voices, self._frames, self._stem.samples / self._rate)

    def _wait(self, stem: FloatArray, recording: FloatArray | None = None) -> None:
        """Keep what is heard of the next samples (n,)."""
        heard_now = stem if recording is None else stem + self._rest_gain * (recording - stem)
        self._waiting = np.concatenate((self._waiting, heard_now))

    @property
    def _frames(self) -> int:
        return -(-self._stem.samples // self._cell)

    def _cut(self, *, is_last: bool) -> None:
        """Cut the samples that wait into pieces; the last ones go on waiting while more may follow."""
        frames, first = self._frames, self._first
        powers = self._stem.powers(frames)
        around = self._recording.powers(frames) if self._has_recording else None
        active = heard(powers, around, 1 / FRAME_SECONDS)
        end = frames if is_last else frames - EDGE_FRAMES
        inside = slice(first, end)
        found = cut(active[None, inside], powers[None, inside].astype(np.float32))
        closed = [piece for piece in found if is_last or piece.end <= end - first - OPEN_FRAMES]
        self._embed([Piece(0, piece.start + first, piece.end + first) for piece in closed])
        self._first = first + (found[len(closed)].start if len(closed) < len(found) else end - first)
        self._waiting = self._waiting[(self._first - first) * self._cell :]

    def _embed(self, pieces: list[Piece]) -> None:
        """Keep pieces, with the embeddings of those that are long enough."""
        sounds = [self._sound(piece) for piece in pieces]
        long = [k for k, sound in enumerate(sounds) if len(sound) >= self._embedder.least_samples]
        found = self._embedder.embed([at_rate(sounds[k], self._rate, self._rate) for k in long]) if long else ()
        embeddings = dict(zip(long, found, strict=True))
        self._pieces += pieces
        self._embeddings += [embeddings.get(k) for k in range(len(pieces))]

    def _sound(self, piece: Piece) -> FloatArray:
        """The samples (n,) of a piece, which are waiting."""
        start, end = ((frame - self._first) * self._cell for frame in (piece.start, piece.end))
        return self._waiting[start:end]
