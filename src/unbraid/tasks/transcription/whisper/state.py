"""The state of decoding one window: it is encoded once, and all hypotheses share its keys and values."""

from collections.abc import Sequence
from typing import Self

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.models.audio_transformer.config import AudioTransformerConfig
from unbraid.runtime import Executor

Heads = Sequence[tuple[int, int]]  # layer and head
Caches = dict[str, np.ndarray]


class WindowState:
    """The hypotheses of one window: B rows of tokens so far, as keys and values of the decoder."""

    def __init__(self, decoder: Executor, geometry: AudioTransformerConfig, memory: Caches):
        """`memory` is what `encoded` returns."""
        self._decoder, self._geometry, self._memory = decoder, geometry, memory
        self._lengths = np.array([memory["cross_keys_0"].shape[2]], np.int64)
        empty = np.zeros((1, geometry.heads, 0, geometry.features // geometry.heads), np.float32)
        self._past: Caches = {
            f"self_{name}_{i}": empty for name in ("keys", "values") for i in range(geometry.decoder_layers)
        }
        self._rows = 1

    def copy(self) -> Self:
        """The same state, to go on from it twice."""
        other = type(self)(self._decoder, self._geometry, self._memory)
        other._past, other._rows = self._past, self._rows
        return other

    def keep(self, rows: Sequence[int]) -> None:
        """Continue with these rows, in this order; a row may be left out or repeated."""
        if list(rows) != list(range(self._rows)):
            self._past = {name: value[list(rows)] for name, value in self._past.items()}
            self._rows = len(rows)

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


def encoded(encoder: Executor, geometry: AudioTransformerConfig, log_mel: FloatArray) -> Caches:
    """The decoder's keys and values, layer by layer, of a spectrogram (N·stride, F)."""
    lengths = np.array([geometry.source_steps], np.int64)
    found = encoder.run({"log_mel": log_mel[None], "lengths": lengths})
    return {
        f"{name}_{i}": found[name][i] for name in ("cross_keys", "cross_values") for i in range(geometry.decoder_layers)
    }
