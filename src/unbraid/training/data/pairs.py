"""Mixtures of one voice as pairs of source and target for audio-to-audio networks.

Either side is a waveform (T,) or a log-mel spectrogram (N, F) of it (see `dsp.mel`), of a whole number of the network's
steps: waveforms end in zeros.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from unbraid.corpora.levels import Array
from unbraid.training.data.utterances import Hearing


class Pair(NamedTuple):
    """One item, or several with an axis more in front."""

    source: Tensor  # (T,) or (N, F)
    target: Tensor  # (T,) or (N, F)
    heard: Tensor  # the mixture in the form of the target, the baseline


def pair_of(mixture: Array, voice: Array, source: Hearing, target: Hearing) -> Pair:
    """The pair of a mixture (T,) and the voice (T,) in it; a step is as long on both sides."""
    missing = -len(mixture) % source.step_samples
    mixture, voice = np.pad(mixture, (0, missing)), np.pad(voice, (0, missing))
    return Pair(*map(torch.from_numpy, (source(mixture), target(voice), target(mixture))))
