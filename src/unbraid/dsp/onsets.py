"""The strength of onsets over time, in three bands: spectral flux of a mel spectrogram in decibels.

A level that rises within 20 ms is an onset. The earlier level is the highest of three neighbouring bands, so that
vibrato and glides do not count (SuperFlux: Böck & Widmer, "Maximum filter vibrato suppression for onset detection",
DAFx 2013). Levels more than 50 dB below the loudest so far of the whole recording count as silence: the measure
does not depend on the level of a recording, and what leaks into a stem that pauses has no onsets.
"""

from itertools import pairwise

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.frame_stream import FrameStream
from unbraid.dsp.framing import Mel
from unbraid.dsp.mel import mel_filters
from unbraid.dsp.stft import hann

SAMPLE_RATE = 16000
FRAMES_PER_SECOND = 100
BANDS = 3  # below about 200 Hz, up to 2 kHz, above
SILENT_DB = -90.0  # relative to a full-scale sine

_MEL = Mel(frame_samples=1024, hop_samples=SAMPLE_RATE // FRAMES_PER_SECOND, bins=48)
_EDGES_HZ = (200.0, 2000.0)
_RANGE_DB = 50.0
_LAG = 2  # frames
_SCALE = np.float32(2 / hann(_MEL.frame_samples).sum())  # a sine of amplitude 1 peaks at 1


def _groups() -> list[slice]:
    """The mel bands of each of the three bands, by their peaks."""
    peaks = mel_filters(_MEL, SAMPLE_RATE).argmax(1) * SAMPLE_RATE / _MEL.frame_samples
    edges = [0, *np.searchsorted(peaks, _EDGES_HZ).tolist(), _MEL.bins]
    return [slice(start, end) for start, end in pairwise(edges)]


class Onsets:
    """Onsets of several stems of one recording, which come together in blocks at 16 kHz."""

    def __init__(self, stems: int) -> None:
        self._frames = [FrameStream(_MEL.frame_samples, _MEL.hop_samples) for _ in range(stems)]
        self._before = np.full((stems, _LAG, _MEL.bins), SILENT_DB, np.float32)
        self._loudest = SILENT_DB
        self._filters, self._groups = mel_filters(_MEL, SAMPLE_RATE).T, _groups()
        self._found: list[FloatArray] = []

    def add(self, blocks: FloatArray) -> None:
        """Add the next samples (stems, n), or (1, n) for one signal alone."""
        self._see([frames.add(block) for frames, block in zip(self._frames, blocks, strict=True)])

    def finish(self) -> FloatArray:
        """Onset strengths (N, stems, BANDS) of the whole recording, 100 a second: the mean rise in units of 10 dB."""
        self._see([frames.finish() for frames in self._frames])
        return np.concatenate(self._found) if self._found else np.zeros((0, len(self._frames), BANDS), np.float32)

    def _see(self, frames: list[FloatArray]) -> None:
        if not len(frames[0]):
            return
        window = hann(_MEL.frame_samples) * _SCALE
        magnitudes = np.stack(
            [np.abs(np.fft.rfft(some * window)).astype(np.float32) for some in frames]
        )  # (S, n, bins)
        levels = 20 * np.log10(np.maximum(magnitudes @ self._filters, 10 ** (SILENT_DB / 20)))  # (S, n, F)
        loudest = np.maximum.accumulate(np.append(self._loudest, levels.max((0, 2))))[1:]  # (n,)
        self._loudest = float(loudest[-1])
        levels = np.maximum(levels, np.maximum(loudest - _RANGE_DB, SILENT_DB)[None, :, None]).astype(np.float32)
        whole = np.concatenate((self._before, levels), axis=1)
        self._before = whole[:, -_LAG:]
        earlier = whole[:, :-_LAG]
        wide = np.pad(earlier, ((0, 0), (0, 0), (1, 1)), mode="edge")
        highest = np.maximum(np.maximum(wide[..., :-2], wide[..., 2:]), earlier)
        rises = np.maximum(whole[:, _LAG:] - highest, 0) / 10
        self._found.append(np.stack([rises[..., group].mean(-1) for group in self._groups], -1).transpose(1, 0, 2))
