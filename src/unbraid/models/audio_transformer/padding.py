"""The lengths of an audio Transformer's inputs: whole steps of symbols, frames or samples."""

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.models.audio_transformer.config import PretrainedSide, Side, TextSide


def steps_in(side: Side, size: int) -> int:
    """The number of steps N of so many symbols, frames or samples; the last one may be incomplete.

    A pretrained encoder drops the remainder, as its convolutions do not pad: N is ⌊(T - R) / stride⌋ + 1 for a
    receptive field of R, and at least 1.
    """
    if isinstance(side, TextSide):
        return size
    if isinstance(side, PretrainedSide):
        return max(0, size - side.encoder.receptive_field) // side.stride + 1
    return -(-size // side.stride)


def size_of(side: Side, steps: int) -> int:
    """The number of symbols, frames or samples in so many steps; inputs are padded or cut to it."""
    if isinstance(side, TextSide):
        return steps
    if isinstance(side, PretrainedSide):
        return (steps - 1) * side.stride + side.encoder.receptive_field
    return steps * side.stride


def whole_steps(audio: FloatArray, side: Side) -> FloatArray:
    """Frames (n, F) or samples (n,) in whole steps: padded with zeros, or without the remainder."""
    size = size_of(side, steps_in(side, len(audio)))
    return np.pad(audio[:size], [(0, max(0, size - len(audio)))] + [(0, 0)] * (audio.ndim - 1))
