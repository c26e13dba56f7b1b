"""The log-mel spectrograms of published speech synthesis, as their networks write and read them.

Magnitudes, not powers, under a periodic Hann window are weighted by Slaney's triangles (`dsp.slaney_mel`). Frame n lies
around sample n·hop of audio that is mirrored at its ends, N = T // hop + 1. By the name of the form in `Mel`:

    speecht5    log10(magnitude), at least 1e-10, of bands from 80 to 7600 Hz
    hifigan     ln(magnitude), at least 1e-5, of bands from 0 to 8000 Hz
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.framing import Mel
from unbraid.dsp.griffin_lim import linear_magnitudes
from unbraid.dsp.slaney_mel import slaney_filters
from unbraid.dsp.stft import hann


@dataclass(frozen=True)
class LogMel:
    """A logarithm, its least argument, and the range of the bands."""

    log: Callable[[np.ndarray], np.ndarray]
    base: str  # for people
    least: float
    lowest_hz: float
    highest_hz: float

    def of_magnitudes(self, magnitudes: FloatArray, mel: Mel, sample_rate: int) -> FloatArray:
        """Magnitudes (N, bins) of `numpy.fft.rfft` -> levels (N, F), float32."""
        filters = slaney_filters(mel, sample_rate, self.lowest_hz, min(self.highest_hz, sample_rate / 2))
        return self.log(np.maximum(magnitudes @ filters.T, self.least)).astype(np.float32)


FORMS = {
    "speecht5": LogMel(np.log10, "log10", 1e-10, 80.0, 7600.0),
    "hifigan": LogMel(np.log, "natural logarithm", 1e-5, 0.0, 8000.0),
}


def log_mel(audio: FloatArray, mel: Mel, sample_rate: int) -> FloatArray:
    """Samples (T,), more than half a frame -> levels (N, F) in one of FORMS, float32."""
    size, hop = mel.frame_samples, mel.hop_samples
    padded = np.pad(audio.astype(np.float64), size // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]  # (N, frame)
    return FORMS[mel.form].of_magnitudes(np.abs(np.fft.rfft(frames * hann(size))), mel, sample_rate)


def from_levels(levels: FloatArray, own: Mel, mel: Mel, sample_rate: int) -> FloatArray:
    """Levels (N, F) of `dsp.mel` in another form (N, F') with the same frames, by way of magnitudes of every bin."""
    magnitudes = linear_magnitudes(levels, own, sample_rate) * np.float32(hann(own.frame_samples).sum() / 2)
    return FORMS[mel.form].of_magnitudes(magnitudes, mel, sample_rate)
