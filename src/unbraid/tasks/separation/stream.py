"""Streams a track through a network: blocks are read, resampled to the model's rate, and paired with their stems.

    feed = Feed(track, model_rate, passes=1, reference="input")
    for whole, stems in feed.run(network): ...

Of the input only those blocks are kept whose stems are still to come, so memory does not grow with length.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Literal, Self

import numpy as np

from unbraid.audio import Excerpt, Reader, Resampler
from unbraid.dsp.arrays import Blocks, FloatArray
from unbraid.dsp.mixture_consistency import shared
from unbraid.dsp.rumble import split

BLOCK_SECONDS = 1.0
BLOCK_FRAMES = 1 << 16  # of a recording that is only read
Progress = Callable[[float, float | None], None]  # seconds done, total seconds (None: unknown)
Network = Callable[[Callable[[], Blocks]], Blocks]  # opens blocks (C, n), once for each pass; gives stems (S, C, n)

Reference = Literal["input", "narrow", "model"]


@dataclass(frozen=True)
class Track:
    """Audio that can be read several times, in blocks (C, n)."""

    sample_rate: int
    channels: int
    frames: int | None  # None where only reading tells
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

    def tapped(self, tap: "Tap | None", on_pass: int) -> Self:
        """The same track, whose blocks come through a tap in the pass of this number, from 1."""
        passes = count(1)

        def blocks() -> Blocks:
            return tap(self) if tap and next(passes) == on_pass else self.blocks()

        return replace(self, blocks=blocks)


Tap = Callable[[Track], Blocks]  # gives on the blocks of a track, as they are


class Waiting:
    """Blocks (C, n) that have been read and wait for the stems of the same samples."""

    def __init__(self) -> None:
        self._blocks: deque[FloatArray] = deque()

    def put(self, block: FloatArray) -> None:
        """Add the block that follows."""
        if block.shape[1]:
            self._blocks.append(block)

    def pair(self, stems: Blocks) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Each piece of a block (C, n) with the stems (S, C, n) of the same samples; surplus stems are dropped."""
        for block in stems:
            while block.shape[-1] and self._blocks:
                whole = self._blocks.popleft()
                count = min(whole.shape[1], block.shape[-1])
                if count < whole.shape[1]:
                    self._blocks.appendleft(whole[:, count:])
                yield whole[:, :count], block[..., :count]
                block = block[..., count:]


def beside(
    pairs: Iterator[tuple[FloatArray, FloatArray]],
    change: Callable[[Iterator[tuple[FloatArray, FloatArray]]], Blocks],
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """References (C, n) and stems (S, C, n), the latter changed by a function of both, whatever its delay."""
    waiting = Waiting()

    def kept() -> Iterator[tuple[FloatArray, FloatArray]]:
        for whole, stems in pairs:
            waiting.put(whole)
            yield whole, stems

    return waiting.pair(change(kept()))


@dataclass(frozen=True)
class Feed:
    """Runs a network over a track at the model's rate, in one or more passes, and pairs its stems with a reference.

    The `reference` is the input as it is, the input without the band above half the model's rate (narrow), or the input
    at the model's rate (model). With `rumble`, DC offset and rumble are removed, and those of the last pass are put
    there, (C, n), or (0, n) as long as there are none.
    """

    track: Track
    model_rate: int
    passes: int = 1
    reference: Reference = "input"
    progress: Progress | None = None
    rumble: Waiting | None = None
    work: tuple[int, ...] | None = None  # how long each pass takes, relative to the others; None: all alike

    @property
    def output_rate(self) -> int:
        """The sample rate of the reference, and so of the stems."""
        return self.model_rate if self.reference == "model" else self.track.sample_rate

    def run(self, network: Network) -> Iterator[tuple[FloatArray, FloatArray]]:
        """References (C, n) and stems (S, C, n) of a network that opens as many passes as there are."""
        waiting, progress = Waiting(), PassProgress(self.progress, self.passes, self.track, self.work)
        passes = (self._pass(progress, waiting if n == self.passes else None) for n in range(1, self.passes + 1))
        return waiting.pair(resampled(network(lambda: next(passes)), self.model_rate, self.output_rate))

    def low(self) -> Blocks:
        """Blocks (C, n) at the model's rate, in one pass, without rumble where that is to be removed."""
        return self._pass(PassProgress(self.progress, 1, self.track), None)

    def _pass(self, progress: "PassProgress", waiting: Waiting | None) -> Blocks:
        """Blocks (C, n) at the model's rate, none of them empty; the references of the last pass wait."""
        down = Resampler(self.track.sample_rate, self.model_rate, self.track.channels)
        up = Resampler(self.model_rate, self.track.sample_rate, self.track.channels)
        given = taken = 0

        def keep(block: FloatArray, low: FloatArray) -> None:
            nonlocal given
            kept = {"input": block, "model": low}[self.reference] if self.reference != "narrow" else up(low)
            given += kept.shape[1]
            if waiting:
                waiting.put(kept)

        for block in progress.reported(self._read(is_last=waiting is not None)):
            taken += block.shape[1]
            low = down(block)
            keep(block, low)
            if low.shape[1]:
                yield low
        low = down.finish()
        keep(np.zeros_like(low[:, :0]), low)
        if waiting and self.reference == "narrow":
            waiting.put(up.finish()[:, : taken - given])
        if low.shape[1]:
            yield low

    def _read(self, *, is_last: bool) -> Blocks:
        """The track's blocks, without their rumble where that is wanted."""
        if self.rumble is None:
            yield from self.track.blocks()
            return
        for clean, rumble in split(self.track.blocks(), self.track.sample_rate):
            if is_last:
                self.rumble.put(clean[:0] if rumble is None else rumble)
            yield clean


class PassProgress:
    """Progress over all passes through a track."""

    def __init__(self, progress: Progress | None, passes: int, track: Track, work: tuple[int, ...] | None = None):
        self._progress, self._rate = progress, track.sample_rate
        self._work = work or (1,) * passes  # of each pass
        self._pass = 0
        self._total = None if track.frames is None else track.frames / track.sample_rate
        self._before = 0.0  # seconds in earlier passes, times their work

    def reported(self, blocks: Blocks) -> Blocks:
        """The blocks of the next pass; progress is reported when a block has been used."""
        done, work = 0, self._work[self._pass]
        self._pass += 1
        for block in blocks:
            done += block.shape[1]
            yield block
            if self._progress:
                self._progress((self._before + work * done / self._rate) / sum(self._work), self._total)
        self._before += work * done / self._rate


def with_rumble(stems: Blocks, rumble: Waiting, sample_rate: int, *, residual: bool, strength: float) -> Blocks:
    """Stems (S, C, n) that add up to the whole input, given the rumble that was removed in front of the network.

    It goes to the residual, which is the last stem where there is one; below full `strength` the first keeps part of
    it. Otherwise the stems share it in proportion to their power, measured over seconds: shares that follow each
    syllable would modulate an offset audibly. A silent stem stays silent.
    """
    pairs = rumble.pair(stems)
    for low, block in pairs:
        if not len(low):
            yield block
            continue
        if not residual:  # once there is rumble, there is to the end
            mixed = ((parts.sum(0) + some, parts) for some, parts in chain(((low, block),), pairs) if len(some))
            yield from shared(mixed, cell_samples=sample_rate)
            return
        block = block.copy()
        block[-1] += strength * low
        if strength < 1:
            block[0] += (1 - strength) * low
        yield block


def recording(source: Path, excerpt: Excerpt, sample_rate: int, channels: int) -> Blocks:
    """A recording as blocks (C, n), at the rate and with the channels of its stems."""
    with Reader(source, excerpt) as reader:
        for block in resampled(reader.blocks(BLOCK_FRAMES), reader.info.sample_rate, sample_rate):
            yield np.broadcast_to(block, (channels, block.shape[1]))  # raw music models make stereo of mono


def resampled(blocks: Blocks, from_rate: int, to_rate: int) -> Blocks:
    """Blocks (C, n) or (S, C, n) at another rate; all channels of all stems go through one resampler."""
    if from_rate == to_rate:
        yield from blocks
        return
    resampler: Resampler | None = None
    for block in blocks:
        *shape, samples = block.shape
        channels = math.prod(shape)
        resampler = resampler or Resampler(from_rate, to_rate, channels)
        yield resampler(block.reshape(channels, samples)).reshape(*shape, -1)
    if resampler:
        yield resampler.finish().reshape(*shape, -1)


def _block(sample_rate: int) -> int:
    """How many samples are read at once."""
    return max(1, round(BLOCK_SECONDS * sample_rate))
