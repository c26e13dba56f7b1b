"""Padding of audio to whole steps of a network."""

import numpy as np

from unbraid.dsp import FloatArray
from unbraid.hub.spec import size_of, steps_in
from unbraid.models.audio_transformer.config import Side


def whole_steps(audio: FloatArray, side: Side) -> FloatArray:
    """Frames (n, F) or samples (n,), as many as their steps are of: with zeros behind them, or without a rest."""
    size = size_of(side, steps_in(side, len(audio)))
    return np.pad(audio[:size], [(0, max(0, size - len(audio)))] + [(0, 0)] * (audio.ndim - 1))
