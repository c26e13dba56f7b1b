"""Chroma: how strongly each pitch class sounds, and the tuning of a recording.

A spectrum of half a second is read at a third of a semitone, relative to its surroundings (an octave), so that
timbre and noise count little (after Mauch & Dixon, "Approximate note transcription for the improved identification of
difficult chords", ISMIR 2010). It is folded into an octave in two registers, bass and treble. The tuning is the
circular mean of the distances of spectral peaks from the tempered scale; thirds of a semitone become pitch classes once
it is known, after the last block.
"""

from functools import cache

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.frame_stream import FrameStream
from unbraid.dsp.stft import hann

SAMPLE_RATE = 16000
FRAMES_PER_SECOND = 10
REGISTERS = 2  # bass, treble

_FRAME = 8192
_THIRDS = 3  # bins of a semitone
_OCTAVE = 12 * _THIRDS
_LOWEST, _HIGHEST = 28, 100  # MIDI pitches: 41 Hz to 2.6 kHz
_BASS_TOP, _TREBLE_BOTTOM = 55, 50  # MIDI pitches: the registers fade into each other
_RANGE = 10 ** (-50 / 20)  # of magnitudes, relative to the loudest so far
_SILENT = 10 ** (-90 / 20)


class Chroma:
    """Chroma of several stems of one recording, which come together in blocks at 16 kHz."""

    def __init__(self, stems: int) -> None:
        self._frames = [FrameStream(_FRAME, SAMPLE_RATE // FRAMES_PER_SECOND) for _ in range(stems)]
        self._loudest = _SILENT
        self._turns = 0.0 + 0.0j
        self._found: list[FloatArray] = []

    def add(self, blocks: FloatArray) -> None:
        """Add the next samples (stems, n)."""
        self._see([frames.add(block) for frames, block in zip(self._frames, blocks, strict=True)])

    def finish(self) -> tuple[FloatArray, float]:
        """Chroma (N, stems, REGISTERS, 12), from C on, ten a second, and the tuning in cents above 440 Hz."""
        self._see([frames.finish() for frames in self._frames])
        if not self._found:
            return np.zeros((0, len(self._frames), REGISTERS, 12), np.float32), 0.0
        folded = np.concatenate(self._found)  # (N, S, R, 36)
        semitones = float(np.angle(self._turns)) / (2 * np.pi) if self._turns else 0.0
        return _tuned(folded, semitones), 100 * semitones

    def _see(self, frames: list[FloatArray]) -> None:
        if not len(frames[0]):
            return
        scale = np.float32(2 / hann(_FRAME).sum())
        magnitudes = np.stack([np.abs(np.fft.rfft(some * hann(_FRAME))) for some in frames]).astype(np.float32) * scale
        loudest = np.maximum.accumulate(np.append(self._loudest, magnitudes.max((0, 2))))[1:]  # (n,)
        self._loudest = float(loudest[-1])
        self._turns += _turns(magnitudes, self._loudest * _RANGE)
        least = np.asarray(loudest * _RANGE, np.float32)[:, None]
        pitches = np.log1p(magnitudes @ _pitch_filters() / least)  # (S, n, P)
        self._found.append(_folded(np.maximum(pitches - _surroundings(pitches), 0)).transpose(1, 0, 2, 3))


@cache
def _pitch_filters() -> FloatArray:
    """The weights of magnitudes (F, P) in thirds of a semitone, triangles no narrower than a bin."""
    hertz = np.arange(_FRAME // 2 + 1)[:, None] * SAMPLE_RATE / _FRAME  # (F, 1)
    pitches = np.arange(_LOWEST * _THIRDS, _HIGHEST * _THIRDS)[None] / _THIRDS  # (1, P)
    centres = 440 * 2 ** ((pitches - 69) / 12)
    width = np.maximum(centres * (2 ** (1 / 12 / _THIRDS) - 1), SAMPLE_RATE / _FRAME)
    weights = np.clip(1 - np.abs(hertz - centres) / width, 0, None)
    return np.asarray(weights / weights.sum(0), np.float32)


def _surroundings(pitches: FloatArray) -> FloatArray:
    """The mean (…, P) over an octave around each bin."""
    half = _OCTAVE // 2
    sums = np.pad(pitches, [(0, 0)] * (pitches.ndim - 1) + [(half + 1, half)], mode="edge").cumsum(-1, np.float64)
    return np.asarray(
        (sums[..., 2 * half :][..., : pitches.shape[-1]] - sums[..., : pitches.shape[-1]]) / (2 * half), np.float32
    )


def _folded(pitches: FloatArray) -> FloatArray:
    """(…, P) as chroma (…, REGISTERS, 36); bin 0 is C in tune."""
    pitch = np.arange(_LOWEST * _THIRDS, _HIGHEST * _THIRDS) / _THIRDS
    bass = np.clip((_BASS_TOP - pitch) / 6, 0, 1)
    treble = np.clip((pitch - _TREBLE_BOTTOM) / 6, 0, 1) * np.clip((_HIGHEST - pitch) / 24, 0, 1)
    weighted = pitches[..., None, :] * np.stack((bass, treble)).astype(np.float32)  # (…, R, P)
    octaves = weighted.reshape(*weighted.shape[:-1], -1, _OCTAVE).sum(-2)
    return np.asarray(np.roll(octaves, _LOWEST % 12 * _THIRDS, axis=-1), np.float32)


def _turns(magnitudes: FloatArray, least: float) -> complex:
    """The sum of unit vectors of the peaks between 100 Hz and 2 kHz; a turn is a semitone."""
    first, last = round(100 * _FRAME / SAMPLE_RATE), round(2000 * _FRAME / SAMPLE_RATE)
    decibels = np.log(np.maximum(magnitudes[..., first - 1 : last + 1], least / 100))
    left, centre, right = decibels[..., :-2], decibels[..., 1:-1], decibels[..., 2:]
    peaks = (centre > left) & (centre > right) & (centre > np.log(least * 10))
    if not peaks.any():
        return 0j
    curve = (left - 2 * centre + right)[peaks]
    bins = np.nonzero(peaks)[-1] + first + 0.5 * (left - right)[peaks] / np.minimum(curve, -1e-6)
    turns = np.exp(2j * np.pi * 12 * np.log2(bins * SAMPLE_RATE / _FRAME / 440))
    return complex((turns * np.sqrt(magnitudes[..., first:last][peaks])).sum())


def _tuned(folded: FloatArray, semitones: float) -> FloatArray:
    """(…, 36) as (…, 12): each pitch class at its tuned place and the thirds beside it."""
    shift = semitones * _THIRDS
    whole, part = int(np.floor(shift)), np.float32(shift - np.floor(shift))
    moved = (1 - part) * np.roll(folded, -whole, -1) + part * np.roll(folded, -whole - 1, -1)
    wide = moved + 0.5 * (np.roll(moved, 1, -1) + np.roll(moved, -1, -1))
    return np.asarray(wide[..., ::_THIRDS], np.float32)
