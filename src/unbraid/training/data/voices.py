"""Crops and pieces of speakers as log-mel spectrograms, for speaker embeddings.

Each speaker at each speed is a class of its own (Yamamoto et al., "Speaker augmentation and bandwidth extension for
deep speaker embedding", Interspeech 2019). An item is a pure function of (seed, position); the crops of a batch are of
one length.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from unbraid.corpora.levels import Array, looped, with_noise
from unbraid.corpora.mixtures import Clip
from unbraid.dsp.filterbank import centred_levels
from unbraid.dsp.framing import Mel
from unbraid.errors import AudioError, UsageError
from unbraid.training.data.aside import SILENT_PEAK, Aside
from unbraid.training.data.augmentation import masked
from unbraid.training.data.clip_cache import Shelf
from unbraid.training.data.disturbing import Disturbing, disturbed
from unbraid.training.data.mixing import change_speed
from unbraid.training.tables import Above, Speed, Table

TRIES = 8  # to find a recording that is not silent at the place that is drawn
DEV_PIECES = 8  # of a speaker, at most
DEV_VOICE_DB = 10.0  # how much softer the other voice in every other dev piece is


@dataclass(frozen=True)
class Cropping(Table):
    """The crops; the table `cropping`."""

    seconds: tuple[Above, Above] = (2.0, 3.0)
    speeds: tuple[Speed, ...] = (0.9, 1.0, 1.1)  # the pitch goes along, so that each makes other speakers

    def samples(self, sample_rate: int, share: float) -> int:
        """The length of a crop, from the shortest at 0 to the longest at 1."""
        shortest, longest = self.seconds
        return max(1, round((shortest + share * (longest - shortest)) * sample_rate))


@dataclass(frozen=True)
class Levels:
    """The conversion of audio to what the network reads."""

    sample_rate: int
    mel: Mel
    filterbank: str

    def __call__(self, audio: Array) -> Array:
        """Audio (T,) -> levels (N, F)."""
        return centred_levels(audio, self.mel, self.sample_rate, self.filterbank)


class Labelled(NamedTuple):
    """One item, or several with an axis more in front."""

    levels: Tensor  # (N, F)
    label: Tensor  # () int64, of the class


class SpeakerCrops(Dataset[Labelled]):
    """Crops of speakers, drawn anew at every position; there is no last one. All classes are equally frequent."""

    def __init__(
        self,
        speakers: Mapping[str, Sequence[Clip]],
        noises: Sequence[Clip],
        levels: Levels,
        cropping: Cropping,
        disturbing: Disturbing,
        *,
        seed: int,
        together: int,
    ):
        self._shelf, self._aside = Shelf(levels.sample_rate, keep_all=True), Aside()
        self._speakers = [self._aside.usable(clips, self._shelf.checked) for clips in speakers.values()]
        self._there = [who for who, clips in enumerate(self._speakers) if clips]
        if len(self._there) < 2:
            raise UsageError(f"Two speakers or more are needed, to be told apart.{self._aside.told()}")
        self._noises = self._aside.usable(noises, self._shelf.checked)
        if disturbing.noise_probability > 0 and not self._noises:
            without = "name a folder of them, or set disturbing.noise_probability to 0"
            raise UsageError(f"There are no noises to mix in; {without}.{self._aside.told()}")
        self._levels, self._cropping, self._disturbing = levels, cropping, disturbing
        self._seed, self._together = seed, together

    def __getitem__(self, position: int) -> Labelled:
        random, rate = np.random.default_rng((self._seed, position)), self._levels.sample_rate
        length = np.random.default_rng((self._seed, position // self._together, 1)).random()
        values, speeds = self._disturbing, self._cropping.speeds
        samples = self._cropping.samples(rate, length)
        who, someone = (self._there[k] for k in random.choice(len(self._there), 2, replace=False))
        speed = int(random.integers(len(speeds)))
        voice = change_speed(self._drawn(self._speakers[who], int(samples * speeds[speed]) + 2, random), speeds[speed])
        other = noise = None
        if random.random() < values.voice_probability:
            other = self._drawn(self._speakers[someone], samples, random)
        if random.random() < values.noise_probability:
            noise = self._drawn(self._noises, samples, random)
        audio = disturbed(looped(voice, samples, random), other, noise, values, rate, random)
        levels = masked(self._levels(audio), values.masks, self._levels.mel.hop_samples / rate, random)
        return Labelled(torch.from_numpy(levels), torch.tensor(who * len(speeds) + speed))

    def _drawn(self, clips: Sequence[Clip], samples: int, random: np.random.Generator) -> Array:
        """(≤ samples,) of one of the clips, from a random place that is not silent."""
        for _ in range(TRIES):
            clip = clips[int(random.integers(len(clips)))]
            start = int(random.integers(max(0, self._shelf.samples(clip) - samples) + 1))
            piece: Array | None = self._aside.attempt(clip, lambda: self._shelf.piece(clip, start, samples)[0])  # noqa: B023
            if piece is not None and np.abs(piece).max(initial=0) > SILENT_PEAK:
                return piece
        raise AudioError(f"{TRIES} recordings drawn are silent there, or cannot be read.{self._aside.told()}")


class SpeakerPieces(Dataset[Labelled]):
    """Pieces of one length of each speaker's recordings, one after the other, at most DEV_PIECES of each speaker.

    Every other piece has the voice of the next speaker in it, 10 dB softer.
    """

    def __init__(self, speakers: Mapping[str, Sequence[Clip]], levels: Levels, seconds: float):
        shelf, aside, samples = Shelf(levels.sample_rate), Aside(), round(seconds * levels.sample_rate)
        pieces = [self._pieces(shelf, aside, clips, samples) for clips in speakers.values()]
        self._labels = [who for who, own in enumerate(pieces) for _ in own]
        if len(set(self._labels)) < 2 or len(self._labels) == len(set(self._labels)):
            raise UsageError(
                f"Two pieces of {seconds:g} s of one dev speaker are needed, and one of another, to score by; "
                f"set data.dev_seconds lower, or add recordings.{aside.told()}"
            )
        self._levels = levels
        flat = [piece for own in pieces for piece in own]
        self._audio = [
            with_noise(piece, flat[self._next(k)], DEV_VOICE_DB) if k % 2 else piece for k, piece in enumerate(flat)
        ]

    def __len__(self) -> int:
        return len(self._audio)

    def __getitem__(self, position: int) -> Labelled:
        return Labelled(torch.from_numpy(self._levels(self._audio[position])), torch.tensor(self._labels[position]))

    def _next(self, position: int) -> int:
        """The first piece of the next speaker."""
        own = self._labels[position]
        return next((k for k in range(position, len(self._labels)) if self._labels[k] != own), 0)

    @staticmethod
    def _pieces(shelf: Shelf, aside: Aside, clips: Sequence[Clip], samples: int) -> list[Array]:
        """The pieces (samples,) of a speaker that are not silent."""
        found: list[Array] = []
        for clip in clips:
            whole = aside.attempt(clip, lambda: shelf.piece(clip, 0, shelf.checked(clip))[0])  # noqa: B023
            for start in range(0, 0 if whole is None else len(whole) - samples + 1, samples):
                piece = whole[start : start + samples]  # type: ignore[index]
                if len(found) < DEV_PIECES and np.abs(piece).max() > SILENT_PEAK:
                    found.append(piece)
        return found
