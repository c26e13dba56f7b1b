"""Mixtures of one voice as pairs of source and target for audio-to-audio networks.

Either side is a waveform (T,) or a log-mel spectrogram (N, F) of it (see `dsp.mel`), of a whole number of the network's
steps: waveforms end in zeros.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from unbraid.corpora.levels import Array
from unbraid.dsp.mel import mel_levels
from unbraid.hub.spec import Mel

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
