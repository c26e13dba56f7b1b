"""The log-mel spectrograms that networks of voices read, without their means over time.

A microphone, a room or a telephone multiplies a spectrum; taking the mean of each band off a log-spectrum removes it
(cepstral mean normalisation, Atal 1974). Two definitions, by their names in `EcapaConfig`:

    levels        dsp/mel.py
    speechbrain   as SpeechBrain's Fbank computes it: powers under a Hamming window of n samples in the middle of zeros
                  and signal, triangles of height 1 whose two halves are as wide as their left one,

                      level = 10 log10(power), at least 1e-10, and at least 80 dB below the loudest
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.framing import Mel
from unbraid.dsp.mel import hz_of_mel, mel_levels, mel_of_hz

LEAST_POWER = 1e-10
RANGE_DB = 80.0


def centred_levels(audio: FloatArray, mel: Mel, sample_rate: int, filterbank: str = "levels") -> FloatArray:
    """Samples (…, T), T above 0 -> levels (…, N, F) whose mean over time is 0, float32."""
    levels = FILTERBANKS[filterbank](audio, mel, sample_rate)
    return levels - levels.mean(-2, keepdims=True)


def speechbrain_levels(audio: FloatArray, mel: Mel, sample_rate: int) -> FloatArray:
    """Samples (…, T) -> levels (…, N, F) in dB, N = T // hop + 1, float32."""
    size, hop = mel.frame_samples, mel.hop_samples
    ends = [(0, 0)] * (audio.ndim - 1) + [(size // 2, size // 2)]
    padded = np.pad(np.asarray(audio, np.float32), ends)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size, axis=-1)[..., ::hop, :]
    power = np.abs(np.fft.rfft(frames * _hamming(size))) ** 2  # (…, N, size // 2 + 1)
    bands = power.astype(np.float32) @ _triangles(mel, sample_rate).T  # (…, N, F)
    decibels = 10 * np.log10(np.maximum(bands, LEAST_POWER))
    return np.maximum(decibels, decibels.max((-2, -1), keepdims=True) - RANGE_DB)


FILTERBANKS: dict[str, Callable[[FloatArray, Mel, int], FloatArray]] = {
    "levels": mel_levels,
    "speechbrain": speechbrain_levels,
}


def _hamming(samples: int) -> FloatArray:
    """The periodic Hamming window."""
    phase = 2 * np.pi * np.arange(samples) / samples
    return (0.54 - 0.46 * np.cos(phase)).astype(np.float32)


@cache
def _triangles(mel: Mel, sample_rate: int) -> FloatArray:
    """The weights of powers in bands, (F, frame // 2 + 1)."""
    corners = hz_of_mel(np.linspace(0, mel_of_hz(sample_rate / 2), mel.bins + 2))
    centres, widths = corners[1:-1, None], np.diff(corners)[:-1, None]  # (F, 1)
    bins = np.linspace(0, sample_rate / 2, mel.frame_samples // 2 + 1)
    slopes = (bins - centres) / widths
    weights: FloatArray = np.clip(np.minimum(1 + slopes, 1 - slopes), 0, None).astype(np.float32)
    weights.flags.writeable = False
    return weights
