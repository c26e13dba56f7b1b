"""Soft masks from a network's magnitudes, and their continuation above its last bin."""

from typing import Literal

import numpy as np

from unbraid.dsp.arrays import FloatArray

EPS = 1e-10  # Spleeter's


def soft_masks(magnitudes: FloatArray, exponent: float) -> FloatArray:
    """Ratio masks (S, …) of magnitudes (S, …): each to the power of `exponent`, over their sum; they add up to one."""
    power: FloatArray = magnitudes**2 if exponent == 2 else magnitudes**exponent
    total = power.sum(0) + EPS
    power += EPS / len(magnitudes)
    power /= total
    return power


def extend(masks: FloatArray, bins: int, extension: Literal["zeros", "average"]) -> FloatArray:
    """Masks (…, N, F) -> (…, N, bins): zeros above, or each frame's mean over the bins that the network saw."""
    shape = (*masks.shape[:-1], bins - masks.shape[-1])
    if extension == "zeros":
        return np.concatenate((masks, np.zeros(shape, np.float32)), axis=-1)
    above = np.broadcast_to(masks.mean(-1, keepdims=True, dtype=np.float32), shape)
    return np.concatenate((masks, above), axis=-1)
