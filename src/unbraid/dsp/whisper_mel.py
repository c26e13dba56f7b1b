"""The log-mel spectrogram that Whisper reads (Radford et al., arXiv 2212.04356, section 2.2).

Frame n lies around sample n·hop of audio that is mirrored at its ends. Powers under a periodic Hann window are weighted
by Slaney's triangles (`dsp.slaney_mel`). A level is (log10(power) + 4) / 4, at most 8 powers of ten below the loudest
one.
"""

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.framing import Mel
from unbraid.dsp.slaney_mel import slaney_filters

FAINTEST = 1e-10  # power
DECADES = 8.0  # of powers, from the loudest one down


def whisper_mel(audio: FloatArray, mel: Mel, sample_rate: int) -> FloatArray:
    """Samples (T,), more than half a frame -> levels (N, F), float32, for N = ⌊T / hop⌋."""
    frame, hop = mel.frame_samples, mel.hop_samples
    padded = np.pad(audio.astype(np.float64), frame // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame)[::hop][: len(audio) // hop]  # (N, frame)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)
    power = np.abs(np.fft.rfft(frames * window)) ** 2  # (N, bins)
    levels = np.log10(np.maximum(power @ slaney_filters(mel, sample_rate).T, FAINTEST))  # (N, F)
    return ((np.maximum(levels, levels.max() - DECADES) + 4) / 4).astype(np.float32)
