"""The log-mel spectrogram that Whisper reads (Radford et al., arXiv 2212.04356, section 2.2).

Frame n lies around sample n·hop of audio that is mirrored at its ends. Powers under a periodic Hann window are weighted
by triangles that are evenly spaced in Slaney's mel ("Auditory Toolbox", 1998),

    mel(f) = 3 f / 200 below 1 kHz,    15 + 27 log(f / 1000) / log(6.4) above

and have equal areas. A level is (log10(power) + 4) / 4, at most 8 powers of ten below the loudest one.
"""

from functools import cache

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.framing import Mel

FAINTEST = 1e-10  # power
DECADES = 8.0  # of powers, from the loudest one down
LINEAR_HZ, LINEAR_MEL, RATIO = 1000.0, 15.0, 27 / np.log(6.4)


def whisper_mel(audio: FloatArray, mel: Mel, sample_rate: int) -> FloatArray:
    """Samples (T,), more than half a frame -> levels (N, F), float32, for N = ⌊T / hop⌋."""
    frame, hop = mel.frame_samples, mel.hop_samples
    padded = np.pad(audio.astype(np.float64), frame // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame)[::hop][: len(audio) // hop]  # (N, frame)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)
    power = np.abs(np.fft.rfft(frames * window)) ** 2  # (N, bins)
    levels = np.log10(np.maximum(power @ slaney_filters(mel, sample_rate).T, FAINTEST))  # (N, F)
    return ((np.maximum(levels, levels.max() - DECADES) + 4) / 4).astype(np.float32)


@cache
def slaney_filters(mel: Mel, sample_rate: int) -> FloatArray:
    """The weights of powers in bands, (F, frame // 2 + 1): triangles of equal areas."""
    corners = _hz(np.linspace(0, _mel(np.array(sample_rate / 2)), mel.bins + 2))
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
