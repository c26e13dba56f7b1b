"""Generator: a model, loaded once, that writes one text for another: greedily, by beam search, or by drawing lots.

    with Generator("g2p") as generator:
        found = generator.generate([[9, 7, 26, 2], [4, 5, 2]], beams=3)  # [[best, second, third], [best, …]]

The encoder's graph runs once over a batch, the decoder's once a step; which symbol is written next is decided in
between (see search.py). Items are independent: what is found for one does not depend on the others, nor on how they are
batched.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from unbraid.errors import UsageError
from unbraid.folder import open_model_folder
from unbraid.geometry import AudioTransformerGeometry
from unbraid.hub import resolve
from unbraid.runtime import Executor, open_executor
from unbraid.search import Allowed, Choice, Hypothesis, Search, log_softmax
from unbraid.spec import ModelSpec
from unbraid.vocabulary import PADDING

BATCH_ITEMS = 64


class Steps:
    """A batch under way: what its rows have read, and the keys and values of what they have written."""

    def __init__(
        self, encoder: Executor, decoder: Executor, geometry: AudioTransformerGeometry, items: Sequence[Sequence[int]]
    ):
        lengths = np.array([len(item) for item in items], np.int64)  # (B,)
        symbols = np.full((len(items), lengths.max()), PADDING, np.int64)  # (B, N)
        for row, item in zip(symbols, items, strict=True):
            row[: len(item)] = item
        self._decoder, self._lengths = decoder, lengths
        self._memory = encoder.run({"symbols": symbols, "lengths": lengths})
        shape = (geometry.decoder_layers, len(items), geometry.heads, 0, geometry.features // geometry.heads)
        self._past = dict.fromkeys(("self_keys", "self_values"), np.zeros(shape, np.float32))  # (L, B, H, n, D/H)

    def logits(self, symbols: Sequence[int]) -> np.ndarray:
        """Write a symbol in each row; returns logits (B, V) of what follows."""
        written = {"symbols": np.array(symbols, np.int64), "lengths": self._lengths}
        found = self._decoder.run({**written, **self._past, **self._memory})
        self._past = {name: found[f"new_{name}"] for name in self._past}
        return found["logits"]

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows, in this order; a row may be left out or come twice."""
        if list(rows) != list(range(len(self._lengths))):
            self._lengths = self._lengths[rows]
            self._past = {name: value[:, rows] for name, value in self._past.items()}
            self._memory = {name: value[:, rows] for name, value in self._memory.items()}


class Generator:
    """A loaded model. Use it as often as you like; `close()` it, or use it in a `with` statement, to free memory."""

    def __init__(self, model: str | Path, *, device: str = "auto", threads: int | None = None):
        """Load a model by name or folder; see `runtime.open_executor` for `device` and `threads`.

        Raises:
            ModelError: there is no such model, or its folder is damaged.
            RuntimeUnavailable: the device is not there.
            UsageError: the model writes no text.
        """
        folder = resolve(model)
        spec = open_model_folder(folder)
        _geometry(spec)
        encoder, decoder = (
            open_executor(spec, folder, graph=graph, device=device, threads=threads) for graph in ("encoder", "decoder")
        )
        self._start(encoder, decoder, spec)

    @classmethod
    def over(cls, encoder: Executor, decoder: Executor, spec: ModelSpec) -> Self:
        """A generator over executors of one's own: another engine, or fakes in a test."""
        generator = cls.__new__(cls)
        generator._start(encoder, decoder, spec)
        return generator

    def _start(self, encoder: Executor, decoder: Executor, spec: ModelSpec) -> None:
        self.spec, self._encoder, self._decoder = spec, encoder, decoder
        self._geometry = _geometry(spec)
        self.device, self.device_reason = decoder.device, decoder.reason

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the network."""
        self._encoder.close()
        self._decoder.close()

    def generate(
        self,
        items: Sequence[Sequence[int]],
        *,
        beams: int = 1,
        length_penalty: float = 0.0,
        temperature: float = 0.0,
        seed: int = 0,
        most_symbols: int = 100,
        allowed: Allowed | None = None,
    ) -> list[list[Hypothesis]]:
        """Write for each item, a sequence of the source's symbols, up to `beams` texts, the best one first.

        Items are as the model was trained on: with END behind them. A text goes on until the model ends it, or for
        `most_symbols`; those that were cut off come last. With a `temperature` each text is drawn: the same for the
        same item and `seed`. `allowed(i, symbols)` says which symbols may follow these in a text for items[i], END too,
        as booleans (V,); probabilities stay those of the unconstrained model.

        Raises:
            UsageError: an item is empty or holds a number that is no symbol, a value makes no sense, or nothing was
                allowed.
        """
        choice = Choice(beams, length_penalty, temperature, seed, most_symbols, allowed)
        for i, item in enumerate(items):
            _check_item(i, item, self._geometry.source.symbols)
        order = sorted(range(len(items)), key=lambda i: len(items[i]))  # alike in length: little padding
        found: dict[int, list[Hypothesis]] = {}
        for start in range(0, len(order), BATCH_ITEMS):
            found |= self._batch({i: items[i] for i in order[start : start + BATCH_ITEMS]}, choice)
        return [found[i] for i in range(len(items))]

    def _batch(self, items: dict[int, Sequence[int]], choice: Choice) -> dict[int, list[Hypothesis]]:
        steps = Steps(self._encoder, self._decoder, self._geometry, list(items.values()))
        searches = {i: Search(i, item, choice) for i, item in items.items()}
        going = list(searches.values())
        rows = [row for row, search in enumerate(going) for _ in search.live]  # of `steps`, for each beginning
        while rows:
            steps.keep(rows)
            logs = log_softmax(steps.logits([path.last for search in going for path in search.live]))
            rows, first = [], 0
            for search in going:
                after = first + len(search.live)
                rows += [first + row for row in search.advance(logs[first:after])]
                first = after
            going = [search for search in going if search.live]
        return {i: search.found() for i, search in searches.items()}


def _geometry(spec: ModelSpec) -> AudioTransformerGeometry:
    """The sizes of a model that writes text."""
    if not isinstance(spec.geometry, AudioTransformerGeometry):
        raise UsageError(f"{spec.name} is a {spec.family}, which writes no text; choose an audio Transformer.")
    return spec.geometry


def _check_item(i: int, item: Sequence[int], symbols: int) -> None:
    if not len(item):
        raise UsageError(f"Item {i} is empty; there is nothing to read.")
    if wrong := [symbol for symbol in item if not 0 <= symbol < symbols]:
        raise UsageError(f"Item {i} holds {wrong[0]}, but the model reads symbols from 0 to {symbols - 1}.")
