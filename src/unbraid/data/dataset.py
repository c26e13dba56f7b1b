"""Torch datasets of mixtures. An item is a pure function of (seed, position): that makes resuming exact, whatever the
number of workers and ranks, and needs no state to be saved but the position.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from unbraid.corpora.levels import Array
from unbraid.corpora.mixtures import Clip, Mixture, read_head, read_mixture
from unbraid.data.mixing import Mixing, mix
from unbraid.data.shelf import Shelf
from unbraid.errors import UsageError

Item = tuple[Tensor, Tensor]  # mixture (T,), sources (S, T)


class DynamicMixtures(Dataset[Item]):
    """Mixtures of different speakers, drawn anew at every position; there is no last one.

    Each speaker comes as often as any other, however much there is of them.
    """

    def __init__(
        self,
        speakers: Mapping[str, Sequence[Clip]],
        mixing: Mixing,
        *,
        sources: int,
        sample_rate: int,
        seed: int,
        noises: Sequence[Clip] = (),
    ):
        if len(speakers) < sources:
            raise UsageError(
                f"{sources} voices in a mixture need {sources} speakers or more; there are {len(speakers)}."
            )
        if mixing.noise_probability > 0 and not noises:
            raise UsageError("There are no noises to mix in; name a folder of them, or set noise_probability to 0.")
        self._speakers, self._noises = [list(clips) for clips in speakers.values()], list(noises)
        self._mixing, self._sources, self._sample_rate, self._seed = mixing, sources, sample_rate, seed
        self._shelf = Shelf(sample_rate)

    def __getitem__(self, position: int) -> Item:
        random = np.random.default_rng((self._seed, position))
        who = random.choice(len(self._speakers), self._sources, replace=False)
        needed = self._mixing.voice_samples(self._sample_rate)
        voices = [self._draw(self._speakers[i], needed, random) for i in who]
        noise = None
        if random.random() < self._mixing.noise_probability:
            noise = self._draw(self._noises, self._mixing.crop_samples(self._sample_rate), random)
        mixture, targets = mix(voices, self._mixing, self._sample_rate, random, noise)
        return torch.from_numpy(mixture), torch.from_numpy(targets)

    def _draw(self, clips: Sequence[Clip], samples: int, random: np.random.Generator) -> Array:
        """(≤ samples,) from a random place of one of the clips."""
        clip = clips[int(random.integers(len(clips)))]
        start = int(random.integers(max(0, self._shelf.samples(clip) - samples) + 1))
        (voice,) = self._shelf.piece(clip, start, samples)  # (1, ≤ samples)
        return np.asarray(voice)


class FixedMixtures(Dataset[Item]):
    """The mixtures of a corpus; position n is mixture n modulo their number.

    They come whole, or as crops of one length, from a random place or with zeros behind a short one. A mixture of fewer
    than `sources` gets silent ones besides.
    """

    def __init__(
        self,
        mixtures: Sequence[Mixture],
        *,
        sample_rate: int,
        sources: int = 0,
        crop_seconds: float | None = None,
        seed: int = 0,
    ):
        self._mixtures, self._sample_rate, self._seed = list(mixtures), sample_rate, seed
        self._sources = sources
        self._crop_samples = None if crop_seconds is None else round(crop_seconds * sample_rate)

    def __len__(self) -> int:
        return len(self._mixtures)

    def __getitem__(self, position: int) -> Item:
        mixture, samples, start = self._mixtures[position % len(self)], self._crop_samples, 0
        if samples is not None:
            surplus = read_head(mixture.sources[0], self._sample_rate).samples - samples
            start = int(np.random.default_rng((self._seed, position)).integers(max(0, surplus) + 1))
            if surplus > 0 and not mixture.is_scaled:
                mixture = mixture.part(start / self._sample_rate, samples / self._sample_rate)
                start = 0
        heard, sources = read_mixture(mixture, self._sample_rate)
        audio = np.concatenate((heard[None], sources))[:, start:]  # (1 + S, T)
        if samples is not None:
            audio = np.pad(audio[:, :samples], ((0, 0), (0, max(0, samples - audio.shape[1]))))
        audio = np.pad(audio, ((0, max(0, 1 + self._sources - len(audio))), (0, 0)))
        return torch.from_numpy(audio[0]), torch.from_numpy(audio[1:])


class Positions(Sampler[int]):
    """The positions start + rank, start + rank + world, … below `stop`: each is some rank's, once.

    Ranks that must take as many steps as each other need `stop - start` to be a multiple of `world`. A run that was
    interrupted goes on with a later `start`.
    """

    def __init__(self, start: int, stop: int, *, rank: int = 0, world: int = 1):
        if not 0 <= rank < world:
            raise ValueError(f"rank must be from 0 to {world - 1}, got {rank}.")
        self._positions = range(start + rank, stop, world)

    def __iter__(self) -> Iterator[int]:
        return iter(self._positions)

    def __len__(self) -> int:
        return len(self._positions)
