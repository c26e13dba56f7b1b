"""The state of decoding windows: each is encoded once, and all its hypotheses share its keys and values."""

from collections.abc import Sequence
from typing import Self

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.models.audio_transformer.config import AudioTransformerConfig
from unbraid.runtime import Executor

Heads = Sequence[tuple[int, int]]  # layer and head
Caches = dict[str, np.ndarray]


class WindowState:
    """The hypotheses of I windows: B rows of tokens so far, as keys and values of the decoder.

    Each window has B / I rows, and they come window by window.
    """

    def __init__(self, decoder: Executor, geometry: AudioTransformerConfig, memory: Caches):
        """`memory` is what `encoded` returns."""
        self._decoder, self._geometry, self._memory = decoder, geometry, memory
        items, steps = memory["cross_keys_0"].shape[0], memory["cross_keys_0"].shape[2]
        self._lengths = np.full(items, steps, np.int64)
        empty = np.zeros((items, geometry.heads, 0, geometry.features // geometry.heads), np.float32)
        self._past: Caches = {
            f"self_{name}_{i}": empty for name in ("keys", "values") for i in range(geometry.decoder_layers)
        }
        self._rows = items

    def copy(self) -> Self:
        """The same state, to go on from it twice."""
        other = type(self)(self._decoder, self._geometry, self._memory)
        other._past, other._rows = self._past, self._rows
        return other

    def of_window(self, item: int) -> Self:
        """The state of one of the windows, each of which has one row as yet."""
        other = type(self)(self._decoder, self._geometry, of_window(self._memory, item))
        other._past = of_window(self._past, item)
        return other

    def keep(self, rows: Sequence[int]) -> None:
        """Continue with these rows, in this order; a row may be left out or repeated."""
        if list(rows) != list(range(self._rows)):
            self._past = {name: value[list(rows)] for name, value in self._past.items()}
            self._rows = len(rows)

    def keep_windows(self, items: Sequence[int]) -> None:
        """Forget all but these windows; the rows must be those of `keep` afterwards."""
        self._memory = {name: value[list(items)] for name, value in self._memory.items()}
        self._lengths = self._lengths[: len(items)]

    def logits(self, tokens: np.ndarray) -> FloatArray:
        """Append tokens (B, M) to the rows; returns logits (B, V) behind the last ones."""
        return self._step(tokens)["logits"]

    def alignment(self, tokens: np.ndarray, heads: Heads) -> FloatArray:
        """Append tokens (1, M); returns the attention weights (A, M, N) of these heads."""
        return self._step(tokens, heads)["alignment"][0]

    def _step(self, tokens: np.ndarray, heads: Heads = ()) -> Caches:
        layers = range(self._geometry.decoder_layers)
        chosen = {f"heads_{i}": np.array([head for layer, head in heads if layer == i], np.int64) for i in layers}
        inputs = {"symbols": np.asarray(tokens, np.int64), "lengths": self._lengths}
        found = self._decoder.run({**inputs, **chosen, **self._past, **self._memory})
        self._past = {name: found[f"new_{name}"] for name in self._past}
        return found


def encoded(encoder: Executor, geometry: AudioTransformerConfig, *log_mels: FloatArray) -> Caches:
    """The decoder's keys and values (I, H, N, D/H), layer by layer, of I spectrograms (N·stride, F)."""
    lengths = np.full(len(log_mels), geometry.source_steps, np.int64)
    found = encoder.run({"log_mel": np.stack(log_mels), "lengths": lengths})
    return {
        f"{name}_{i}": found[name][i] for name in ("cross_keys", "cross_values") for i in range(geometry.decoder_layers)
    }


def of_window(memory: Caches, item: int) -> Caches:
    """The keys and values of one of several windows."""
    return {name: value[item : item + 1] for name, value in memory.items()}
