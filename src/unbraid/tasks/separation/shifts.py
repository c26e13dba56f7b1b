"""The mean of a network's stems over copies of the audio that begin later, by random times.

A network that is not the same at every sample errs a little differently on each copy, and the mean errs less: 0.2 dB
at most, for N times the work. Source: Défossez et al., "Music Source Separation in the Waveform Domain" (arXiv
1911.13254), section 5.
"""

import itertools
import random
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from unbraid.dsp.arrays import Blocks, FloatArray
from unbraid.dsp.metrics import best_order
from unbraid.tasks.separation.stream import Network

MOST_SECONDS = 0.5


def delays(count: int, sample_rate: int) -> tuple[int, ...]:
    """So many random times in samples, up to half a second; the same ones each time."""
    drawn = random.Random(0)
    return tuple(drawn.randint(0, int(MOST_SECONDS * sample_rate)) for _ in range(count))


def shifted(network: Network, by: Sequence[int], *, any_order: bool) -> Network:
    """The mean over copies of the audio with so many zeros in front, of a network that opens it once.

    With `any_order` the stems of each copy may be in another order; they follow those of the first.
    """

    def run(open_blocks: Callable[[], Blocks]) -> Blocks:
        copies = itertools.tee(open_blocks(), len(by))
        return mean([_delayed(network, blocks, delay) for blocks, delay in zip(copies, by, strict=True)], any_order)

    return run


def _delayed(network: Network, blocks: Blocks, delay: int) -> Blocks:
    """The stems of audio behind so many zeros, without those of the zeros."""
    if (first := next(blocks, None)) is None:
        return
    zeros = np.zeros((first.shape[0], delay), first.dtype)
    left = delay
    for stems in network(lambda: itertools.chain((np.concatenate((zeros, first), 1),), blocks)):
        if (block := stems[..., left:]).shape[-1]:
            yield block
        left = max(0, left - stems.shape[-1])


def mean(runs: Sequence[Blocks], any_order: bool = False) -> Blocks:
    """The mean of several streams of stems (S, C, n), as long as the shortest; `any_order` as of `shifted`."""
    likeness: list[FloatArray | float] = [0.0] * len(runs)  # of the stems of a run to those of the first, (S, S)
    for parts in together(runs):
        total = parts[0].astype(np.float32)
        for i, stems in enumerate(parts[1:], 1):
            if any_order:
                likeness[i] = likeness[i] + np.einsum("ict,jct->ij", parts[0], stems, dtype=np.float64)
                stems = stems[best_order(np.asarray(likeness[i]))]
            total += stems
        yield total / np.float32(len(runs))


def together(runs: Sequence[Blocks]) -> Iterator[list[FloatArray]]:
    """Blocks (…, n) of several streams, cut so that they are equally long; the end is that of the shortest."""
    held: list[FloatArray] = [np.zeros((1, 0), np.float32)] * len(runs)
    while True:
        for i, run in enumerate(runs):
            while not held[i].shape[-1]:
                if (block := next(run, None)) is None:
                    return
                held[i] = block
        count = min(block.shape[-1] for block in held)
        yield [block[..., :count] for block in held]
        held = [block[..., count:] for block in held]
