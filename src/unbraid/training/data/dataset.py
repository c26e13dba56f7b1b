"""Torch datasets of mixtures. An item is a pure function of (seed, position): that makes resuming exact, whatever the
number of workers and ranks, and needs no state to be saved but the position.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from unbraid.corpora.levels import Array
from unbraid.corpora.mixtures import Clip, Mixture, read_head, read_mixture
from unbraid.corpora.noise import AddedNoise, noisy
from unbraid.errors import AudioError, UsageError
from unbraid.training.data.aside import SILENT_PEAK, Aside, UsableItems, check_sounds
from unbraid.training.data.clip_cache import Shelf
from unbraid.training.data.mixing import Mixing, mix

TRIES = 4  # to find a usable recording of a speaker
Item = tuple[Tensor, Tensor]  # mixture (T,), sources (S, T)


class DynamicMixtures(Dataset[Item]):
    """Mixtures of different speakers, drawn anew at every position; there is no last one.

    All speakers are equally frequent, however much they have recorded.
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
        self._shelf, self._aside = Shelf(sample_rate), Aside()
        usable = [self._aside.usable(clips, self._shelf.checked) for clips in speakers.values()]
        self._speakers = [clips for clips in usable if clips]
        if len(self._speakers) < sources:
            raise UsageError(
                f"{sources} voices in a mixture need {sources} speakers or more; there are {len(self._speakers)}."
                f"{self._aside.told()}"
            )
        self._noises = self._aside.usable(noises, self._shelf.checked)
        if mixing.noise_probability > 0 and not self._noises:
            without = "name a folder of them, or set noise_probability to 0"
            raise UsageError(f"There are no noises to mix in; {without}.{self._aside.told()}")
        self._mixing, self._sources, self._sample_rate, self._seed = mixing, sources, sample_rate, seed

    def __getitem__(self, position: int) -> Item:
        random = np.random.default_rng((self._seed, position))
        who = random.choice(len(self._speakers), self._sources, replace=False)
        needed = self._mixing.voice_samples(self._sample_rate)
        order = chain(who.tolist(), self._others(who.tolist(), random))
        drawn = (voice for i in order if (voice := self._draw(self._speakers[i], needed, random)) is not None)
        voices = list(islice(drawn, self._sources))
        if len(voices) < self._sources:
            raise AudioError(f"Too few speakers can be read for {self._sources} voices.{self._aside.told()}")
        noise = None
        if random.random() < self._mixing.noise_probability:
            noise = self._draw(self._noises, self._mixing.crop_samples(self._sample_rate), random)
        mixture, targets = mix(voices, self._mixing, self._sample_rate, random, noise)
        return torch.from_numpy(mixture), torch.from_numpy(targets)

    def _others(self, who: Sequence[int], random: np.random.Generator) -> Iterator[int]:
        """The other speakers in a random order, drawn only where one of `who` cannot be read."""
        yield from (int(i) for i in random.permutation(len(self._speakers)) if i not in who)

    def _draw(self, clips: Sequence[Clip], samples: int, random: np.random.Generator) -> Array | None:
        """(≤ samples,) from a random place of one of the clips; None where several drawn ones cannot be used."""
        for _ in range(TRIES):
            clip = clips[int(random.integers(len(clips)))]
            start = int(random.integers(max(0, self._shelf.samples(clip) - samples) + 1))
            voice = self._aside.attempt(clip, lambda: self._sounding(clip, start, samples))  # noqa: B023
            if voice is not None:
                return voice
        return None

    def _sounding(self, clip: Clip, start: int, samples: int) -> Array:
        """(≤ samples,) from a place of a clip, which may be a pause there but not all through."""
        (voice,) = self._shelf.piece(clip, start, samples)  # (1, ≤ samples)
        if not voice.size or float(np.abs(voice).max()) <= SILENT_PEAK:
            check_sounds(self._shelf.piece(clip, 0, self._shelf.samples(clip)), clip.path)
        return np.asarray(voice)


class FixedMixtures(UsableItems):
    """The mixtures of a corpus; position n is mixture n modulo their number.

    They come whole, or cropped to one length at a random place, short ones padded with zeros. A mixture of fewer than
    `sources` gets silent ones besides. Noise is added as in evaluations (see `corpora.noise`).
    """

    def __init__(
        self,
        mixtures: Sequence[Mixture],
        *,
        sample_rate: int,
        sources: int = 0,
        crop_seconds: float | None = None,
        seed: int = 0,
        noise: AddedNoise | None = None,
    ):
        self._sample_rate, self._sources, self._seed, self._noise = sample_rate, sources, seed, noise
        self._crop_samples = None if crop_seconds is None else round(crop_seconds * sample_rate)
        super().__init__(mixtures, f"None of {len(mixtures)} mixtures can be read.")

    def __getitem__(self, position: int) -> Item:
        return self._aside.first(position % len(self), self.recordings, lambda mixture: self._crop(mixture, position))

    def _check(self, mixture: Mixture) -> None:
        """Refuse a mixture whose files cannot be read, or differ in length, by their headers."""
        clips = [*mixture.sources, *filter(None, (mixture.mixture or mixture.noise,))]
        lengths = {read_head(clip, self._sample_rate).samples for clip in clips}
        if len(lengths) > 1 and max(lengths) - min(lengths) > 1:
            seconds = ", ".join(f"{length / self._sample_rate:.3f} s" for length in sorted(lengths))
            raise AudioError(f"The files of mixture {mixture.name} differ in length ({seconds}).")

    def _crop(self, mixture: Mixture, position: int) -> Item:
        samples, start = self._crop_samples, 0
        if samples is not None:
            surplus = read_head(mixture.sources[0], self._sample_rate).samples - samples
            start = int(np.random.default_rng((self._seed, position)).integers(max(0, surplus) + 1))
            if surplus > 0 and not mixture.is_scaled:
                mixture = mixture.part(start / self._sample_rate, samples / self._sample_rate)
                start = 0
        heard, sources = read_mixture(mixture, self._sample_rate)
        if self._noise is not None:
            heard = noisy(heard, mixture.name, self._sample_rate, self._noise)
        audio = np.concatenate((heard[None], sources))[:, start:]  # (1 + S, T)
        if samples is not None:
            audio = np.pad(audio[:, :samples], ((0, 0), (0, max(0, samples - audio.shape[1]))))
        audio = np.pad(audio, ((0, max(0, 1 + self._sources - len(audio))), (0, 0)))
        return torch.from_numpy(audio[0]), torch.from_numpy(audio[1:])
