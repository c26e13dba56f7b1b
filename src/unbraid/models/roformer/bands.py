"""The bands of a RoFormer: ranges of bins, side by side (BS-RoFormer) or overlapping (Mel-Band RoFormer).

A mel band holds the bins under a triangle whose feet are the peaks of its neighbours, all of them at equal distances on
the mel scale of Slaney's Auditory Toolbox: linear below 1 kHz (15 mel), logarithmic above, 27 mel for a factor of 6.4.
The first bin belongs to the first band and the last one to the last. Source: Wang et al., "Mel-Band RoFormer for Music
Source Separation" (arXiv 2310.01809), section 2; the scale as librosa documents it (librosa.mel_to_hz, htk=False).
"""

import itertools
from functools import cache

import numpy as np

Span = tuple[int, int]  # the first bin, and the one after the last
LINEAR_HZ = 200 / 3  # of a mel below 1 kHz
LINEAR_MELS = 15.0
LOG_STEP = np.log(6.4) / 27  # of a mel above


@cache
def mel_spans(bands: int, frame_samples: int, sample_rate: int) -> tuple[Span, ...]:
    """The bins of each mel band, up to half the sample rate.

    Raises:
        ValueError: a band has no bin, or a bin no band.
    """
    hertz = np.arange(frame_samples // 2 + 1) * (sample_rate / frame_samples)
    corners = _hertz(np.linspace(0.0, _mels(sample_rate / 2), bands + 2))
    inside = (hertz > corners[:-2, None]) & (hertz < corners[2:, None])  # (K, F)
    inside[0, 0] = inside[-1, -1] = True
    if not inside.any(0).all() or not inside.any(1).all():
        raise ValueError(
            f"{bands} mel bands do not cover the bins of frames of {frame_samples} samples at {sample_rate} Hz."
        )
    return tuple((int(bins[0]), int(bins[-1]) + 1) for bins in map(np.flatnonzero, inside))


def plain_spans(widths: tuple[int, ...]) -> tuple[Span, ...]:
    """Bands of so many bins, one after the other."""
    ends = tuple(itertools.accumulate(widths))
    return tuple(zip((0, *ends), ends, strict=False))


def sections(spans: tuple[Span, ...]) -> list[tuple[Span, tuple[int, ...]]]:
    """The bins cut at every edge of a band: pieces of the spectrum with the numbers of the bands that hold them."""
    edges = sorted({edge for span in spans for edge in span})
    return [
        ((first, end), tuple(k for k, (low, high) in enumerate(spans) if low <= first and end <= high))
        for first, end in itertools.pairwise(edges)
    ]


def _mels(hertz: float) -> float:
    if hertz < LINEAR_HZ * LINEAR_MELS:
        return hertz / LINEAR_HZ
    return LINEAR_MELS + float(np.log(hertz / (LINEAR_HZ * LINEAR_MELS)) / LOG_STEP)


def _hertz(mels: np.ndarray) -> np.ndarray:
    above = LINEAR_HZ * LINEAR_MELS * np.exp(LOG_STEP * (np.maximum(mels, LINEAR_MELS) - LINEAR_MELS))
    return np.where(mels < LINEAR_MELS, mels * LINEAR_HZ, above)
