"""A waveform from a log-mel spectrogram without a network: the algorithm of Griffin & Lim, IEEE TASSP 32(2), 1984.

Magnitudes and phases are unknown. Non-negative magnitudes |X| with the given bands m ≈ M |X| are found by
multiplicative updates (Lee & Seung, NIPS 2000),

    |X| ← |X| · (Mᵀ m) / (Mᵀ M |X|)

and phases by iteration: inverse and forward transform, keep the phases, restore the magnitudes. The initial phases are
those of an approximate waveform, such as a network's, or random ones (the same every time). With momentum α the phases
are those of sₙ + α (sₙ − sₙ₋₁), which converges faster (Perraudin, Balazs & Søndergaard, WASPAA 2013, with 0.99).
"""

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.framing import Mel
from unbraid.dsp.mel import mel_filters, to_db
from unbraid.dsp.stft import hann, overlap_added, stft

ITERATIONS = 32
MOMENTUM = 0.99
UPDATES = 100  # of magnitudes
TINY = 1e-9


def griffin_lim(
    levels: FloatArray,
    mel: Mel,
    sample_rate: int,
    iterations: int = ITERATIONS,
    *,
    momentum: float = 0.0,
    start: FloatArray | None = None,
) -> FloatArray:
    """Levels (N, F) of `mel_levels` -> samples (N·hop,), from the phases of `start` (N·hop,) or random ones."""
    frames, hop, size = len(levels), mel.hop_samples, mel.frame_samples
    if not frames:
        return np.zeros(0, np.float32)
    before = (size - hop) // 2  # of the first frame's samples, before the first sample
    magnitudes = linear_magnitudes(levels, mel, sample_rate) * np.float32(hann(size).sum() / 2)  # (N, bins)
    squared = (hann(size) ** 2).astype(np.float64)
    weight = overlap_added(np.broadcast_to(squared, (frames, size)), hop)  # of each sample: the windows' power there
    if start is None:
        phases = np.random.default_rng(0).uniform(-np.pi, np.pi, magnitudes.shape)
        wave = _joined(magnitudes * np.exp(1j * phases), weight, hop)
    else:
        wave = np.pad(start, (before, size - hop - before))
    last: np.ndarray | None = None
    for _ in range(iterations):
        spectrum = stft(wave, size, hop)
        ahead = spectrum if last is None else spectrum + momentum * (spectrum - last)
        wave, last = _joined(magnitudes * ahead / np.maximum(np.abs(ahead), TINY), weight, hop), spectrum
    return wave[before : before + frames * hop]


def linear_magnitudes(levels: FloatArray, mel: Mel, sample_rate: int) -> FloatArray:
    """Levels (N, F) -> magnitudes (N, bins) of which none is below 0; 1 is the peak of a full-scale sine."""
    filters = mel_filters(mel, sample_rate)  # (F, bins)
    bands = 10 ** (to_db(levels) / 20)  # (N, F)
    wanted, gram = bands @ filters, filters.T @ filters
    magnitudes = wanted / filters.sum(0).clip(TINY)
    for _ in range(UPDATES):
        magnitudes *= wanted / (magnitudes @ gram + TINY)
    return magnitudes.astype(np.float32)


def _joined(spectrum: np.ndarray, weight: np.ndarray, hop: int) -> FloatArray:
    """Spectra (N, bins) -> ((N − 1)·hop + frame,): the waveform whose spectra are nearest (equation 6)."""
    size = 2 * (spectrum.shape[-1] - 1)
    frames = (np.fft.irfft(spectrum, size) * hann(size)).astype(np.float64)
    return (overlap_added(frames, hop) / np.maximum(weight, TINY)).astype(np.float32)
