"""Features that tell speech, music and noise apart, of a passage of a few seconds at 8 kHz.

Speech comes in syllables, about four a second, with gaps between them, and its pitch glides; notes have a steady pitch,
start in time with a pulse, and lie on the tempered scale. These are the features of Scheirer & Slaney ("Construction
and evaluation of a robust multifeature speech/music discriminator", ICASSP 1997), with the steadiness and the tuning of
spectral peaks. None depends on the level of the recording, the number of its channels, or anything above 4 kHz, so that
they are the same for a telephone and a studio.
"""

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.framing import Mel
from unbraid.dsp.mel import mel_filters
from unbraid.dsp.stft import stft

SAMPLE_RATE = 8000
LEAST_SAMPLES = SAMPLE_RATE  # a second
SILENT_POWER = 1e-8  # -80 dBFS: nothing to be heard

_MEL = Mel(frame_samples=256, hop_samples=128, bins=24)
_FRAME_RATE = SAMPLE_RATE / _MEL.hop_samples  # 62.5 Hz
_RANGE_DB = 60.0  # below the loudest band of the passage
_MODULATIONS_HZ = ((0.5, 2.0), (2.0, 3.5), (3.5, 6.0), (6.0, 12.0), (12.0, 25.0))
_LAGS = (1, 4, 16)  # frames: 16 ms, 64 ms, a quarter of a second
_GROUPS = 6  # of bands

_LONG_FRAME, _LONG_HOP = 1024, 256  # 128 ms, in which the partials of a note are apart
_LONG_BIN = SAMPLE_RATE / _LONG_FRAME  # Hz
_SMOOTHING = 25  # bins, 200 Hz: the envelope of a spectrum, without its partials
_TONAL_LAGS = (4, 8, 16)  # long frames: 0.13, 0.26 and half a second
_PITCH_HZ = (70.0, 500.0)
_PULSE_SECONDS = (0.2, 1.2)


def passage_features(audio: FloatArray) -> FloatArray:
    """Features (D,), float32, of a passage (T,) at 8 kHz, of a second or more that is not silent."""
    spectrum = np.abs(stft(np.asarray(audio, np.float32), _MEL.frame_samples, _MEL.hop_samples))  # (N, bins)
    power = spectrum**2 @ mel_filters(_MEL, SAMPLE_RATE).T  # (N, F)
    decibels = 10 * np.log10(np.maximum(power, 1e-12))
    decibels = np.maximum(decibels - decibels.max(), -_RANGE_DB)
    features = (
        *_loudness(power.sum(-1)),
        *_modulations(power),
        *_changes(decibels),
        *_pulse(decibels),
        *_harmonicity(audio),
        *_tones(audio),
        *_shape(decibels),
    )
    return np.array(features, np.float32)


def _loudness(power: FloatArray) -> list[float]:
    """The share of frames (N,) below half the mean power, its spread, and how far quiet frames are below loud ones."""
    decibels = 10 * np.log10(np.maximum(power / power.max(), 1e-6))
    low, middle, high = np.percentile(decibels, (10, 50, 90))
    spreads = (decibels.std(), high - middle, middle - low)
    return [float(np.mean(power < power.mean() / 2)), *(float(spread) / 10 for spread in spreads)]


def _modulations(power: FloatArray) -> list[float]:
    """The share of each modulation frequency in the envelopes of the bands (N, F), the mean over bands."""
    envelopes = np.sqrt(power)
    envelopes = (envelopes - envelopes.mean(0)) * np.hanning(len(envelopes))[:, None]
    spectrum = np.abs(np.fft.rfft(envelopes, axis=0)) ** 2  # (M, F)
    hertz = np.fft.rfftfreq(len(envelopes), 1 / _FRAME_RATE)
    total = spectrum[hertz >= _MODULATIONS_HZ[0][0]].sum(0) + 1e-12
    shares = [(spectrum[(hertz >= low) & (hertz < high)].sum(0) / total).mean() for low, high in _MODULATIONS_HZ]
    depth = envelopes.std(0).mean() / (np.sqrt(power).mean() + 1e-12)
    return [*map(float, shares), float(depth)]


def _changes(decibels: FloatArray) -> list[float]:
    """Spectral flux over a short, a middle and a long time: the mean and the spread of the change of levels (N, F)."""
    fluxes = [np.abs(decibels[lag:] - decibels[:-lag]).mean(-1) / 10 for lag in _LAGS]
    return [float(number) for flux in fluxes for number in (flux.mean(), flux.std())]


def _pulse(decibels: FloatArray) -> list[float]:
    """Pulse clarity: the highest autocorrelation of onsets in levels (N, F) at the distance of beats, and their sum."""
    onsets = np.maximum(decibels[1:] - decibels[:-1], 0).mean(-1)
    onsets = onsets - onsets.mean()
    spectrum = np.abs(np.fft.rfft(onsets, 2 * len(onsets))) ** 2
    correlation = np.fft.irfft(spectrum)[: len(onsets)]
    correlation /= correlation[0] + 1e-12
    first, last = (round(seconds * _FRAME_RATE) for seconds in _PULSE_SECONDS)
    beats = correlation[first : min(last, len(onsets) // 2)]
    return [float(beats.max()), float(beats.std())]


def _harmonicity(audio: FloatArray) -> list[float]:
    """How periodic frames are: the mean, the spread, and the share of clearly periodic ones, weighted by magnitude."""
    spectrum = np.abs(stft(audio, _LONG_FRAME // 2, _LONG_HOP)) ** 2
    correlation = np.fft.irfft(spectrum, axis=-1)[:, : _LONG_FRAME // 4]
    low, high = (round(SAMPLE_RATE / hertz) for hertz in reversed(_PITCH_HZ))
    periodic = correlation[:, low:high].max(-1) / (correlation[:, 0] + 1e-12)
    weights = np.sqrt(correlation[:, 0]) + 1e-12
    mean = np.average(periodic, weights=weights)
    spread = np.sqrt(np.average((periodic - mean) ** 2, weights=weights))
    return [float(mean), float(spread), float(np.average(periodic > 0.6, weights=weights))]


def _tones(audio: FloatArray) -> list[float]:
    """How much partials stand out, how long they stay where they are, and how well they are in tune."""
    magnitude = np.abs(stft(audio, _LONG_FRAME, _LONG_HOP))  # (N, bins)
    decibels = 20 * np.log10(np.maximum(magnitude, magnitude.max() * 1e-4))
    padded = np.pad(decibels, ((0, 0), (_SMOOTHING // 2 + 1, _SMOOTHING // 2)), mode="edge")
    sums = padded.cumsum(-1, dtype=np.float64)
    smooth = (sums[:, _SMOOTHING:] - sums[:, :-_SMOOTHING]) / _SMOOTHING  # the moving average
    tones = np.maximum(decibels - smooth, 0)  # (N, bins)
    weights = magnitude.sum(-1)
    outstanding = np.average(tones.std(-1), weights=weights) / 10
    steady = [_cosine(tones[lag:], tones[:-lag], np.sqrt(weights[lag:] * weights[:-lag])) for lag in _TONAL_LAGS]
    return [float(outstanding), *steady, *_tuning(magnitude, decibels, tones)]


def _cosine(ones: FloatArray, others: FloatArray, weights: FloatArray) -> float:
    """The mean cosine of vectors (N, bins); 0 where there are none."""
    if not len(ones):
        return 0.0
    lengths = np.sqrt((ones**2).sum(-1) * (others**2).sum(-1)) + 1e-12
    return float(np.average((ones * others).sum(-1) / lengths, weights=weights + 1e-12))


def _tuning(magnitude: FloatArray, decibels: FloatArray, tones: FloatArray) -> list[float]:
    """How much peaks between 200 Hz and 2 kHz agree on one tuning of the tempered scale, and how many there are."""
    first, last = round(200 / _LONG_BIN), round(2000 / _LONG_BIN)
    centre, left, right = (decibels[:, first + k : last + k] for k in (0, -1, 1))
    peaks = (centre > left) & (centre > right) & (tones[:, first:last] > 8)
    if not peaks.any():
        return [0.0, 0.0]
    curve = (left - 2 * centre + right)[peaks]
    hertz = (np.nonzero(peaks)[1] + first + 0.5 * (left - right)[peaks] / curve) * _LONG_BIN
    turns = np.exp(2j * np.pi * 12 * np.log2(hertz / 440))
    agreement = abs(np.average(turns, weights=np.sqrt(magnitude[:, first:last][peaks])))
    return [float(agreement), float(peaks.sum(-1).mean() / 10)]


def _shape(decibels: FloatArray) -> list[float]:
    """The mean level of groups of neighbouring bands (N, F), relative to that of all, and how much each varies."""
    groups = decibels.reshape(len(decibels), _GROUPS, -1).mean(-1)
    means = groups.mean(0)
    return [*((means - means.mean()) / 10).tolist(), *(groups.std(0) / 10).tolist()]
