"""Overlapping windows of long audio, and overlap-add of their outputs.

Every window is full: the last one starts earlier if necessary. Two neighbours are cross-faded over the last
`overlap` samples of the output so far, with sin² and cos², which add up to one.
"""

from collections.abc import Iterator

import numpy as np

from unbraid.dsp.arrays import FloatArray


def windows(
    blocks: Iterator[FloatArray], window_samples: int, overlap_samples: int
) -> Iterator[tuple[FloatArray, int]]:
    """Blocks (C, n) -> windows (C, ≤ window) with the number of samples at each one's end that are new.

    Audio no longer than a window comes as it is, in one. The rest comes in full windows, `overlap_samples` or more
    of each being old.
    """
    if not 0 <= overlap_samples < window_samples:
        raise ValueError(f"overlap ({overlap_samples}) must be at least 0 and less than the window ({window_samples}).")
    buffer: FloatArray | None = None
    new, hop = 0, window_samples - overlap_samples
    first = True
    for block in blocks:
        buffer = block if buffer is None else np.concatenate((buffer, block), axis=-1)
        new += block.shape[-1]
        while new >= (wanted := window_samples if first else hop):
            end = buffer.shape[-1] - new + wanted
            yield buffer[..., end - window_samples : end], wanted
            new -= wanted
            buffer = buffer[..., end - window_samples :]
            first = False
    if new and buffer is not None:
        yield buffer[..., -window_samples:], new


def regrouped(blocks: Iterator[FloatArray], samples: int) -> Iterator[FloatArray]:
    """The same samples in blocks (…, n) of one length; only the last is shorter."""
    return (window[..., -new:] for window, new in windows(blocks, samples, 0))


def sections(blocks: Iterator[FloatArray], samples: int) -> Iterator[FloatArray]:
    """Blocks (C, n) of any lengths -> sections of `samples` samples; the last may be up to twice as long.

    Where a section begins does not depend on the blocks. Only where all of it is shorter is there a shorter section.
    """
    held: list[FloatArray] = []
    count = 0
    for block in blocks:
        held.append(block)
        count += block.shape[-1]
        if count >= 2 * samples:
            joined = np.concatenate(held, axis=-1)
            whole = count // samples - 1  # the last one waits for what may be left over
            for i in range(whole):
                yield joined[..., i * samples : (i + 1) * samples]
            held, count = [joined[..., whole * samples :]], count - whole * samples
    if count:
        yield np.concatenate(held, axis=-1)


class Joiner:
    """Joins the outputs of successive windows; keeps the last `overlap` samples back for the next one."""

    def __init__(self, overlap_samples: int):
        self._overlap = overlap_samples
        self._tail: FloatArray | None = None

    def overlap(self, piece: FloatArray, new: int) -> tuple[FloatArray, FloatArray] | None:
        """The samples kept back and those of the piece (…, n) at the same time; None for the first piece."""
        if self._tail is None or not self._tail.shape[-1]:
            return None
        end = piece.shape[-1] - new
        return self._tail, piece[..., end - self._tail.shape[-1] : end]

    def add(self, piece: FloatArray, new: int) -> FloatArray:
        """Add a window's output (…, n), of which the last `new` samples are new; returns the final samples."""
        fresh = piece[..., piece.shape[-1] - new :]
        if (pair := self.overlap(piece, new)) is not None:
            old, again = pair
            rise = np.sin(np.pi / 2 * (np.arange(old.shape[-1]) + 0.5) / old.shape[-1]).astype(np.float32) ** 2
            fresh = np.concatenate((old + (again - old) * rise, fresh), axis=-1)
        keep = max(0, fresh.shape[-1] - self._overlap)
        self._tail = fresh[..., keep:]
        return fresh[..., :keep]

    def finish(self) -> FloatArray | None:
        """The samples kept back."""
        tail, self._tail = self._tail, None
        return tail
