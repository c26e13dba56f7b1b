"""The front end of Hybrid Transformer Demucs: segments of audio in, as waveforms and complex spectrograms; stems out.

The network hears segments of one length; shorter audio is filled up. It divides each by its level plus 1e-5, so that it
would hear quiet music softer than loud music. Here each window comes with a level of 1, and its stems get its own back:
what is found does not depend on the level, and one pass is enough.

`published_segments` does as Demucs does. It subtracts the mean of the whole track and divides by its deviation, for
which it reads the track twice; its segments overlap by a quarter and are weighted by triangles.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from unbraid.dsp.arrays import Blocks, ComplexArray, FloatArray
from unbraid.dsp.overlap import Joiner, windows
from unbraid.dsp.stft import istft, stft
from unbraid.models.htdemucs.config import HtdemucsConfig
from unbraid.runtime.executor import Executor
from unbraid.tasks.separation.fronts import as_pairs, distinct, from_pairs

LEVEL_EPS = 1e-8  # added to a track's deviation by Demucs


@dataclass(frozen=True)
class HybridFront:
    """A network, and its windows."""

    executor: Executor
    geometry: HtdemucsConfig
    window_samples: int
    overlap_samples: int
    fits_level: bool = True  # a window comes with a level of 1; otherwise as it is

    def separate(self, audio: FloatArray) -> FloatArray:
        """Stems (S, C, n) of one window (C, n), which a stereo network hears in pairs of channels."""
        items = as_pairs(audio) if self.geometry.channels == 2 else audio[:, None]  # (B, C', n)
        kinds, place = distinct(items)
        stems = np.concatenate([self._heard(items[kind]) for kind in kinds], 1)[:, place]  # (S, B, C', n)
        return from_pairs(stems, len(audio)) if self.geometry.channels == 2 else stems[:, :, 0]

    def _heard(self, item: FloatArray) -> FloatArray:
        """Stems (S, 1, C', n) of one item (C', n), at most a segment; a silent channel stays silent."""
        g, samples = self.geometry, item.shape[-1]
        level = np.float32(np.std(item, dtype=np.float64)) if self.fits_level else np.float32(1)
        if not level:
            return np.zeros((g.stems, 1, g.channels, samples), np.float32)
        mixture = np.pad(item / level, ((0, 0), (0, g.segment_samples - samples)))[None]  # (1, C', T)
        outputs = self.executor.run({"mixture": mixture, "spectrum": _spectrum(g, mixture)})
        waves = outputs["waves"] + _wave(g, outputs["spectra"])  # (1, S·C', T)
        stems = waves.reshape(g.stems, 1, g.channels, -1)[..., :samples] * level
        return stems * item.any(-1, keepdims=True) if self.fits_level else stems


def _spectrum(g: HtdemucsConfig, waves: FloatArray) -> FloatArray:
    """(B, C, T) -> (B, C·2, F, N): real and imaginary parts as channels, without the highest bin.

    Frame n is centred half a hop behind sample n·hop; the ends are mirrored.
    """
    after = g.margin_samples + g.frames * g.hop_samples - g.segment_samples
    padded = np.pad(waves, ((0, 0), (0, 0), (g.margin_samples, after)), mode="reflect")
    spectra = stft(padded, g.frame_samples, g.hop_samples)[..., : g.bins]  # (B, C, N, F)
    parts = np.stack((spectra.real, spectra.imag), 2).astype(np.float32, copy=False)  # (B, C, 2, N, F)
    parts *= np.float32(g.frame_samples**-0.5)
    return np.ascontiguousarray(parts.swapaxes(-1, -2)).reshape(len(waves), -1, g.bins, g.frames)


def _wave(g: HtdemucsConfig, spectra: FloatArray) -> FloatArray:
    """(B, C·2, F, N) -> (B, C, T): the inverse of `_spectrum`; the highest bin is zero."""
    parts = spectra.reshape(len(spectra), -1, 2, g.bins, g.frames)
    full: ComplexArray = np.zeros((*parts.shape[:2], g.frames, g.bins + 1), np.complex64)
    full.real[..., : g.bins] = parts[:, :, 0].swapaxes(-1, -2)
    full.imag[..., : g.bins] = parts[:, :, 1].swapaxes(-1, -2)
    full *= np.float32(g.frame_samples**0.5)
    waves = istft(full, g.frame_samples, g.hop_samples)
    return waves[..., g.margin_samples : g.margin_samples + g.segment_samples]


def hybrid_stems(front: HybridFront, blocks: Blocks) -> Blocks:
    """Stems (S, C, n) of blocks (C, n), neighbouring windows cross-faded."""
    joiner = Joiner(front.overlap_samples)
    for window, new in windows(blocks, front.window_samples, front.overlap_samples):
        yield joiner.add(front.separate(window), new)
    if (rest := joiner.finish()) is not None:
        yield rest


def published_segments(front: HybridFront, open_blocks: Callable[[], Blocks]) -> Blocks:
    """Stems (S, C, n) of blocks (C, n) as Demucs makes them; the blocks are opened twice."""
    mean, deviation = _statistics(open_blocks())
    scaled = ((block - mean) / deviation for block in open_blocks())
    for stems in _weighted(front, scaled):
        yield stems * deviation + mean


def _statistics(blocks: Blocks) -> tuple[np.float32, np.float32]:
    """The mean over channels and time, and the deviation (unbiased) of the mean of all channels over time."""
    count, mean, squares = 0, 0.0, 0.0  # squares: of the distance from the mean (Chan, Golub and LeVeque)
    for block in blocks:
        mono = block.mean(0, dtype=np.float64)
        size, own = len(mono), float(mono.mean())
        squares += float(np.square(mono - own).sum()) + (own - mean) ** 2 * count * size / (count + size)
        mean += (own - mean) * size / (count + size)
        count += size
    return np.float32(mean), np.float32(np.sqrt(squares / max(count - 1, 1)) + LEVEL_EPS)


def _segments(blocks: Blocks, size: int, step: int) -> Iterator[tuple[FloatArray, int, int]]:
    """Segments (C, size) from each step on, as long as there are samples; where they begin in it, and how many.

    One that the signal ends in is centred: it begins with older samples, and zeros follow the last.
    """
    buffer: FloatArray | None = None
    start = 0  # of the next segment in the buffer, which begins with up to half a segment of older samples

    def moved() -> None:
        nonlocal buffer, start
        assert buffer is not None
        start += step
        drop = max(0, start - size // 2)
        buffer, start = buffer[:, drop:], start - drop

    for block in blocks:
        buffer = block if buffer is None else np.concatenate((buffer, block), -1)
        while buffer.shape[-1] - start > size:  # so that the last one is known as such
            yield buffer[:, start : start + size], 0, size
            moved()
    while buffer is not None and (left := buffer.shape[-1] - start) > 0:
        before = (size - left) // 2
        first = max(0, start - before)
        segment = buffer[:, first:]
        zeros = max(0, before - start), size - (buffer.shape[-1] - start) - before
        yield np.pad(segment, ((0, 0), zeros)), before, left
        moved()


def _weighted(front: HybridFront, blocks: Blocks) -> Blocks:
    """The mean of all segments, weighted by triangles, a step at a time."""
    size = front.window_samples
    step = size - front.overlap_samples
    rise = np.arange(1, size // 2 + 1)
    triangle = np.concatenate((rise, np.arange(size - size // 2, 0, -1))).astype(np.float32)
    triangle /= triangle.max()
    total: FloatArray | None = None  # (S, C, size): the weighted sum from the segment on
    weights = np.zeros(size, np.float32)
    for segment, first, count in _segments(blocks, size, step):
        stems = front.separate(segment)[..., first : first + count]
        total = np.zeros((*stems.shape[:-1], size), np.float32) if total is None else total
        total[..., :count] += stems * triangle[:count]
        weights[:count] += triangle[:count]
        ready = min(step, count)
        yield total[..., :ready] / weights[:ready]
        total = np.concatenate((total[..., step:], np.zeros_like(total[..., :step])), -1)
        weights = np.concatenate((weights[step:], np.zeros(step, np.float32)))
