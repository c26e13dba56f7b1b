"""Spectra of separated voices up to 4 kHz, in cells of 10 ms, and the part of a signal above them.

From these features small networks tell whose the sound above 4 kHz is (`tasks.separation.high_band`). They depend on
the levels of the voices relative to each other, and neither on the level of the recording nor on its sample rate.
"""

import numpy as np

from unbraid.dsp.arrays import FloatArray

EDGES_HZ = (0, 250, 500, 750, 1000, 1300, 1650, 2050, 2500, 2900, 3300, 3650, 3950)  # of the bands
BANDS = len(EDGES_HZ) - 1
HIGH_EDGES_HZ = (4000, 5500, 8000)  # of the bands in which noise is heard
CROSSOVER_HZ = 3800.0  # where resamplers to 8 kHz begin to attenuate
LEVEL_CELLS = 32  # on either side, over whose mean power levels are relative
CONTEXT = LEVEL_CELLS + 3  # cells on either side that features depend on, with their windows
FLOOR = 1e-6  # of power: -60 dB

_WINDOW_SECONDS = 0.032
_FILTER_SECONDS = 0.008  # on either side
_SLICE_CELLS = 64


def voice_features(stems: FloatArray, sample_rate: int, cell_samples: int) -> FloatArray:
    """Features (S, C, cells, 2 · bands): log power in each band, of a stem and of all others together.

    The stems are (S, C, T); the last cell may be incomplete. Where all are silent for a while, features are those of
    the floor.
    """
    power = _band_power(stems, sample_rate, cell_samples, EDGES_HZ)  # (S, C, N, B)
    whole = power.sum(0, keepdims=True)  # (1, C, N, B)
    level = _moving_mean(whole.sum(-1))[..., None]  # (1, C, N, 1)
    level[level == 0] = 1.0
    own, others = (np.log10(part / level + FLOOR) for part in (power, np.maximum(whole - power, 0)))
    return np.concatenate((own, others), axis=-1).astype(np.float32)


def noise_features(voice: FloatArray, noise: FloatArray, high: FloatArray, sample_rate: int, cell: int) -> FloatArray:
    """Features (C, cells, 2 · bands + 2) of a voice and noise up to 4 kHz, and of both above it, all (C, T).

    Log power in each band, relative to that of voice and noise up to 4 kHz.
    """
    power = _band_power(np.stack((voice, noise)), sample_rate, cell, EDGES_HZ)  # (2, C, N, B)
    above = _band_power(high, sample_rate, cell, HIGH_EDGES_HZ)  # (C, N, 2)
    level = _moving_mean(power.sum((0, -1)))[..., None]  # (C, N, 1)
    level[level == 0] = 1.0
    features = np.concatenate((*power, above), axis=-1) / level
    return np.log10(features + FLOOR).astype(np.float32)


def _band_power(signals: FloatArray, sample_rate: int, cell_samples: int, edges_hz: tuple[int, ...]) -> FloatArray:
    """Power (…, N, B) of signals (…, T) in bands between so many edges, under a window around each cell; float64."""
    size = round(_WINDOW_SECONDS * sample_rate)
    count, before = -(-signals.shape[-1] // cell_samples), max(0, (size - cell_samples) // 2)
    behind = max(0, (count - 1) * cell_samples + size - before - signals.shape[-1])
    padded = np.pad(signals, [(0, 0)] * (signals.ndim - 1) + [(before, behind)])
    frames = np.lib.stride_tricks.sliding_window_view(padded, size, axis=-1)[..., ::cell_samples, :]
    hertz, window = np.fft.rfftfreq(size, 1 / sample_rate), np.hanning(size)
    bands = ((hertz[:, None] >= edges_hz[:-1]) & (hertz[:, None] < edges_hz[1:])).astype(np.float64)  # (bins, B)
    power = np.empty((*signals.shape[:-1], count, len(edges_hz) - 1))
    for first in range(0, count, _SLICE_CELLS):  # windowed frames overlap: all at once they are 3 times the wave
        piece = slice(first, min(first + _SLICE_CELLS, count))
        power[..., piece, :] = np.square(np.abs(np.fft.rfft(frames[..., piece, :] * window))) @ bands
    return power


def _moving_mean(cells: FloatArray) -> FloatArray:
    """The mean over `LEVEL_CELLS` on either side of cells (…, N), the first and last of which are repeated."""
    width = 2 * LEVEL_CELLS + 1
    edged = np.pad(cells, [(0, 0)] * (cells.ndim - 1) + [(LEVEL_CELLS, LEVEL_CELLS)], mode="edge")
    return np.lib.stride_tricks.sliding_window_view(edged, width, axis=-1).mean(-1)


def above_crossover(signal: FloatArray, sample_rate: int) -> FloatArray:
    """The part of a signal (…, T) above the crossover, in phase with it: the rest after a windowed-sinc low pass."""
    half = round(_FILTER_SECONDS * sample_rate)
    time = np.arange(-half, half + 1)
    taps = np.sinc(2 * CROSSOVER_HZ / sample_rate * time) * np.kaiser(len(time), 6.0)
    taps /= taps.sum()
    samples = signal.shape[-1]
    size = 1 << (samples + 2 * half - 1).bit_length()
    low = np.fft.irfft(np.fft.rfft(signal, size) * np.fft.rfft(taps, size), size)[..., half : half + samples]
    return (signal - low).astype(np.float32)
