"""Generator: a model, loaded once, that writes texts for what it reads: greedily, by beam search, or by drawing lots.

    with Generator("g2p") as generator:
        found = generator.generate([[9, 7, 26, 2], [4, 5, 2]], beams=3)  # [[best, second, third], [best, …]]

The encoder's graph runs once over a batch, the decoder's once a step; which symbol is written next is decided in
between (see search.py). Items are texts, log-mel spectrograms or waveforms, whichever the model reads (see steps.py).
They are independent: what is found for one does not depend on the others, nor on how they are batched.
"""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from unbraid.errors import UsageError
from unbraid.hub.spec import ModelSpec
from unbraid.hub.vocabulary import BEGIN, END
from unbraid.models.audio_transformer.config import AudioTransformerConfig, TextSide
from unbraid.runtime import Executor
from unbraid.tasks.decoding.search import Allowed, BeamSearch, DecodingOptions, Hypothesis, log_softmax
from unbraid.tasks.decoding.state import Array, DecoderState, Item, as_item, batch, batches
from unbraid.tasks.loading import Loaded, LoadedModel, load


class Generator(LoadedModel):
    """A loaded model. Use it as often as you like; `close()` it, or use it in a `with` statement, to free memory."""

    def __init__(self, model: str | Path | Loaded, *, device: str = "auto", threads: int | None = None):
        """Load a model by name or folder; see `runtime.open_executor` for `device` and `threads`.

        Raises:
            ModelError: there is no such model, or its folder is damaged.
            RuntimeUnavailable: the device is not there.
            UsageError: the model writes no text.
        """
        spec, (self._encoder, self._decoder) = load(model, _geometry, device=device, threads=threads)
        super().__init__(spec, self._encoder, self._decoder)
        self._geometry = _geometry(spec)

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
        """Write for each item up to `beams` texts, the best one first.

        Items are symbols of the source as the model was trained on, with END behind them; log-mel (N·stride, F); or
        samples (N·stride,). A text goes on until the model ends it, or for `most_symbols`; those that were cut off come
        last. With a `temperature` each text is drawn: the same for the same item and `seed`. `allowed(i, symbols)` says
        which symbols may follow these in a text for items[i], END too, as booleans (V,); probabilities stay those of
        the unconstrained model.

        Raises:
            UsageError: an item is empty or is not what the model reads, a value makes no sense, or nothing was
                allowed.
        """
        choice = DecodingOptions(beams, length_penalty, temperature, seed, most_symbols, allowed)
        whole = [as_item(i, item, self._geometry.source) for i, item in enumerate(items)]
        found: dict[int, list[Hypothesis]] = {}
        for some in batches(whole, self._geometry.source):
            found |= self._batch({i: whole[i] for i in some}, choice)
        return [found[i] for i in range(len(items))]

    def score(self, item: Item, symbols: Sequence[int]) -> Hypothesis:
        """What the model thinks of a text for an item, whoever wrote it.

        Raises:
            UsageError: the item is empty or is not what the model reads.
        """
        steps = DecoderState(self._encoder, self._decoder, self._geometry, [as_item(0, item, self._geometry.source)])
        shown = (BEGIN, *symbols)
        logs = [
            float(log_softmax(steps.logits([last]))[0, follows])
            for last, follows in zip(shown, (*symbols, END), strict=True)
        ]
        return Hypothesis(tuple(symbols), tuple(logs), sum(logs))

    def ctc(self, item: Item) -> Array:
        """Log probabilities (N, V) of the encoder's own text: of each symbol at each step, number 0 for none.

        Raises:
            UsageError: the item is empty or is not what the model reads, or the model's encoder writes no text.
        """
        if not self._geometry.ctc:
            raise UsageError(f"{self.spec.name} was trained without CTC: its encoder alone writes no text.")
        side = self._geometry.source
        return log_softmax(self._encoder.run(batch([as_item(0, item, side)], side))["ctc_logits"][0])

    def _batch(self, items: dict[int, Array], choice: DecodingOptions) -> dict[int, list[Hypothesis]]:
        steps = DecoderState(self._encoder, self._decoder, self._geometry, list(items.values()))
        searches = {i: BeamSearch(i, _drawn_for(item), choice) for i, item in items.items()}
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


def _geometry(spec: ModelSpec) -> AudioTransformerConfig:
    """The sizes of a model that writes text."""
    if not isinstance(spec.geometry, AudioTransformerConfig):
        raise UsageError(
            f"{spec.name} is a {spec.family}, which writes no text symbol by symbol; choose an audio Transformer."
        )
    if not isinstance(side := spec.geometry.target, TextSide):
        raise UsageError(f"{spec.name} writes {side.kind}s, no text; choose a model that does.")
    return spec.geometry


def _drawn_for(item: Array) -> Sequence[int]:
    """What draws for an item depend on besides the seed."""
    symbols: list[int] = item.tolist() if item.dtype.kind == "i" else [zlib.crc32(item.tobytes())]
    return symbols
