"""Mixtures of one voice as pairs of source and target for audio-to-audio networks.

Either side is a waveform (T,) or a log-mel spectrogram (N, F) of it (see `dsp.mel`), of a whole number of the network's
steps: waveforms end in zeros.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from unbraid.corpora import Mixture, read_mixture
from unbraid.corpora.levels import Array
from unbraid.corpora.noise import AddedNoise, noisy
from unbraid.dsp.mel import mel_levels
from unbraid.hub.spec import Mel
from unbraid.training.data.aside import Aside
from unbraid.training.data.dataset import Item, check_heads

Kind = Literal["waveform", "spectrogram"]


class Pair(NamedTuple):
    """One item, or several with an axis more in front."""

    source: Tensor  # (T,) or (N, F)
    target: Tensor  # (T,) or (N, F)
    heard: Tensor  # the mixture in the form of the target, the baseline


@dataclass(frozen=True)
class Form:
    """The conversion of mixtures to pairs."""

    source: Kind
    target: Kind
    step_samples: int
    sample_rate: int
    mel: Mel

    def pair(self, mixture: Array, voice: Array) -> Pair:
        """Of a mixture (T,) and the voice (T,) in it."""
        missing = -len(mixture) % self.step_samples
        mixture, voice = np.pad(mixture, (0, missing)), np.pad(voice, (0, missing))
        return Pair(self._as(self.source, mixture), self._as(self.target, voice), self._as(self.target, mixture))

    def _as(self, kind: Kind, audio: Array) -> Tensor:
        return torch.from_numpy(audio if kind == "waveform" else mel_levels(audio, self.mel, self.sample_rate))


class AudioPairs(Dataset[Pair]):
    """The items of a dataset of mixtures of one voice, as pairs."""

    def __init__(self, mixtures: Dataset[Item], form: Form):
        self._mixtures, self._form = mixtures, form

    def __getitem__(self, position: int) -> Pair:
        mixture, voices = self._mixtures[position]
        return self._form.pair(mixture.numpy(), voices[0].numpy())


class FixedAudioPairs(AudioPairs):
    """The same of a dataset that has a length."""

    def __len__(self) -> int:
        mixtures: Any = self._mixtures
        return len(mixtures)


class NoisyMixtures(Dataset[Item]):
    """The mixtures of a corpus, whole, each with the noise that scores add to it (see `evaluation.noise`)."""

    def __init__(self, mixtures: Sequence[Mixture], noise: AddedNoise, sample_rate: int):
        self._noise, self._sample_rate, self._aside = noise, sample_rate, Aside()
        self._mixtures = self._aside.usable(mixtures, lambda mixture: check_heads(mixture, sample_rate))

    def __len__(self) -> int:
        return len(self._mixtures)

    def __getitem__(self, position: int) -> Item:
        return self._aside.first(position, self._mixtures, self._item)

    def _item(self, mixture: Mixture) -> Item:
        heard, sources = read_mixture(mixture, self._sample_rate)
        heard = noisy(heard, mixture.name, self._sample_rate, self._noise)
        return torch.from_numpy(heard), torch.from_numpy(sources)
