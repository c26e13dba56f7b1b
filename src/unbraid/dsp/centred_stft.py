"""Short-time Fourier transform with frames centred on multiples of the hop, and its inverse, as torch.stft has them.

Frame n covers half a frame on either side of sample n·hop; beyond the ends, the signal is mirrored without its first or
last sample. A periodic Hann window both ways; the inverse divides by the sum of the squared windows over each sample,
so that the hop need not divide the frame.
"""

import numpy as np

from unbraid.dsp.arrays import ComplexArray, FloatArray
from unbraid.dsp.stft import hann, overlap_added, stft


def centred_stft(audio: FloatArray, frame_samples: int, hop_samples: int) -> ComplexArray:
    """(…, T) -> (…, N, F) complex64, N = T // hop + 1 and F = frame // 2 + 1.

    Raises:
        ValueError: the signal is no longer than half a frame, and so cannot be mirrored.
    """
    half = frame_samples // 2
    if audio.shape[-1] <= half:
        raise ValueError(f"a signal of {audio.shape[-1]} samples cannot be mirrored by {half}.")
    padded = np.pad(audio, [(0, 0)] * (audio.ndim - 1) + [(half, half)], mode="reflect")
    return stft(padded, frame_samples, hop_samples)


def centred_istft(
    spectrum: ComplexArray, frame_samples: int, hop_samples: int, samples: int | None = None
) -> FloatArray:
    """(…, N, F) -> (…, (N − 1)·hop) float32: the least-squares inverse of `centred_stft`.

    Or of so many `samples`, up to less than half a frame more: those that the last frames reach.
    """
    window = hann(frame_samples)
    frames = np.fft.irfft(spectrum, frame_samples).astype(np.float32, copy=False)
    frames *= window
    weights = np.broadcast_to(window**2, (spectrum.shape[-2], frame_samples))
    half = frame_samples // 2
    inside = slice(half, half + (samples or (spectrum.shape[-2] - 1) * hop_samples))
    found: FloatArray = overlap_added(frames, hop_samples)[..., inside] / overlap_added(weights, hop_samples)[inside]
    return found
