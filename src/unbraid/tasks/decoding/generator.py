"""Generator: decodes texts autoregressively, greedily, by beam search, or by sampling.

    with Generator("g2p") as generator:
        found = generator.generate([[9, 7, 26, 2], [4, 5, 2]], beams=3)  # [[best, second, third], [best, …]]

The encoder's graph runs once for a batch, the decoder's once a step; search.py selects symbols in between. Items are
texts, log-mel spectrograms or waveforms, depending on the model (see state.py). They are independent: the result of
one does not depend on the others, nor on how they are batched.
"""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from unbraid.errors import UsageError
from unbraid.hub.spec import ModelSpec
from unbraid.hub.vocabulary import BEGIN, END
from unbraid.models.audio_transformer.config import AudioTransformerConfig
from unbraid.runtime import Engine, Executor
from unbraid.tasks.decoding.search import Allowed, BeamSearch, DecodingOptions, Hypothesis, log_softmax
from unbraid.tasks.decoding.state import Array, DecoderState, Item, as_item, batch, in_batches
from unbraid.tasks.loading import Loaded, LoadedModel, load, transformer_sizes


class Generator(LoadedModel):
    """A loaded model; use it as often as you like. `close()`, or a `with` statement, frees its memory."""

    def __init__(self, model: str | Path | Loaded, *, device: str = "auto", threads: int | None = None):
        """Load a model by name or folder; see `runtime.open_executor` for `device` and `threads`.

        Raises:
            ModelError: there is no such model, or its folder is damaged.
            RuntimeUnavailable: the device is not there.
            UsageError: the model does not generate text.
        """
        spec, (self._encoder, self._decoder) = load(model, _sizes, Engine(device, threads=threads))
        super().__init__(spec, self._encoder, self._decoder)
        self._geometry = _sizes(spec)

    @classmethod
    def over(cls, encoder: Executor, decoder: Executor, spec: ModelSpec) -> Self:
        """A generator over executors of one's own: another engine, or fakes in a test."""
        return cls(Loaded(spec, (encoder, decoder)))

    def generate(
        self,
        items: Sequence[Item],
        *,
        beams: int = 1,
        length_penalty: float = 0.0,
        temperature: float = 0.0,
        seed: int = 0,
        most_symbols: int = 100,
        allowed: Allowed | None = None,
    ) -> list[list[Hypothesis]]:
        """Decode up to `beams` texts for each item, the best one first.

        Items are symbols of the source vocabulary with END behind them; log-mel (N·stride, F); or samples (N·stride,).
        A text ends where the model ends it, or after `most_symbols`; those that were cut off come last. With a
        `temperature` texts are sampled: the same for the same item and `seed`. `allowed(i, symbols)` returns which
        symbols, END included, may follow these in a text for items[i], as booleans (V,); probabilities stay those of
        the unconstrained model.

        Raises:
            UsageError: an item is empty or not an input of this model, a value is out of range, or nothing is allowed.
        """
        choice = DecodingOptions(beams, length_penalty, temperature, seed, most_symbols, allowed)
        return in_batches(items, self._geometry.source, lambda some: self._batch(some, choice))

    def score(self, item: Item, symbols: Sequence[int]) -> Hypothesis:
        """Score a given text for an item, by teacher forcing.

        Raises:
            UsageError: the item is empty or not an input of this model.
        """
        steps = DecoderState(self._encoder, self._decoder, self._geometry, [as_item(0, item, self._geometry.source)])
        shown = (BEGIN, *symbols)
        logs = [
            float(log_softmax(steps.logits([last]))[0, follows])
            for last, follows in zip(shown, (*symbols, END), strict=True)
        ]
        return Hypothesis(tuple(symbols), tuple(logs), sum(logs))

    def ctc(self, item: Item) -> Array:
        """Log probabilities (N, V) of the encoder's CTC output at each step; symbol 0 is the blank.

        Raises:
            UsageError: the item is empty or not an input of this model, or the model was trained without CTC.
        """
        if not self._geometry.ctc:
            raise UsageError(f"{self.spec.name} was trained without CTC: its encoder alone writes no text.")
        side = self._geometry.source
        return log_softmax(self._encoder.run(batch([as_item(0, item, side)], side))["ctc_logits"][0])

    def _batch(self, items: dict[int, Array], choice: DecodingOptions) -> dict[int, list[Hypothesis]]:
        steps = DecoderState(self._encoder, self._decoder, self._geometry, list(items.values()))
        searches = {i: BeamSearch(i, _seed_of(item), choice) for i, item in items.items()}
        going = list(searches.values())
        rows = [row for row, search in enumerate(going) for _ in search.live]  # of `steps`, for each hypothesis
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


def _sizes(spec: ModelSpec) -> AudioTransformerConfig:
    return transformer_sizes(spec, "text")


def _seed_of(item: Array) -> Sequence[int]:
    """The part of the random seed that depends on the item."""
    return item.tolist() if item.dtype.kind == "i" else [zlib.crc32(item.tobytes())]
