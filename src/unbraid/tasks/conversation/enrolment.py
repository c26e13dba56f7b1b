"""Enrolment: the voice of a person from a recording in which nobody else speaks."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from unbraid.audio import Excerpt, Reader
from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.downmix import Downmix
from unbraid.dsp.rumble import without_rumble
from unbraid.errors import UsageError, quoted
from unbraid.tasks.conversation.activity import FRAME_SECONDS, Levels, active, frame_samples
from unbraid.tasks.conversation.people import Voices, find_people, scale_of
from unbraid.tasks.conversation.pieces import cut
from unbraid.tasks.conversation.tracking import Embedder, at_rate
from unbraid.tasks.separation.stream import Track, resampled

MOST_SECONDS = 300.0  # of a file that are listened to
LEAST_SECONDS = 1.5  # of speech
SILENT_RMS = 1e-4  # -80 dBFS
SECOND_SHARE = 0.2  # of the speech, from which on it is a second person's


def enrolled_people(enrol: Mapping[str, str | Path] | None) -> tuple[tuple[str, str], ...]:
    """The names and files of people to enrol.

    Raises:
        UsageError: it is no mapping, or has what is no name or no path.
    """
    if not isinstance(enrol, Mapping | None):
        raise UsageError(f"People are enrolled by a mapping, such as {{'anna': 'anna.wav'}}, not {quoted(enrol)}.")
    people = tuple((enrol or {}).items())
    for name, file in people:
        check_person(name)
        if not isinstance(file, str | os.PathLike):
            raise UsageError(f"To enrol {name} takes the path of a recording of them, not {quoted(file)}.")
    return tuple((name, os.fspath(file)) for name, file in people)


def check_person(name: str) -> None:
    """Refuse names that a line of a table or a label cannot show.

    Raises:
        UsageError: it is empty, has control characters, or is no string.
    """
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise UsageError(f"{quoted(name)} cannot name a person; give a text on one line, without control characters.")


def voice_in(path: str | Path, embedder: Embedder) -> FloatArray:
    """The embedding (D,) of the person who speaks in a file, of which the first five minutes are listened to.

    Raises:
        UsageError: the file is silent, has too little speech, or holds the voices of several people.
        AudioError: it cannot be read.
    """
    rate = embedder.spec.sample_rate
    audio = _speech(path, rate)
    levels, cell = Levels(rate), frame_samples(rate)
    levels.add(audio[None])
    powers = levels.finish()  # (1, N)
    if np.sqrt(powers.max(initial=0)) < SILENT_RMS:
        raise UsageError(f"{path} is silent, so nobody can be enrolled; give a recording of one person who speaks.")
    pieces = [p for p in cut(active(powers), powers) if (p.end * cell <= audio.shape[-1])]
    pieces = [piece for piece in pieces if piece.frames * cell >= embedder.least_samples]
    _check_seconds(sum(piece.frames for piece in pieces), path)
    voices = [at_rate(audio[0, p.start * cell : p.end * cell], rate, rate) for p in pieces]
    weights = np.array([piece.frames for piece in pieces], np.float32)
    return only_voice(Voices(pieces, embedder.embed(voices), weights, scale_of(embedder.spec)), path)


def only_voice(voices: Voices, path: str | Path) -> FloatArray:
    """The embedding (D,) of the person of a file, of all pieces in it.

    Raises:
        UsageError: they are too few, or the voices of several people.
    """
    frames = voices.weights * voices.known
    _check_seconds(float(frames.sum()), path)
    people = find_people(voices, (1, 2))
    shares = np.bincount(people.persons, frames) / frames.sum()
    if len(shares) > 1 and shares.min() >= SECOND_SHARE:
        raise UsageError(f"{path} holds the voices of several people; give a recording of one person alone.")
    return np.asarray(people.centres[int(shares.argmax())])


def _speech(path: str | Path, rate: int) -> FloatArray:
    """The audio (1, T) of a file at a rate, mixed to one channel, without rumble."""
    with Reader(path, Excerpt(duration=MOST_SECONDS)) as reader:
        track = Track.through(reader)
        mono = without_rumble(Downmix(track.sample_rate).blocks(track.blocks()), track.sample_rate)
        blocks = list(resampled(mono, track.sample_rate, rate))
    return np.concatenate(blocks, axis=-1) if blocks else np.zeros((1, 0), np.float32)


def _check_seconds(frames: float, path: str | Path) -> None:
    """Refuse too little speech, in frames.

    Raises:
        UsageError: it is less than `LEAST_SECONDS`.
    """
    if (seconds := frames * FRAME_SECONDS) < LEAST_SECONDS:
        raise UsageError(
            f"{path} holds {seconds:.1f} s of speech; to enrol a person takes {LEAST_SECONDS} s or more, best 10 s."
        )
