"""From a log-mel spectrogram back to a waveform without a network: Griffin & Lim, IEEE TASSP 32(2), 1984.

Two things are lost in a log-mel spectrogram. Magnitudes |X| that give the bands M |X| they were averaged to, and are
nowhere below 0, come by multiplicative updates (Lee & Seung, NIPS 2000),

    |X| ← |X| · (Mᵀ m) / (Mᵀ M |X|)

and phases, drawn at first (the same ones every time), from transforming to and fro: each time the phases of what came
out are kept, and the magnitudes put back.
"""

import numpy as np

from unbraid.dsp import FloatArray
from unbraid.dsp.mel import mel_filters, to_db
from unbraid.dsp.stft import hann, stft
from unbraid.spec import Mel

ITERATIONS = 32
UPDATES = 100  # of magnitudes
TINY = 1e-9


def griffin_lim(levels: FloatArray, mel: Mel, sample_rate: int, iterations: int = ITERATIONS) -> FloatArray:
    """Levels (N, F) as `mel_levels` gives them -> samples (N·hop,)."""
    frames, hop, size = len(levels), mel.hop_samples, mel.frame_samples
    if not frames:
        return np.zeros(0, np.float32)
    magnitudes = linear_magnitudes(levels, mel, sample_rate) * np.float32(hann(size).sum() / 2)  # (N, bins)
    phases = np.random.default_rng(0).uniform(-np.pi, np.pi, magnitudes.shape)
    wave = _joined(magnitudes * np.exp(1j * phases), hop)
    for _ in range(iterations):
        spectrum = stft(wave, size, hop)
        wave = _joined(magnitudes * spectrum / np.maximum(np.abs(spectrum), TINY), hop)
    margin = (size - hop) // 2
    return wave[margin : margin + frames * hop]


def linear_magnitudes(levels: FloatArray, mel: Mel, sample_rate: int) -> FloatArray:
    """Levels (N, F) -> magnitudes (N, bins) of which none is below 0; 1 is the peak of a full-scale sine."""
    filters = mel_filters(mel, sample_rate)  # (F, bins)
    bands = 10 ** (to_db(levels) / 20)  # (N, F)
    wanted, gram = bands @ filters, filters.T @ filters
    magnitudes = wanted / filters.sum(0).clip(TINY)
    for _ in range(UPDATES):
        magnitudes *= wanted / (magnitudes @ gram + TINY)
    out: FloatArray = magnitudes.astype(np.float32)
    return out


def _joined(spectrum: np.ndarray, hop: int) -> FloatArray:
    """Spectra (N, bins) -> ((N − 1)·hop + frame,): the waveform whose spectra are nearest (equation 6)."""
    size = 2 * (spectrum.shape[-1] - 1)
    window = hann(size)
    frames = np.fft.irfft(spectrum, size) * window
    length = (len(frames) - 1) * hop + size
    wave, weight = np.zeros(length), np.zeros(length)
    for n, frame in enumerate(frames):
        wave[n * hop : n * hop + size] += frame
        weight[n * hop : n * hop + size] += window**2
    return (wave / np.maximum(weight, TINY)).astype(np.float32)
