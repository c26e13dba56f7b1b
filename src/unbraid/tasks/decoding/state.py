"""The state of autoregressive decoding: a batch is encoded once, and the decoder's keys and values are cached.

Items are the model's inputs: symbols (N,), log-mel (N·stride, F) or samples (N·stride,), of any lengths. An incomplete
last step of audio is padded with zeros, or left out by a pretrained encoder (`padding.steps_in`). Shorter items of a
batch are padded, which does not change their results.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from unbraid.errors import UsageError
from unbraid.models.audio_transformer.config import AudioTransformerConfig, Side, SpectrogramSide, TextSide, source_name
from unbraid.models.audio_transformer.padding import steps_in, whole_steps
from unbraid.runtime import Executor

Array = np.ndarray
Item = Sequence[int] | Array
Decoded = TypeVar("Decoded")
BATCH_ITEMS = 64
BATCH_STEPS = 4096  # of all items together, padding included: the first convolution of audio takes the memory


class DecoderState:
    """A batch that is being decoded: keys and values of its source, and of the target so far."""

    def __init__(self, encoder: Executor, decoder: Executor, geometry: AudioTransformerConfig, items: Sequence[Array]):
        """Encode items, as `as_item` returns them."""
        inputs = batch(items, geometry.source)
        self._decoder, self._lengths = decoder, inputs["lengths"]  # (B,)
        self._memory = encoder.run(inputs)
        self._memory = {name: self._memory[name] for name in ("cross_keys", "cross_values")}
        shape = (geometry.decoder_layers, len(items), geometry.heads, 0, geometry.features // geometry.heads)
        self._past = dict.fromkeys(("self_keys", "self_values"), np.zeros(shape, np.float32))  # (L, B, H, n, D/H)

    def logits(self, symbols: Sequence[int]) -> Array:
        """Append a symbol to each row; returns logits (B, V) of the next."""
        return self._step({"symbols": np.array(symbols, np.int64)})["logits"]

    def frames(self, frames: Array) -> tuple[Array, Array]:
        """Append frames (B, r·F); returns the next ones, and their stop logits (B,)."""
        found = self._step({"frames": frames})
        return found["new_frames"], found["stop"]

    def keep(self, rows: Sequence[int]) -> None:
        """Continue with these rows, in this order; a row may be left out or repeated."""
        if list(rows) != list(range(len(self._lengths))):
            self._lengths = self._lengths[rows]
            self._past = {name: value[:, rows] for name, value in self._past.items()}
            self._memory = {name: value[:, rows] for name, value in self._memory.items()}

    def _step(self, written: dict[str, Array]) -> dict[str, Array]:
        found = self._decoder.run({**written, "lengths": self._lengths, **self._past, **self._memory})
        self._past = {name: found[f"new_{name}"] for name in self._past}
        return found


def as_item(i: int, item: Item, side: Side) -> Array:
    """The i-th item as an array of whole steps: int64 (N,), float32 (N·stride, F) or (N·stride,).

    Raises:
        UsageError: it is empty, of another shape, or has values out of range.
    """
    found = np.asarray(item)
    if not found.size:
        raise UsageError(f"Item {i} is empty; there is nothing to read.")
    if isinstance(side, TextSide):
        return _symbols(i, found, side.symbols)
    bins = side.bins if isinstance(side, SpectrogramSide) else None
    what = f"log-mel frames (N, {bins})" if bins else "samples (T,)"
    if found.dtype.kind not in "fiu" or found.ndim != (2 if bins else 1) or (bins and found.shape[1] != bins):
        raise UsageError(f"Item {i} is {found.dtype} {found.shape}, but the model reads {what}.")
    if not np.isfinite(found).all():
        raise UsageError(f"Item {i} holds NaN or infinity, but the model reads {what}.")
    return whole_steps(found.astype(np.float32), side)


def batch(items: Sequence[Array], side: Side) -> dict[str, Array]:
    """The inputs of an encoder's graph: items of whole steps, padded to the longest, and their lengths in steps."""
    first, longest = items[0], max(map(len, items))
    padded = np.zeros((len(items), longest, *first.shape[1:]), first.dtype)  # PADDING is 0, too
    for row, item in zip(padded, items, strict=True):
        row[: len(item)] = item
    lengths = np.array([steps_in(side, len(item)) for item in items], np.int64)  # (B,)
    return {source_name(side): padded, "lengths": lengths}


def in_batches(
    items: Sequence[Item], side: Side, decode: Callable[[dict[int, Array]], dict[int, Decoded]]
) -> list[Decoded]:
    """Decode items by a function of a batch, {number: item}.

    Raises:
        UsageError: an item is empty or not an input of this model.
    """
    whole = [as_item(i, item, side) for i, item in enumerate(items)]
    found: dict[int, Decoded] = {}
    for some in batches(whole, side):
        found |= decode({i: whole[i] for i in some})
    return [found[i] for i in range(len(items))]


def batches(items: Sequence[Array], side: Side) -> list[list[int]]:
    """The numbers of the items of each batch: alike in length, and not too many."""
    found: list[list[int]] = []
    for i in sorted(range(len(items)), key=lambda i: len(items[i])):
        steps = steps_in(side, len(items[i]))  # no others are longer so far
        if found and len(found[-1]) < BATCH_ITEMS and (len(found[-1]) + 1) * steps <= BATCH_STEPS:
            found[-1].append(i)
        else:
            found.append([i])
    return found


def _symbols(i: int, item: Array, symbols: int) -> Array:
    if item.dtype.kind not in "iu" or item.ndim != 1:
        raise UsageError(f"Item {i} is {item.dtype} {item.shape}, but the model reads symbols (N,), whole numbers.")
    if (wrong := item[(item < 0) | (item >= symbols)]).size:
        raise UsageError(f"Item {i} holds {wrong[0]}, but the model reads symbols from 0 to {symbols - 1}.")
    return item.astype(np.int64)
