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
from unbraid.dsp.mixture_consistency import cell_power, in_context, interpolated, power_shares, shared, smoothed
from unbraid.dsp.voice_bands import CONTEXT, above_crossover, voice_features
from unbraid.hub.spec import ModelSpec
from unbraid.models.family import FAMILIES

WEIGHTS = Path(str(resources.files("unbraid") / "assets" / "high_band.safetensors"))
MODEL_RATE = 8000  # of the networks whose voices can be heard so
CENTRE = 2.0  # added to the features
DILATIONS = (1, 2, 4)
FAINT = 1e-4  # of the power of all voices: who is weaker gets less
_REACH = CONTEXT + 2 * sum(DILATIONS) + 3  # cells on either side


def shared_among(
    spec: ModelSpec, pairs: Iterator[tuple[FloatArray, FloatArray]], sample_rate: int, *, to_silent: bool = True
) -> Iterator[FloatArray]:
    """A stream of (mixture (C, n), stems (S, C, n)) -> the same stems of a model, which add up to the mixture.

    By voice, where the model separates voices at 8 kHz in a recording at a higher rate; elsewhere by power.
    """
    if spec.sample_rate == MODEL_RATE < sample_rate and FAMILIES[spec.family].front == "waveform":
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

    return in_context(pairs, share, cell, _REACH)


def _voice_shares(stems: FloatArray, sample_rate: int, cell_samples: int, *, to_silent: bool) -> FloatArray:
    """Weights (S, C, T) of stems (S, C, T) for the band above 4 kHz; they add up to one where somebody is heard."""
    power = smoothed(cell_power(stems, cell_samples))  # (S, C, N)
    scores = voice_scores(voice_features(stems, sample_rate, cell_samples))  # (S, C, N)
    total = power.sum(0)
    presence = np.minimum(power / np.where(total > 0, FAINT * total, 1.0), 1.0)
    top = np.max(scores, axis=0, where=power > 0, initial=-np.inf)  # (C, N), -inf where all are silent
    weights = presence * np.exp(np.minimum(scores - np.where(total > 0, top, 0.0), 0.0))
    sums = weights.sum(0)
    weights = np.where(sums > 0, weights / np.where(sums > 0, sums, 1.0), 1.0 / len(stems) if to_silent else 0.0)
    return interpolated(weights.astype(np.float32), cell_samples)[..., : stems.shape[-1]]


def voice_scores(features: FloatArray) -> FloatArray:
    """The network: features (…, N, 2 · bands) of voices -> scores (…, N); a softmax over voices gives shares."""
    weights = _weights()
    hidden: FloatArray = features + np.float32(CENTRE)
    for number, dilation in enumerate(DILATIONS):
        kernel, bias, slope = (weights[f"{number}.{name}"] for name in ("weight", "bias", "slope"))
        hidden = _convolved(hidden, kernel, dilation) + bias
        hidden = np.where(hidden > 0, hidden, slope * hidden).astype(np.float32, copy=False)
    scores: FloatArray = hidden @ weights["output.weight"]
    return scores


def _convolved(cells: FloatArray, kernel: FloatArray, dilation: int) -> FloatArray:
    """Cells (…, N, D) convolved over N with a kernel (K, D, H), silence around them: (…, N, H)."""
    count, reach = cells.shape[-2], dilation * (len(kernel) // 2)
    padded = np.pad(cells, [(0, 0)] * (cells.ndim - 2) + [(reach, reach), (0, 0)])
    out: FloatArray = sum(padded[..., k * dilation : k * dilation + count, :] @ tap for k, tap in enumerate(kernel))
    return out


@cache
def _weights() -> dict[str, FloatArray]:
    """The network's weights, float32."""
    return {name: value.astype(np.float32) for name, value in safetensors.numpy.load_file(WEIGHTS).items()}
