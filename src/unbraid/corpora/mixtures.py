"""Clips and mixtures: excerpts of recordings, read on demand."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from unbraid.audio import Excerpt, Reader, resample, resampled_length
from unbraid.corpora.levels import Array, scaled_to
from unbraid.errors import AudioError


@dataclass(frozen=True)
class Clip:
    """A piece of a recording."""

    path: Path
    start_seconds: float = 0.0
    seconds: float | None = None  # None: to the end
    rms: float | None = None  # None: the level as stored; else the piece is scaled to this RMS
    track: int = 0  # which audio track of the file

    def part(self, start_seconds: float, seconds: float) -> Self:
        """A piece of the piece, as stored."""
        return type(self)(self.path, self.start_seconds + start_seconds, seconds, track=self.track)


@dataclass(frozen=True)
class Mixture:
    """Sources that sound at once, and the recording of them."""

    name: str
    sources: tuple[Clip, ...]
    mixture: Clip | None = None  # None: the sum of the sources, and of the noise
    noise: Clip | None = None

    @property
    def is_scaled(self) -> bool:
        """Whether a source or the noise is brought to a level, which is that of the whole clip."""
        return any(clip.rms is not None for clip in (*self.sources, self.mixture, self.noise) if clip)

    def part(self, start_seconds: float, seconds: float) -> Self:
        """A piece of a mixture that is not scaled."""
        pieces = tuple(clip.part(start_seconds, seconds) for clip in self.sources)
        rest = (clip and clip.part(start_seconds, seconds) for clip in (self.mixture, self.noise))
        return type(self)(self.name, pieces, *rest)


@dataclass(frozen=True)
class Head:
    """The facts of a clip's header."""

    samples: int  # at the rate asked for
    lossy: bool  # costs more to decode, and cannot always be entered in the middle


def read_head(clip: Clip, sample_rate: int, most_channels: int = 1) -> Head:
    """Length and kind of a clip."""
    with opened(clip, most_channels) as reader:
        return Head(resampled_length(frames_in(reader), reader.info.sample_rate, sample_rate), reader.info.lossy)


def frames_in(reader: Reader) -> int:
    """The number of frames of a reader; decoded and counted only if the header does not state it."""
    return reader.frames if reader.frames is not None else sum(block.shape[1] for block in reader.blocks())


def read_clip(clip: Clip, sample_rate: int) -> Array:
    """The samples (T,) at `sample_rate`.

    Raises:
        AudioError: the file is missing, cannot be read, ends too soon, or is not mono.
    """
    with opened(clip) as reader:
        rate = reader.info.sample_rate
        audio = resample(reader.read(), rate, sample_rate)[0]  # (T,)
    if clip.seconds is not None:
        audio = _of_length(audio, clip, sample_rate, slack_samples=max(1, math.ceil(sample_rate / rate)))
    return audio if clip.rms is None else scaled_to(audio, clip.rms)


def read_mixture(mixture: Mixture, sample_rate: int) -> tuple[Array, Array]:
    """The mixture (T,) and its sources (S, T).

    Raises:
        AudioError: a file cannot be read, or the files differ in length.
    """
    voices = [read_clip(clip, sample_rate) for clip in mixture.sources]
    others = [mixture.mixture] if mixture.mixture else [mixture.noise] if mixture.noise else []
    rest = [read_clip(clip, sample_rate) for clip in others]
    if len(lengths := {len(audio) for audio in voices + rest}) > 1:
        seconds = ", ".join(f"{length / sample_rate:.3f} s" for length in sorted(lengths))
        raise AudioError(
            f"The files of mixture {mixture.name} differ in length ({seconds}). Make the corpus anew, or take it out."
        )
    sources = np.stack(voices)  # (S, T)
    return rest[0] if mixture.mixture else np.sum([*voices, *rest], 0, np.float32), sources


def opened(clip: Clip, most_channels: int = 1) -> Reader:
    """A reader of a clip.

    Raises:
        AudioError: the file is missing, cannot be read, or has more channels.
    """
    reader = Reader(clip.path, Excerpt(clip.start_seconds, clip.seconds, clip.track))
    if reader.info.channels > most_channels:
        reader.close()
        allowed = "mono" if most_channels == 1 else "mono or stereo"
        raise AudioError(
            f"{clip.path} has {reader.info.channels} channels; the recordings of a corpus must be {allowed}. "
            f"Convert it, or take it out."
        )
    return reader


def _of_length(audio: Array, clip: Clip, sample_rate: int, slack_samples: int) -> Array:
    """Audio of just the clip's seconds; it begins and ends on samples of the file, which may be fewer."""
    assert clip.seconds is not None
    wanted = round(clip.seconds * sample_rate)
    if len(audio) < wanted - slack_samples:
        raise AudioError(
            f"{clip.path} has {len(audio) / sample_rate:.3f} s from {clip.start_seconds:.3f} s on, where "
            f"{clip.seconds:.3f} s are asked for. Get the whole file, or ask for less."
        )
    return np.pad(audio[:wanted], (0, max(0, wanted - len(audio))))
