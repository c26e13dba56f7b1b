"""Slaney's mel bands ("Auditory Toolbox", 1998), which the spectrograms of many published networks have.

Triangles of equal areas are evenly spaced in

    mel(f) = 3 f / 200 below 1 kHz,    15 + 27 log(f / 1000) / log(6.4) above
"""

from functools import cache

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.framing import Mel

LINEAR_HZ, LINEAR_MEL, RATIO = 1000.0, 15.0, 27 / np.log(6.4)


@cache
def slaney_filters(mel: Mel, sample_rate: int, lowest_hz: float = 0.0, highest_hz: float | None = None) -> FloatArray:
    """The weights of powers or magnitudes in bands, (F, frame // 2 + 1); by default up to half the rate."""
    lowest, highest = _mel(np.array([lowest_hz, sample_rate / 2 if highest_hz is None else highest_hz]))
    corners = _hz(np.linspace(float(lowest), float(highest), mel.bins + 2))
    left, centre, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]  # (F, 1)
    bins = sample_rate / mel.frame_samples * np.arange(mel.frame_samples // 2 + 1)
    rising, falling = (bins - left) / (centre - left), (right - bins) / (right - centre)
    filters = np.maximum(0, np.minimum(rising, falling)) * 2 / (right - left)
    filters.flags.writeable = False
    return filters


def _mel(hz: np.ndarray) -> np.ndarray:
    above = LINEAR_MEL + RATIO * np.log(np.maximum(hz, LINEAR_HZ) / LINEAR_HZ)
    return np.where(hz < LINEAR_HZ, hz * LINEAR_MEL / LINEAR_HZ, above)


def _hz(mel: np.ndarray) -> np.ndarray:
    above = LINEAR_HZ * np.exp((np.maximum(mel, LINEAR_MEL) - LINEAR_MEL) / RATIO)
    return np.where(mel < LINEAR_MEL, mel * LINEAR_HZ / LINEAR_MEL, above)
