"""The front end of networks that mask complex spectrograms, RoFormers: windows of audio in, stems out.

The windows overlap and are cross-faded, as those of networks on waveforms. `published_stems` has the windows of the
published programs instead: audio mirrored by the overlap at both ends, chunks that are weighted by a window with
straight slopes of a tenth of their length, and divided by the sum of the weights.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import numpy as np

from unbraid.dsp.arrays import Blocks, ComplexArray, FloatArray
from unbraid.dsp.centred_stft import centred_istft, centred_stft
from unbraid.dsp.overlap import Joiner, windows
from unbraid.models.roformer.config import RoformerConfig
from unbraid.runtime.executor import Executor
from unbraid.tasks.separation.fronts import as_pairs, distinct, from_pairs, run_network

FADES = 10  # in a chunk of the published programs


@dataclass(frozen=True)
class ComplexFront:
    """A network on complex spectrograms, and its windows."""

    executor: Executor
    geometry: RoformerConfig
    window_samples: int
    overlap_samples: int

    def separate(self, audio: FloatArray) -> FloatArray:
        """Stems (S, C, T) of one window (C, T), which a stereo network sees in pairs of channels."""
        stereo = self.geometry.channels == 2
        items = as_pairs(audio) if stereo else audio[:, None]  # (B, C', T)
        kinds, place = distinct(items)
        stems = self._masked(items[kinds])[:, place]  # (S, B, C', T)
        return from_pairs(stems, len(audio)) if stereo else stems[:, :, 0]

    def _masked(self, items: FloatArray) -> FloatArray:
        """Stems (S, B, C', T) of items (B, C', T), filled up with zeros to whole hops."""
        g, samples = self.geometry, items.shape[-1]
        missing = max(g.least_samples - samples, 0)
        missing += -(samples + missing) % g.hop_samples
        mixture = self._spectrum(np.pad(items, ((0, 0), (0, 0), (0, missing))))  # (B, N, F, C')
        seen = mixture.view(np.float32).reshape(*mixture.shape[:2], -1)
        masks = run_network(self.executor, "spectrum", seen, 1).view(np.complex64)  # (B, S, N, F·C')
        stems = masks.reshape(*masks.shape[:-1], g.bins, -1) * mixture[:, None]  # (B, S, N, F, C')
        if g.zero_dc:
            stems[..., 0, :] = 0
        return self._waves(stems.transpose(1, 0, 4, 2, 3))[..., :samples]

    def _spectrum(self, items: FloatArray) -> ComplexArray:
        g = self.geometry
        spectrum = centred_stft(items, g.frame_samples, g.hop_samples).transpose(0, 2, 3, 1)
        return np.ascontiguousarray(spectrum * np.float32(g.frame_samples**-0.5) if g.normalized else spectrum)

    def _waves(self, spectra: ComplexArray) -> FloatArray:
        g = self.geometry
        waves = centred_istft(spectra, g.frame_samples, g.hop_samples)
        return waves * np.float32(g.frame_samples**0.5) if g.normalized else waves


class Windowed(Protocol):
    """A network whose stems have a fixed order, and its windows."""

    @property
    def window_samples(self) -> int:
        """Of a window."""
        ...

    @property
    def overlap_samples(self) -> int:
        """That two windows share."""
        ...

    def separate(self, audio: FloatArray) -> FloatArray:
        """Stems (S, C, T) of one window (C, T)."""
        ...


def windowed_stems(front: Windowed, blocks: Blocks) -> Blocks:
    """Stems (S, C, n) of blocks (C, n), neighbouring windows cross-faded."""
    joiner = Joiner(front.overlap_samples)
    for window, new in windows(blocks, front.window_samples, front.overlap_samples):
        yield joiner.add(front.separate(window), new)
    if (rest := joiner.finish()) is not None:
        yield rest


def published_stems(front: ComplexFront, blocks: Blocks) -> Blocks:
    """Stems (S, C, n) of blocks (C, n) in the windows of the published programs."""
    border = front.overlap_samples
    held: list[FloatArray] = []
    while sum(part.shape[-1] for part in held) <= 2 * border and (block := next(blocks, None)) is not None:
        held.append(block)
    if not held:
        return
    head = np.concatenate(held, -1)
    if 0 < 2 * border < head.shape[-1]:
        yield from _without_ends(_weighted(front, _mirrored(head, blocks, border)), border)
    else:
        yield from _weighted(front, chain((head,), blocks))


def _mirrored(head: FloatArray, rest: Blocks, border: int) -> Blocks:
    """The head and the rest of a signal, mirrored by `border` samples at both ends."""
    yield head[..., border:0:-1]
    tail = head[..., -border - 1 :]
    yield head
    for block in rest:
        tail = np.concatenate((tail, block), -1)[..., -border - 1 :]
        yield block
    yield tail[..., -2::-1]


def _without_ends(blocks: Blocks, border: int) -> Blocks:
    """Blocks (…, n) without the first and the last `border` samples of all."""
    skip, held = border, None
    for block in blocks:
        start = min(skip, block.shape[-1])
        skip, block = skip - start, block[..., start:]
        held = block if held is None else np.concatenate((held, block), -1)
        if (ready := held.shape[-1] - border) > 0:
            yield held[..., :ready]
            held = held[..., ready:]


def chunks(blocks: Blocks, size: int, step: int) -> Iterator[tuple[FloatArray, bool]]:
    """Chunks (C, ≤ size) from each step on, as long as there are samples; and whether the signal ends in it."""
    buffer: FloatArray | None = None
    for block in blocks:
        buffer = block if buffer is None else np.concatenate((buffer, block), -1)
        while buffer.shape[-1] > size:
            yield buffer[..., :size], False
            buffer = buffer[..., step:]
    while buffer is not None and buffer.shape[-1]:
        yield buffer[..., :size], True
        buffer = buffer[..., step:]


def _weighted(front: ComplexFront, blocks: Blocks) -> Blocks:
    """The weighted mean of all chunks, a step at a time."""
    size, fade = front.window_samples, front.window_samples // FADES
    step = size - front.overlap_samples
    slope = np.linspace(0, 1, fade, dtype=np.float32)
    total: FloatArray | None = None  # (S, C, size): the weighted sum from the chunk on
    weights = np.zeros(size, np.float32)
    for i, (chunk, is_last) in enumerate(chunks(blocks, size, step)):
        window = np.ones(size, np.float32)
        window[:fade] = 1 if i == 0 else slope
        window[size - fade :] = 1 if is_last and i else slope[::-1]
        length = chunk.shape[-1]
        stems = front.separate(_filled(chunk, size))[..., :length]
        total = np.zeros((*stems.shape[:-1], size), np.float32) if total is None else total
        total[..., :length] += stems * window[:length]
        weights[:length] += window[:length]
        ready = slice(0, min(step, length))
        yield np.divide(
            total[..., ready], weights[ready], out=np.zeros_like(total[..., ready]), where=weights[ready] > 0
        )
        total = np.concatenate((total[..., step:], np.zeros_like(total[..., :step])), -1)
        weights = np.concatenate((weights[step:], np.zeros(step, np.float32)))


def _filled(chunk: FloatArray, size: int) -> FloatArray:
    """A chunk (C, n) of full size: mirrored at its end if it is longer than half of it, else followed by zeros."""
    length = chunk.shape[-1]
    missing = ((0, 0), (0, size - length))
    return np.pad(chunk, missing, mode="reflect") if length > size // 2 + 1 else np.pad(chunk, missing)
