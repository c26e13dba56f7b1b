"""The log-mel spectrograms that networks of voices read, without their means over time.

A microphone, a room or a telephone multiplies a spectrum; taking the mean of each band off a log-spectrum removes it
(cepstral mean normalisation, Atal 1974). Four definitions, by their names in `SpeakerConfig`:

    levels        dsp/mel.py
    speechbrain   as SpeechBrain's Fbank computes it: powers under a Hamming window of n samples in the middle of zeros
                  and signal, triangles of height 1 whose two halves are as wide as their left one,

                      level = 10 log10(power), at least 1e-10, and at least 80 dB below the loudest

    3d-speaker    as Kaldi's fbank computes it (feat/feature-fbank.cc): whole frames only, each without its mean and
                  with first differences x(t) - 0.97 x(t - 1), under Povey's window (Hann's to the power of 0.85) and
                  with zeros up to a power of two; triangles of height 1 that are even in mel(f) = 1127 ln(1 + f / 700)
                  from 20 Hz on,

                      level = ln(power), at least 2^-23

    wespeaker     the same under a Hamming window, of samples that count up to 2^15
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.framing import Mel
from unbraid.dsp.mel import hz_of_mel, mel_levels, mel_of_hz

LEAST_POWER = 1e-10
RANGE_DB = 80.0
KALDI_LEAST_POWER = 2.0**-23
KALDI_LOWEST_HZ = 20.0
PREEMPHASIS = 0.97
POVEY_POWER = 0.85
FULL_SCALE = 2.0**15  # of 16-bit samples


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


def povey_levels(audio: FloatArray, mel: Mel, sample_rate: int) -> FloatArray:
    """Samples (…, T), at least a frame -> Kaldi's levels (…, N, F), N = (T - frame) // hop + 1, float32."""
    cosine = _symmetric_cosine(mel.frame_samples)
    return _kaldi_levels(audio, mel, sample_rate, (0.5 - 0.5 * cosine) ** POVEY_POWER)


def hamming_levels(audio: FloatArray, mel: Mel, sample_rate: int) -> FloatArray:
    """As `povey_levels`, under a Hamming window and for samples of 16 bits."""
    cosine = _symmetric_cosine(mel.frame_samples)
    return _kaldi_levels(audio, mel, sample_rate, FULL_SCALE * (0.54 - 0.46 * cosine))


FILTERBANKS: dict[str, Callable[[FloatArray, Mel, int], FloatArray]] = {
    "levels": mel_levels,
    "speechbrain": speechbrain_levels,
    "3d-speaker": povey_levels,
    "wespeaker": hamming_levels,
}


def _kaldi_levels(audio: FloatArray, mel: Mel, sample_rate: int, window: np.ndarray) -> FloatArray:
    size = mel.frame_samples
    frames = np.lib.stride_tricks.sliding_window_view(audio, size, axis=-1)[..., :: mel.hop_samples, :]  # (…, N, size)
    frames = frames - frames.mean(-1, keepdims=True, dtype=np.float64)
    frames[..., 1:] -= PREEMPHASIS * frames[..., :-1]
    frames[..., 0] *= 1 - PREEMPHASIS  # as if the sample before were the same
    spectrum = np.fft.rfft(frames * window, _power_of_two(size))  # in float64, as most bands of soft frames are faint
    power = np.abs(spectrum) ** 2  # (…, N, bins)
    bands = power @ _kaldi_triangles(mel, sample_rate).T  # (…, N, F)
    return np.log(np.maximum(bands, KALDI_LEAST_POWER)).astype(np.float32)


def _symmetric_cosine(samples: int) -> np.ndarray:
    """A period of the cosine whose first and last sample are 1."""
    return np.cos(2 * np.pi * np.arange(samples) / max(samples - 1, 1))


def _power_of_two(samples: int) -> int:
    """The least power of two of so many samples or more, at least 2."""
    return int(2 ** max(1, (samples - 1).bit_length()))


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


@cache
def _kaldi_triangles(mel: Mel, sample_rate: int) -> np.ndarray:
    """The weights of powers in Kaldi's bands, (F, size // 2 + 1), float64; that of half the sample rate is 0."""
    size = _power_of_two(mel.frame_samples)
    bins = _kaldi_mel(np.arange(size // 2 + 1) * (sample_rate / size))
    lowest, highest = _kaldi_mel(np.array([KALDI_LOWEST_HZ, sample_rate / 2]))
    width = (highest - lowest) / (mel.bins + 1)
    centres = lowest + width * np.arange(1, mel.bins + 1)[:, None]  # (F, 1)
    weights: np.ndarray = np.clip(1 - np.abs(bins - centres) / width, 0, None)
    weights.flags.writeable = False
    return weights


def _kaldi_mel(hz: np.ndarray) -> np.ndarray:
    return 1127 * np.log1p(hz / 700)
