"""The spectrogram and the level over time of one signal, gathered block by block.

Memory does not grow with length: time goes into a bounded number of columns, and whenever they are full, neighbours are
joined and each stands for twice as much. Of long signals spectra are computed less often as well, down to one for each
stretch of samples: a column is the mean of many, and overlapping ones would show nothing more. Frequencies are in rows
of equal ratio, as ears and musicians count them.
"""

import math
from typing import NamedTuple

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.stft import hann

MOST_COLUMNS = 1200
ROWS = 144
BAND_ROWS = 24  # that share a product of matrices
LOWEST_HZ, HIGHEST_HZ = 40.0, 20000.0
FRAME_SECONDS = 0.09
LEAST_BINS = 1.5  # that a row spans: below, where rows are narrower than bins, they overlap and so stay smooth
SILENCE_DB = -120.0
AT_ONCE_SAMPLES = 1 << 17  # small blocks are seen together: each call into NumPy takes as long as some spectra
OVERLAP = 4  # frames over each sample of a short signal


def decibels(power: FloatArray | float) -> FloatArray:
    """Power in dB, never below `SILENCE_DB`."""
    return np.asarray(10 * np.log10(np.maximum(power, 10 ** (SILENCE_DB / 10))), np.float32)


def top_hz(sample_rate: int) -> float:
    """The highest frequency that is shown."""
    return min(HIGHEST_HZ, sample_rate / 2)


def row_weights(frame_samples: int, sample_rate: int) -> FloatArray:
    """(F, R): the mean over the bins of each row, the lowest first."""
    lowest = min(LOWEST_HZ, top_hz(sample_rate) / 4)
    edges = np.geomspace(lowest, top_hz(sample_rate), ROWS + 1) * frame_samples / sample_rate  # in bins
    middle, width = (edges[1:] + edges[:-1]) / 2, np.maximum(np.diff(edges), LEAST_BINS)
    bins = np.arange(frame_samples // 2 + 1)[:, None]
    shared = np.minimum(middle + width / 2, bins + 0.5) - np.maximum(middle - width / 2, bins - 0.5)
    return np.asarray(np.maximum(shared, 0) / width, np.float32)


class Band(NamedTuple):
    """Neighbouring rows, and the part of a spectrum that is in them."""

    rows: slice
    parts: slice  # of (2 F), real and imaginary parts in turn
    weights: FloatArray  # (parts, rows), for their squares


def bands(weights: FloatArray) -> list[Band]:
    """Weights (F, R) in blocks along the diagonal: of a product with all of them, nearly all terms would be zero."""
    found = []
    for first in range(0, weights.shape[1], BAND_ROWS):
        rows = slice(first, first + BAND_ROWS)
        used = np.flatnonzero(weights[:, rows].any(axis=1))
        first_bin, end = (int(used[0]), int(used[-1]) + 1) if used.size else (0, 0)
        found.append(Band(rows, slice(2 * first_bin, 2 * end), np.repeat(weights[first_bin:end, rows], 2, axis=0)))
    return found


class Columns:
    """Means over time of values (n, R), in at most `MOST_COLUMNS` columns."""

    def __init__(self, rows: int) -> None:
        self._sums = np.zeros((MOST_COLUMNS, rows))  # what is added at once lies together in memory
        self._count, self._each = 0, 1  # values so far, and in each column

    def add(self, values: FloatArray) -> None:
        """Add the next values (n, R)."""
        new = len(values)
        while self._count + new > MOST_COLUMNS * self._each:
            self._sums[: MOST_COLUMNS // 2] = self._sums[::2] + self._sums[1::2]
            self._sums[MOST_COLUMNS // 2 :] = 0
            self._each *= 2
        columns = np.arange(self._count, self._count + new) // self._each
        first = np.flatnonzero(np.diff(columns, prepend=-1))
        self._sums[columns[first]] += np.add.reduceat(values, first)
        self._count += new

    @property
    def span(self) -> int:
        """The number of values that would fill the columns in use."""
        return -(-self._count // self._each) * self._each

    def means(self) -> FloatArray:
        """(R, columns); the last one may stand for less time than the others."""
        columns = -(-self._count // self._each)
        counts = np.minimum(self._each, self._count - self._each * np.arange(columns))
        return np.asarray(self._sums[:columns].T / counts, np.float32)


class Lane:
    """A signal (C, T) seen in blocks: `spectrogram` and `level` are power (mean over channels) in columns of time."""

    def __init__(self, sample_rate: int, channels: int, frames: int) -> None:
        """For a signal of about so many samples."""
        self._frame: int = 2 ** round(math.log2(max(8.0, FRAME_SECONDS * sample_rate)))
        hop = self._frame // OVERLAP
        self._hop = hop * hops_apart(frames / hop)
        self._least = self._frame // 2 + max(self._frame // 2, self._hop)  # samples that a hop and its frame span
        self._window = hann(self._frame)
        self._bands = bands(row_weights(self._frame, sample_rate) / (self._frame / 2) ** 2)
        self._waiting = [np.zeros((channels, self._frame // 2), np.float32)]  # frame n is centred on sample n · hop
        self._held = self._frame // 2  # samples that wait
        self._spectrogram, self._level = Columns(ROWS), Columns(1)
        self._energy = 0.0
        self.frames = 0  # samples so far

    def add(self, block: FloatArray) -> None:
        """Add a block (C, n)."""
        self._energy += sum(float(np.vdot(channel, channel)) for channel in block) / len(block)
        self.frames += block.shape[1]
        self._waiting.append(block)
        self._held += block.shape[1]
        if self._held >= AT_ONCE_SAMPLES:
            self._see(np.concatenate(self._waiting, axis=1))

    def finish(self) -> None:
        """Add the rest at the end."""
        left = self._held - self._frame // 2  # samples whose hop is still to come
        if left > 0:
            missing = (-(-left // self._hop) - 1) * self._hop + self._least - self._held
            self._see(np.pad(np.concatenate(self._waiting, axis=1), ((0, 0), (0, missing))))

    @property
    def power(self) -> float:
        """The mean square over all samples."""
        return self._energy / max(1, self.frames)

    @property
    def span(self) -> float:
        """The span of the columns, as a multiple of the signal's length: the last one may reach past the end."""
        return float(self._level.span * self._hop / max(1, self.frames))

    def spectrogram(self) -> FloatArray:
        """(R, columns), the lowest frequencies first; a full-scale sine has a power of about 1/4."""
        return self._spectrogram.means()

    def level(self) -> FloatArray:
        """(columns,)."""
        return self._level.means()[0]

    def _see(self, samples: FloatArray) -> None:
        count = (samples.shape[1] - self._least) // self._hop + 1
        if count > 0:
            self._spectrogram.add(self._spectra(samples, count))
            middle = samples[:, self._frame // 2 :][:, : count * self._hop]
            hops = middle.reshape(len(middle), count, self._hop)
            self._level.add(np.einsum("cns,cns->n", hops, hops)[:, None] / (len(middle) * self._hop))
            samples = samples[:, count * self._hop :]
        self._waiting, self._held = [samples], samples.shape[1]

    def _spectra(self, samples: FloatArray, count: int) -> FloatArray:
        """The power (n, R) at the next hops."""
        power = np.zeros((count, ROWS), np.float32)
        if samples.any():  # the track of a person is silent most of the time
            frames = np.lib.stride_tricks.sliding_window_view(samples, self._frame, axis=-1)[:, :: self._hop][:, :count]
            for channel in frames:
                parts = np.fft.rfft(channel * self._window).view(np.float32)  # (n, 2 F), real and imaginary
                np.square(parts, out=parts)
                for band in self._bands:
                    power[:, band.rows] += parts[:, band.parts] @ band.weights
        return power / np.float32(len(samples))


def hops_apart(hops: float) -> int:
    """How many hops lie between spectra of a signal of so many: as many as go into a column, but leaving no gap."""
    each = max(1.0, hops / MOST_COLUMNS)
    return min(OVERLAP, 2 ** int(math.log2(each)))


def spectrogram(signal: FloatArray, sample_rate: int) -> FloatArray:
    """A whole signal (C, T) as power (R, columns), see `Lane.spectrogram`."""
    lane = Lane(sample_rate, *signal.shape)
    lane.add(signal)
    lane.finish()
    return lane.spectrogram()
