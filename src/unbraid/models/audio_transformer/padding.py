"""Sources as an audio Transformer takes them: whole steps of symbols, frames or samples."""

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.models.audio_transformer.config import PretrainedSide, Side, TextSide


def steps_in(side: Side, size: int) -> int:
    """How many steps so many symbols, frames or samples are: N, the last one perhaps in part.

    A pretrained encoder makes none of what is left over, as its convolutions see nothing beyond the end: N is
    ⌊(T - R) / stride⌋ + 1 for a receptive field of R, and at least 1.
    """
    if isinstance(side, TextSide):
        return size
    if isinstance(side, PretrainedSide):
        return max(0, size - side.encoder.receptive_field) // side.stride + 1
    return -(-size // side.stride)


def size_of(side: Side, steps: int) -> int:
    """How many symbols, frames or samples a network is given for so many steps: zeros are added, or a rest left out."""
    if isinstance(side, TextSide):
        return steps
    if isinstance(side, PretrainedSide):
        return (steps - 1) * side.stride + side.encoder.receptive_field
    return steps * side.stride


def whole_steps(audio: FloatArray, side: Side) -> FloatArray:
    """Frames (n, F) or samples (n,), as many as their steps are of: with zeros behind them, or without a rest."""
    size = size_of(side, steps_in(side, len(audio)))
    return np.pad(audio[:size], [(0, max(0, size - len(audio)))] + [(0, 0)] * (audio.ndim - 1))
