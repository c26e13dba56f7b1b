"""A track on its way through a model: read in blocks, brought to the model's rate, paired again with what came out.

    feed = Feed(track, model_rate, passes=1, reference="input")
    for whole, stems in feed.pair(network(feed.open())): ...

What is kept of the input is only what the network has not answered yet, so memory does not grow with length.
"""

import dataclasses
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Literal, Self

import numpy as np

from unbraid.audio import Reader, Resampler
from unbraid.dsp import Blocks, FloatArray
from unbraid.dsp.mixture_consistency import shared
from unbraid.dsp.rumble import split

BLOCK_SECONDS = 1.0
Progress = Callable[[float, float | None], None]  # seconds done, seconds in all (None: unknown)


@dataclass(frozen=True)
class Track:
    """Audio that can be read again and again, in blocks (C, n)."""

    sample_rate: int
    channels: int
    frames: int | None  # None where only reading can tell
    blocks: Callable[[], Blocks]

    @classmethod
    def of(cls, audio: FloatArray, sample_rate: int) -> Self:
        """An array (C, T)."""
        channels, frames = audio.shape
        block = _block(sample_rate)
        return cls(sample_rate, channels, frames, lambda: (audio[:, i : i + block] for i in range(0, frames, block)))

    @classmethod
    def through(cls, reader: Reader) -> Self:
        """A file that is open."""
        rate = reader.info.sample_rate
        return cls(rate, reader.info.channels, reader.frames, lambda: reader.blocks(_block(rate)))


class RumbleFree:
    """A track without its DC offset and rumble, which are given back to the stems of its last pass.

    `track` is the input of the network. The rumble goes to the residual, where there is one. Otherwise the stems share
    it in proportion to their power, as all that they leave over, but with the power measured over seconds: shares that
    follow each syllable would modulate an offset into something audible. A stem that is silent stays so.
    """

    def __init__(self, track: Track, passes: int) -> None:
        self.track = dataclasses.replace(track, blocks=self._open)
        self._source, self._passes, self._opened = track, passes, 0
        self._pending: deque[tuple[int, FloatArray | None]] = deque()  # samples, and the rumble in them

    def _open(self) -> Blocks:
        self._opened += 1
        for clean, rumble in split(self._source.blocks(), self._source.sample_rate):
            if self._opened == self._passes:
                self._pending.append((clean.shape[1], rumble))
            yield clean

    def given_back(self, stems: Blocks, *, residual: bool, strength: float) -> Blocks:
        """Stems (S, C, n) that add up to the whole input.

        With `residual` the last of them is one; at less than full `strength` the first keeps part of it.
        """
        pairs = self._pairs(stems)
        for rumble, block in pairs:
            if rumble is None:
                yield block
                continue
            if not residual:
                rest = chain(((rumble, block),), pairs)
                mixed = ((stems.sum(0) + some, stems) for some, stems in rest if some is not None)
                yield from shared(mixed, cell_samples=self._source.sample_rate)
                return
            block = block.copy()
            block[-1] += strength * rumble
            if strength < 1:
                block[0] += (1 - strength) * rumble
            yield block

    def _pairs(self, stems: Blocks) -> Iterator[tuple[FloatArray | None, FloatArray]]:
        """Stems (S, C, n) with the rumble (C, n) of the same samples; once there is some, there is to the end."""
        for block in stems:
            while block.shape[-1] and self._pending:
                samples, rumble = self._pending.popleft()
                count = min(samples, block.shape[-1])
                if count < samples:
                    self._pending.appendleft((samples - count, None if rumble is None else rumble[:, count:]))
                yield None if rumble is None else rumble[:, :count], block[..., :count]
                block = block[..., count:]


@dataclass
class Feed:
    """Opens a track at a model's rate, pass after pass, and pairs stems with what the last pass read.

    `reference` is what they are paired with: the input as it is, the input without what lies above the model's band
    (narrow), or the input at the model's rate (model).
    """

    track: Track
    model_rate: int
    passes: int = 1
    reference: Literal["input", "narrow", "model"] = "input"
    progress: Progress | None = None

    def __post_init__(self) -> None:
        self._opened = 0
        self._seconds = 0.0  # that the first pass found
        self._pending: deque[FloatArray] = deque()

    @property
    def output_rate(self) -> int:
        """The sample rate of the reference, and so of the stems."""
        return self.model_rate if self.reference == "model" else self.track.sample_rate

    def open(self) -> Blocks:
        """Blocks (C, n) at the model's rate; none is empty."""
        self._opened += 1
        last = self._opened == self.passes
        down = Resampler(self.track.sample_rate, self.model_rate, self.track.channels)
        up = Resampler(self.model_rate, self.track.sample_rate, self.track.channels)
        given = taken = 0

        def keep(block: FloatArray, low: FloatArray) -> None:
            nonlocal given
            kept = {"input": block, "model": low}[self.reference] if self.reference != "narrow" else up(low)
            given += kept.shape[1]
            if last and kept.shape[1]:
                self._pending.append(kept)

        for block in self._read():
            taken += block.shape[1]
            low = down(block)
            keep(block, low)
            if low.shape[1]:
                yield low
        low = down.finish()
        keep(np.zeros_like(low[:, :0]), low)
        if last and self.reference == "narrow":
            self._pending.append(up.finish()[:, : taken - given])
        if low.shape[1]:
            yield low

    def pair(self, stems: Blocks) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Stems (S, C, n) at the model's rate -> (reference (C, n), stems (S, C, n)); surplus stems are dropped."""
        for block in resampled(stems, self.model_rate, self.output_rate):
            while block.shape[-1] and self._pending:
                whole = self._pending.popleft()
                count = min(whole.shape[-1], block.shape[-1])
                if count < whole.shape[-1]:
                    self._pending.appendleft(whole[:, count:])
                yield whole[:, :count], block[..., :count]
                block = block[..., count:]

    def _read(self) -> Blocks:
        """The track's blocks, telling progress over all passes."""
        frames, rate = self.track.frames, self.track.sample_rate
        total = None if frames is None else frames / rate
        done = 0
        for block in self.track.blocks():
            done += block.shape[1]
            yield block
            if self.progress:
                self.progress(((self._opened - 1) * self._seconds + done / rate) / self.passes, total)
        self._seconds = done / rate


def resampled(stems: Blocks, from_rate: int, to_rate: int) -> Blocks:
    """Blocks (S, C, n) at another rate; all channels of all stems go through one resampler."""
    if from_rate == to_rate:
        yield from stems
        return
    resampler: Resampler | None = None
    for block in stems:
        *shape, samples = block.shape
        channels = int(np.prod(shape))
        if resampler is None:
            resampler = Resampler(from_rate, to_rate, channels)
        out = resampler(block.reshape(channels, samples))
        yield out.reshape(*shape, out.shape[1])
    if resampler is not None:
        out = resampler.finish()
        yield out.reshape(*shape, out.shape[1])


def _block(sample_rate: int) -> int:
    """How many samples are read at once."""
    return max(1, round(BLOCK_SECONDS * sample_rate))
