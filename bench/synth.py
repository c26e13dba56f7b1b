"""Seeded audio to measure with: two voices at once, and a song. Nothing is read from disk."""

from pathlib import Path

import numpy as np
import soundfile

LOOP_SECONDS = 60


def voices(seconds: float, sample_rate: int, seed: int = 0) -> np.ndarray:
    """Two buzzing voices with syllables and pauses, at once: (T,) float32."""
    rng = np.random.default_rng(seed)
    samples = round(seconds * sample_rate)
    time = np.arange(samples) / sample_rate  # seconds
    mixture = 1e-3 * rng.standard_normal(samples)
    for pitch_hz, syllable_hz in ((110, 3.1), (190, 4.3)):
        phase = 2 * np.pi * pitch_hz * (time + 0.01 * np.sin(2 * np.pi * 0.7 * time))
        harmonics = range(1, int(0.45 * sample_rate / pitch_hz))
        buzz = sum(np.sin(k * phase + rng.uniform(0, 6)) / k for k in harmonics)
        mixture += 0.1 * buzz * np.clip(np.sin(2 * np.pi * syllable_hz * time + rng.uniform(0, 6)), 0, 1)
    return np.asarray(mixture, np.float32)


def write_voices(path: Path, seconds: float, sample_rate: int) -> Path:
    """Voices as a 16-bit wav."""
    return _write_loop(path, voices(min(seconds, LOOP_SECONDS), sample_rate)[:, None], seconds, sample_rate)


def write_song(path: Path, seconds: float, sample_rate: int = 44100) -> Path:
    """A stereo song of chords, a lead and drums as a 16-bit wav; a minute of it again and again."""
    rng = np.random.default_rng(1)
    time = np.arange(round(min(seconds, LOOP_SECONDS) * sample_rate)) / sample_rate
    root = 55 * 2 ** (np.array([0, 5, 7, 3])[(time // 2).astype(int) % 4] / 12)  # Hz, a chord every two seconds
    phase = 2 * np.pi * np.cumsum(root) / sample_rate
    sung = 8 * phase + 0.5 * np.sin(2 * np.pi * 5 * time)
    chords = np.sum([np.sin(m * phase) / m for m in (1, 2, 3, 4, 5, 6, 8, 10, 12)], axis=0)
    lead = np.sum([np.sin(k * sung) / k for k in range(1, 12)], axis=0)
    drums = rng.standard_normal((time.size, 2)) * np.exp(-8 * ((2 * time) % 1))[:, None]
    stereo = 0.1 * chords[:, None] + 0.06 * lead[:, None] * np.array([1.0, 0.6]) + 0.1 * drums  # (T, 2)
    return _write_loop(path, stereo, seconds, sample_rate)


def _write_loop(path: Path, loop: np.ndarray, seconds: float, sample_rate: int) -> Path:
    left = round(seconds * sample_rate)
    with soundfile.SoundFile(path, "w", sample_rate, loop.shape[1], "PCM_16") as file:
        while left > 0:
            file.write(loop[:left])
            left -= len(loop)
    return path
