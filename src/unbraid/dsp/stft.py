"""Short-time Fourier transform and its inverse, whole or as a stream, with Spleeter's framing.

One frame of zeros leads, so that every sample is under as many frames as any other; frame n covers the input from
n·hop − frame to n·hop. A periodic Hann window both ways: with a hop of a quarter frame, Σ w² = 3/2 everywhere.
"""

from collections.abc import Iterator

import numpy as np

from unbraid.dsp.arrays import ComplexArray, FloatArray

SLICE_FRAMES = 64


def hann(frame_samples: int) -> FloatArray:
    """The periodic Hann window, float32."""
    phase = 2 * np.pi * np.arange(frame_samples) / frame_samples
    return (0.5 - 0.5 * np.cos(phase)).astype(np.float32)


def frame_count(samples: int, frame_samples: int, hop_samples: int) -> int:
    """Frames of an input of so many samples, the leading zeros included."""
    return -(-(samples + frame_samples) // hop_samples)


def stft(padded: FloatArray, frame_samples: int, hop_samples: int) -> ComplexArray:
    """(…, L) -> (…, N, F) complex64 with L = (N − 1)·hop + frame and F = frame // 2 + 1; adds no padding."""
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame_samples, axis=-1)[..., ::hop_samples, :]
    spectrum = np.empty((*frames.shape[:-1], frame_samples // 2 + 1), np.complex64)
    window = hann(frame_samples)
    for i in range(0, frames.shape[-2], SLICE_FRAMES):  # windowed frames overlap: all at once they are 4 times the wave
        piece = slice(i, i + SLICE_FRAMES)
        spectrum[..., piece, :] = np.fft.rfft(frames[..., piece, :] * window)
    return spectrum


def istft(spectrum: ComplexArray, frame_samples: int, hop_samples: int) -> FloatArray:
    """(…, N, F) -> (…, (N − 1)·hop + frame): windowed overlap-add; exact where all frames overlap."""
    window = hann(frame_samples)
    window *= hop_samples / np.sum(window**2)
    frames = np.fft.irfft(spectrum, frame_samples)
    frames *= window
    return overlap_added(frames.astype(np.float32, copy=False), hop_samples)


def overlap_added(frames: np.ndarray, hop: int) -> np.ndarray:
    """Frames (…, N, size), each `hop` samples after the one before, added up: (…, (N − 1)·hop + size).

    They are added a hop at a time: part k of frame n lands on hop n + k of the output.
    """
    *shape, count, size = frames.shape
    parts = -(-size // hop)
    out = np.zeros((*shape, count + parts - 1, hop), frames.dtype)
    for k in range(parts):
        part = frames[..., k * hop : (k + 1) * hop]
        out[..., k : k + count, : part.shape[-1]] += part
    return out.reshape(*shape, -1)[..., : (count - 1) * hop + size]


def analysis(
    blocks: Iterator[FloatArray], frame_samples: int, hop_samples: int, segment_frames: int
) -> Iterator[ComplexArray]:
    """Blocks (…, n) -> spectra (…, N, F) of `segment_frames` frames each; the last one has those that remain."""
    first = next(blocks, None)
    if first is None:
        return
    buffer = np.concatenate((np.zeros((*first.shape[:-1], frame_samples), np.float32), first), axis=-1)
    samples, done = first.shape[-1], 0
    needed = (segment_frames - 1) * hop_samples + frame_samples
    while True:
        while buffer.shape[-1] >= needed:
            yield stft(buffer[..., :needed], frame_samples, hop_samples)
            buffer = buffer[..., segment_frames * hop_samples :]
            done += segment_frames
        block = next(blocks, None)
        if block is None:
            break
        samples += block.shape[-1]
        buffer = np.concatenate((buffer, block), axis=-1)
    if left := frame_count(samples, frame_samples, hop_samples) - done:
        missing = (left - 1) * hop_samples + frame_samples - buffer.shape[-1]
        padding = [(0, 0)] * (buffer.ndim - 1) + [(0, missing)]
        buffer = np.pad(buffer, padding)
        for i in range(0, left, segment_frames):  # frames that begin within the input and end after it may be too many
            end = (min(i + segment_frames, left) - 1) * hop_samples + frame_samples
            yield stft(buffer[..., i * hop_samples : end], frame_samples, hop_samples)


def synthesis(spectra: Iterator[ComplexArray], frame_samples: int, hop_samples: int) -> Iterator[FloatArray]:
    """Spectra (…, N, F) -> blocks (…, n): the inverse of `analysis`, with some surplus samples at the end."""
    tail: FloatArray | None = None
    skip = frame_samples  # the leading zeros
    for spectrum in spectra:
        wave = istft(spectrum, frame_samples, hop_samples)
        if tail is not None:
            wave[..., : tail.shape[-1]] += tail
        end = spectrum.shape[-2] * hop_samples
        tail = wave[..., end:]
        start = min(skip, end)
        skip -= start
        if start < end:
            yield wave[..., start:end]
