"""Mixture consistency: the remainder of a mixture is shared among its stems in proportion to their local power.

Power is measured in cells of 10 ms, smoothed over three and interpolated, per channel. A stem that is silent around a
sample gets nothing there; where all are silent, all get the same, or none gets anything (`to_silent=False`).
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from unbraid.dsp.arrays import FloatArray

CONTEXT = 3  # cells on either side that a sample's share depends on, rounded up


def share(mixture: FloatArray, stems: FloatArray, cell_samples: int, *, to_silent: bool = True) -> FloatArray:
    """Stems (S, C, T) that add up to the mixture (C, T)."""
    shares = power_shares(stems, cell_samples, 1.0 / len(stems) if to_silent else 0.0)  # (S, C, T)
    shares *= mixture - stems.sum(0)
    shares += stems
    return shares


def power_shares(stems: FloatArray, cell_samples: int, of_silent: float) -> FloatArray:
    """Weights (S, C, T) that add up to one over S; those of each stem where all are silent."""
    power = smoothed(cell_power(stems, cell_samples))  # (S, C, cells)
    total = power.sum(0)
    weights = np.where(total > 0, power / np.where(total > 0, total, 1.0), of_silent).astype(np.float32)
    return interpolated(weights, cell_samples)[..., : stems.shape[-1]]


def cell_power(stems: FloatArray, cell_samples: int) -> NDArray[np.float64]:
    """The energy of stems (…, T) in each cell: (…, cells), the last of them filled up with silence."""
    *shape, samples = stems.shape
    cells = -(-samples // cell_samples)
    padded = np.zeros((*shape, cells * cell_samples), np.float32)
    padded[..., :samples] = stems
    energy: NDArray[np.float64] = np.square(padded, dtype=np.float64).reshape(*shape, cells, cell_samples).sum(-1)
    return energy


def smoothed(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over three neighbouring cells (…, cells)."""
    edged = np.concatenate((cells[..., :1], cells, cells[..., -1:]), axis=-1)
    return edged[..., :-2] + edged[..., 1:-1] + edged[..., 2:]


def interpolated(cells: FloatArray, cell_samples: int) -> FloatArray:
    """Values at the middles of cells (…, n) -> values at samples (…, n · cell), linear, flat at both ends."""
    edged = np.concatenate((cells[..., :1], cells, cells[..., -1:]), axis=-1)
    place = (np.arange(cell_samples, dtype=np.float32) + 0.5) / cell_samples  # within the cell
    before, here, after = edged[..., :-2, None], edged[..., 1:-1, None], edged[..., 2:, None]
    slope = np.where(place < 0.5, here - before, after - here)
    lines: FloatArray = (here + slope * (place - 0.5)).astype(np.float32, copy=False)
    return lines.reshape(*cells.shape[:-1], -1)


def shared(
    pairs: Iterator[tuple[FloatArray, FloatArray]], cell_samples: int, *, to_silent: bool = True
) -> Iterator[FloatArray]:
    """A stream of (mixture (C, n), stems (S, C, n)) -> the same stems, shared out; equal to `share` of the whole."""
    return in_context(pairs, partial(share, cell_samples=cell_samples, to_silent=to_silent), cell_samples, CONTEXT)


def in_context(
    pairs: Iterator[tuple[FloatArray, FloatArray]],
    function: Callable[[FloatArray, FloatArray], FloatArray],
    cell_samples: int,
    context: int,
) -> Iterator[FloatArray]:
    """A function of (mixture (C, T), stems (S, C, T)) over a stream of both, in pieces that begin at a cell.

    Its values (S, C, T) depend on so many cells of context on either side; they are those of the whole.
    """
    margin = context * cell_samples
    mixture = stems = np.zeros(0, np.float32)
    before = 0  # samples at the buffer's start that are done and serve as context
    for piece, parts in pairs:
        mixture = np.concatenate((mixture, piece), axis=-1) if mixture.size else piece
        stems = np.concatenate((stems, parts), axis=-1) if stems.size else parts
        ready = (mixture.shape[-1] - margin) // cell_samples * cell_samples
        if ready > before:
            yield function(mixture, stems)[..., before:ready]
            start = max(0, ready - margin)
            mixture, stems, before = mixture[..., start:], stems[..., start:], ready - start
    if mixture.shape[-1] > before:
        yield function(mixture, stems)[..., before:]


def with_residual(whole: FloatArray, stems: FloatArray, strength: float) -> FloatArray:
    """Stems (S, C, n) and their residual to the whole (C, n), of which a single stem keeps a share below strength 1."""
    rest = whole - stems.sum(0)
    if strength < 1:
        stems, rest = stems + (1 - strength) * rest, strength * rest
    return np.concatenate((stems, rest[None])).astype(np.float32, copy=False)
