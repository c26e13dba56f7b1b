"""Shares the band above 4 kHz among voices that a network has separated below it.

Sibilants have most of their power above 4 kHz, where a network at 8 kHz hears nothing, and little below it, where the
vowel of somebody else is louder. So the power of the voices does not tell whose they are, but their spectra do. A small
network (14 thousand weights in the package, trained by `training/high_band.py`) hears the spectra of one voice and of
all others together, 10 ms by 10 ms with a context of 0.14 s, and a softmax over the voices gives the share of each.
"""

from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import safetensors.numpy

from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.cell_network import REACH, cell_scores
from unbraid.dsp.mixture_consistency import cell_power, in_context, interpolated, power_shares, shared, smoothed
from unbraid.dsp.voice_bands import CONTEXT, above_crossover, noise_features, voice_features
from unbraid.hub.spec import ModelSpec

VOICES = Path(str(resources.files("unbraid") / "assets" / "high_band.safetensors"))
NOISE = Path(str(resources.files("unbraid") / "assets" / "high_band_noise.safetensors"))
MODEL_RATE = 8000  # of the networks whose voices can be heard so
FAINT = 1e-4  # of the power of all voices: who is weaker gets less
_CONTEXT = CONTEXT + REACH + 3  # cells on either side


def shared_among(
    spec: ModelSpec, pairs: Iterator[tuple[FloatArray, FloatArray]], sample_rate: int, *, to_silent: bool = True
) -> Iterator[FloatArray]:
    """A stream of (mixture (C, n), stems (S, C, n)) -> the same stems of a model, which add up to the mixture.

    By voice, where the model separates voices at 8 kHz in a recording at a higher rate; elsewhere by power.
    """
    if spec.sample_rate == MODEL_RATE < sample_rate and not spec.separates_songs:
        return shared_by_voice(pairs, sample_rate, to_silent=to_silent)
    return shared(pairs, max(1, sample_rate // 100), to_silent=to_silent)


def shared_by_voice(
    pairs: Iterator[tuple[FloatArray, FloatArray]], sample_rate: int, *, to_silent: bool = True
) -> Iterator[FloatArray]:
    """A stream of (mixture (C, n), voices (S, C, n)) at a rate above 8 kHz -> the voices, which add up to the mixture.

    Of the remainder, the part up to 4 kHz is shared by power, as `mixture_consistency.share` does.
    """
    cell = max(1, sample_rate // 100)

    def share(mixture: FloatArray, stems: FloatArray) -> FloatArray:
        rest = mixture - stems.sum(0)  # (C, T)
        high = above_crossover(rest, sample_rate)
        shares = power_shares(stems, cell, 1.0 / len(stems) if to_silent else 0.0)
        return stems + shares * (rest - high) + _voice_shares(stems, sample_rate, cell, to_silent=to_silent) * high

    return in_context(pairs, share, cell, _CONTEXT)


def voice_over_noise(
    spec: ModelSpec, pairs: Iterator[tuple[FloatArray, FloatArray]], sample_rate: int
) -> Iterator[FloatArray]:
    """A stream of (recording (C, n), voice (1, C, n)) of a model of one voice at 8 kHz -> the voice with its high band.

    The network hears the voice, the noise and what lies above 4 kHz, and gives the voice its share of that; sounds of
    other models are left as they are.
    """
    if spec.sample_rate != MODEL_RATE or sample_rate <= MODEL_RATE or spec.separates_songs:
        return (stems for _, stems in pairs)
    cell = max(1, sample_rate // 100)

    def completed(whole: FloatArray, stems: FloatArray) -> FloatArray:
        (voice,) = stems  # (C, T)
        rest = whole - voice
        high = above_crossover(rest, sample_rate)
        scores = cell_scores(noise_features(voice, rest - high, high, sample_rate, cell), _weights(NOISE))  # (C, N)
        heard = smoothed(cell_power(voice, cell)) > 0
        shares = np.where(heard, 1 / (1 + np.exp(-np.clip(scores, -30, 30))), 0.0).astype(np.float32)
        return stems + interpolated(shares, cell)[..., : voice.shape[-1]] * high

    return in_context(pairs, completed, cell, _CONTEXT)


def _voice_shares(stems: FloatArray, sample_rate: int, cell_samples: int, *, to_silent: bool) -> FloatArray:
    """Weights (S, C, T) of stems (S, C, T) for the band above 4 kHz; they add up to one where somebody is heard."""
    power = smoothed(cell_power(stems, cell_samples))  # (S, C, N)
    scores = cell_scores(voice_features(stems, sample_rate, cell_samples), _weights(VOICES))  # (S, C, N)
    total = power.sum(0)
    presence = np.minimum(power / np.where(total > 0, FAINT * total, 1.0), 1.0)
    top = np.max(scores, axis=0, where=power > 0, initial=-np.inf)  # (C, N), -inf where all are silent
    weights = presence * np.exp(np.minimum(scores - np.where(total > 0, top, 0.0), 0.0))
    sums = weights.sum(0)
    weights = np.where(sums > 0, weights / np.where(sums > 0, sums, 1.0), 1.0 / len(stems) if to_silent else 0.0)
    return interpolated(weights.astype(np.float32), cell_samples)[..., : stems.shape[-1]]


@cache
def _weights(path: Path) -> dict[str, FloatArray]:
    """The weights of a network, float32."""
    return {name: value.astype(np.float32) for name, value in safetensors.numpy.load_file(path).items()}
