"""The log-mel spectrogram, source or target of an audio Transformer.

Frame n lies around the samples [n·hop, (n + 1)·hop): the input is padded with (frame − hop) / 2 zeros on both sides,
and up to a whole number of hops, so N = ⌈T / hop⌉. Magnitudes under a Hann window are averaged by triangles that are
evenly spaced in mel (O'Shaughnessy 1987, as HTK has it),

    mel(f) = 2595 log10(1 + f / 700)

and a level is (dB + 40) / 40: 1 is the peak of a full-scale sine, −1 is −80 dB, the lowest level. Triangles sum to
1, so that noise has about the same level in wide bands and narrow ones; no slope is steeper than one bin, so that no
triangle falls between two bins. Normalized levels are relative to the loudest one if that is at least −60 dB: a soft
recording is then as loud as any other, and silence stays silent.
"""

from functools import cache

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.framing import Mel
from unbraid.dsp.stft import hann, stft

FLOOR_DB = -80.0
SOFTEST_DB = -60.0  # lower limit of the loudest level in normalisation
NOISE_QUANTILE = 0.15  # of a band's active powers: its noise
NOISE_FACTOR = 2.0  # of the noise that is subtracted
SOUNDS_DB = -40.0  # relative to the loudest frame: active bands
CUT_DB = -10.0  # the limit of the subtraction


def mel_levels(audio: FloatArray, mel: Mel, sample_rate: int, *, without_noise: bool = False) -> FloatArray:
    """Samples (…, T) -> levels (…, N, F), float32; `without_noise` subtracts the stationary noise first."""
    samples, hop = audio.shape[-1], mel.hop_samples
    frames, margin = mel_frames(samples, mel), (mel.frame_samples - hop) // 2
    if not frames:
        return np.zeros((*audio.shape[:-1], 0, mel.bins), np.float32)
    ends = (margin, margin + frames * hop - samples)
    padded = np.pad(np.asarray(audio, np.float32), [(0, 0)] * (audio.ndim - 1) + [ends])
    scale = np.float32(2 / hann(mel.frame_samples).sum())  # a sine of amplitude 1 peaks at 1
    magnitudes = np.abs(stft(padded, mel.frame_samples, hop)) * scale  # (…, N, bins)
    bands = magnitudes @ mel_filters(mel, sample_rate).T  # (…, N, F)
    decibels = 20 * np.log10(np.maximum(above_noise(bands) if without_noise else bands, 1e-12))
    if mel.normalized:
        decibels -= decibels.max((-2, -1), keepdims=True).clip(SOFTEST_DB)
    return from_db(decibels)


def above_noise(bands: FloatArray) -> FloatArray:
    """Magnitudes (…, N, F) of bands, N above 0, without their stationary part.

    Spectral subtraction with a floor (Berouti et al., ICASSP 1979) and a quantile of each band as its noise (Stahl et
    al., ICASSP 2000), of those frames only that are not pauses: in a gated recording, noise is heard with words alone.
    """
    power = bands**2
    loudness = power.sum(-1, keepdims=True)  # (…, N, 1)
    sounds = loudness >= loudness.max(-2, keepdims=True) * 10 ** (SOUNDS_DB / 10)
    rising = np.sort(np.where(sounds, power, np.inf), axis=-2)
    place = (NOISE_QUANTILE * sounds.sum(-2, keepdims=True)).astype(int)  # (…, 1, 1)
    noise = NOISE_FACTOR * np.take_along_axis(rising, place, axis=-2)  # (…, 1, F)
    return np.sqrt(np.maximum(power - noise, power * 10 ** (CUT_DB / 10)))


def mel_frames(samples: int, mel: Mel) -> int:
    """Frames of so many samples."""
    return -(-samples // mel.hop_samples)


def to_db(levels: FloatArray) -> FloatArray:
    """Levels in dB, where 0 is the peak of a full-scale sine."""
    return 40 * levels - 40


def from_db(decibels: FloatArray) -> FloatArray:
    """dB as levels, at least −1."""
    return ((np.maximum(decibels, FLOOR_DB) + 40) / 40).astype(np.float32)


@cache
def mel_filters(mel: Mel, sample_rate: int) -> FloatArray:
    """The weights of magnitudes in bands, (F, frame // 2 + 1): triangles from band to band, each summing to 1."""
    bin_hz = sample_rate / mel.frame_samples
    corners = hz_of_mel(np.linspace(0, mel_of_hz(sample_rate / 2), mel.bins + 2))
    left, centre, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]  # (F, 1)
    bins = bin_hz * np.arange(mel.frame_samples // 2 + 1)
    rising = 1 - (centre - bins) / np.maximum(centre - left, bin_hz)
    falling = 1 - (bins - centre) / np.maximum(right - centre, bin_hz)
    weights = np.clip(np.minimum(rising, falling), 0, None)  # (F, bins)
    filters: FloatArray = (weights / weights.sum(1, keepdims=True)).astype(np.float32)
    filters.flags.writeable = False
    return filters


def mel_of_hz(hz: float) -> float:
    """Hz in mel."""
    return float(2595 * np.log10(1 + hz / 700))


def hz_of_mel(mel: np.ndarray) -> np.ndarray:
    """Mel in Hz."""
    return 700 * (10 ** (mel / 2595) - 1)
