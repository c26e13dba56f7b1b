"""A voice out of formulas, and what needs WORLD."""

import importlib.util

import numpy as np
import pytest

needs_world = pytest.mark.skipif(importlib.util.find_spec("pyworld") is None, reason="pyworld is not installed")


def vowel(seconds: float = 2.0, rate: int = 16000, pitch_hz: float = 120.0) -> np.ndarray:
    """An "ah" (T,): harmonics under two formants, its pitch swaying a little, as all voices' does."""
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(pitch_hz * (1 + 0.01 * np.sin(2 * np.pi * 3 * time))) / rate
    sound = np.zeros_like(time)
    for harmonic in range(1, int(0.45 * rate / pitch_hz)):
        hz = harmonic * pitch_hz
        formants = sum(1 / (1 + ((hz - at) / wide) ** 2) for at, wide in ((700, 120), (1200, 150), (2600, 300)))
        sound += formants * np.sin(harmonic * phase)
    noise = 1e-3 * np.random.default_rng(0).standard_normal(len(time))
    return (0.2 * sound / np.abs(sound).max() + noise).astype(np.float32)
