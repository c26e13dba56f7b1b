"""Levels and lengths of mixed signals, for training and scoring."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

REFERENCE_RMS = 0.05  # of a voice at 0 dB


def scaled_to(audio: Array, rms: float) -> Array:
    """Audio at an RMS; silence stays silence."""
    now = np.sqrt(np.mean(np.square(audio, dtype=np.float64)))
    return audio if now == 0 else (audio * (rms / now)).astype(np.float32)


def cropped(voice: Array, samples: int, random: np.random.Generator) -> Array:
    """(≤ samples,): a crop from a random place, or all of it."""
    at = int(random.integers(max(0, len(voice) - samples) + 1))
    return voice[at : at + samples]


def looped(noise: Array, samples: int, random: np.random.Generator) -> Array:
    """(samples,) of a noise from a random place, over and over where it is short."""
    if len(noise) >= samples:
        return cropped(noise, samples, random)
    return np.resize(np.roll(noise, int(random.integers(len(noise)))), samples)


def with_noise(mixture: Array, noise: Array, snr_db: float) -> Array:
    """The mixture with noise `snr_db` below it, as energies over the whole of both; silence gets no noise."""
    power = np.mean(noise**2)
    if power == 0:
        return mixture
    return mixture + scaled_to(noise, float(np.sqrt(np.mean(mixture**2))) * 10 ** (-snr_db / 20))
