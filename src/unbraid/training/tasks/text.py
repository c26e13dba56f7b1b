"""Training from text to text, such as words to phonemes, by the audio Transformer (see models/audio_transformer).

Training uses teacher forcing, and the loss is the cross-entropy with label smoothing
(Szegedy et al., arXiv 1512.00567; "Attention Is All You Need", section 5.4):

    −Σ_v q_v log p_v,   q = (1 − ε) one-hot + ε / V

The dev score is 100 % minus the phoneme error rate of greedy decoding, to the closest pronunciation of the word. The
vocabularies are those of the training split, and are stored with the weights.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.corpora.pairs import find_pairs
from unbraid.corpora.pronunciations import Entry, find_pronunciations
from unbraid.evaluation.text.scoring import closest
from unbraid.hub.vocabulary import BEGIN, END, PADDING, SPECIAL, Vocabulary
from unbraid.models.audio_transformer.config import AudioTransformerConfig, TextSide
from unbraid.models.audio_transformer.network.model import AudioTransformer
from unbraid.training.data.length_buckets import Bunched
from unbraid.training.data.text import TextBatch, TextPair, bunched, text_batch
from unbraid.training.data.tokenizer import Units, units_of
from unbraid.training.tables import PartialShare, Positive, Table, Whole
from unbraid.training.tasks.folders import check_given, data_name
from unbraid.training.tasks.greedy import Follows, decode
from unbraid.training.tasks.task import Score
from unbraid.training.tasks.transformer import TransformerModel, TransformerTask


@dataclass(frozen=True, kw_only=True)
class TextModel(TransformerModel):
    """The sizes of the network, but for those of its two ends, which follow from the data."""

    decoder_layers: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        self.between(len(SPECIAL) + 1, len(SPECIAL) + 1)  # refuses sizes that do not go together

    def between(self, source: int, target: int) -> AudioTransformerConfig:
        """The network's sizes for vocabularies of the given sizes."""
        sides = TextSide(source), TextSide(target)
        return AudioTransformerConfig(*sides, decoder_layers=self.decoder_layers, **self.sizes)


@dataclass(frozen=True)
class TextData(Table):
    """The training and dev data."""

    dictionary: str = ""  # a file like cmudict.dict, or its folder
    pairs: str = ""  # instead of it: a CSV of one's own (see corpora/pairs.py)
    units: Literal["auto", "characters", "words"] = "auto"  # of its texts (see data/tokenizer.py)
    train: str = "train"  # splits
    dev: str = "dev"
    epoch_words: Positive = 100_000
    dev_words: Whole = 0  # the number of words to use; 0: all
    workers: Whole = 0  # processes that prepare batches; 0: the training process itself

    def __post_init__(self) -> None:
        super().__post_init__()
        check_given("dictionary", self.dictionary, self.pairs)


@dataclass(frozen=True)
class TextLoss(Table):
    """The loss: cross-entropy."""

    smoothing: PartialShare = 0.1  # ε, the share of the probability that is spread over all symbols


@dataclass(frozen=True)
class Text(TransformerTask):
    """The task (see task.py): words as letters -> phonemes."""

    item: ClassVar[str] = "words"
    dev_batch: ClassVar[int] = 256
    epoch: ClassVar[str] = "epoch_words"
    fixed: ClassVar[tuple[str, ...]] = ("data.epoch_words", "data.units")
    parts: ClassVar[tuple[str, ...]] = ("phonemes",)

    model: TextModel
    data: TextData
    loss: TextLoss = field(default_factory=TextLoss)

    @property
    def score(self) -> Score:
        """The share of correct symbols, by edits."""
        measure = "symbol error rate" if self.data.pairs else "phoneme error rate"
        return Score("dev_accuracy", measure, "%", is_accuracy=True)

    @property
    def geometry(self) -> AudioTransformerConfig:
        """The sizes of [model] between the vocabularies of the data."""
        return self.model.between(*map(len, self.vocabularies))

    @property
    def source(self) -> str:
        """The name of the dictionary or the pairs, and their split."""
        return data_name(self.data.dictionary, self.data.pairs, self.data.train)

    @cached_property
    def vocabularies(self) -> tuple[Vocabulary, Vocabulary]:
        """Letters and phonemes; of pairs, the units of their sources and targets."""
        if self.data.pairs:
            source, target = self._units
            return source.vocabulary, target.vocabulary
        phonemes = (pronunciation for entry in self._entries for pronunciation in entry.pronunciations)
        return Vocabulary.of(entry.word for entry in self._entries), Vocabulary.of(phonemes)

    def training_data(self, seed: int, together: int) -> Bunched:
        """Words with one of their pronunciations each, grouped by length."""
        pairs = self._own(self.data.train) if self.data.pairs else self._pairs(self._entries)
        each = [TextPair(pair.source, (answer,)) for pair in pairs for answer in pair.answers]
        return bunched(each, bunch=together, seed=seed)

    def dev_data(self) -> list[TextPair]:
        """Words with all of their pronunciations."""
        most = self.data.dev_words or None
        if self.data.pairs:
            return self._own(self.data.dev)[:most]
        return self._pairs(find_pronunciations(Path(self.data.dictionary), self.data.dev)[:most])

    def collate(self, items: list[TextPair]) -> TextBatch:
        """A padded batch."""
        return text_batch(items)

    def losses(self, model: nn.Module, batch: TextBatch) -> dict[str, Tensor]:
        """Label-smoothed cross-entropy under teacher forcing."""
        logits = model(batch.source, batch.lengths, batch.target[:, :-1])
        return {"phonemes": text_loss(self.loss, logits, batch.target[:, 1:])}

    def scores(self, model: nn.Module, batch: TextBatch) -> dict[str, Tensor]:
        """100 % minus the phoneme error rate of greedy decoding, by word."""
        assert isinstance(model, AudioTransformer)
        written = write(model, batch.source, batch.lengths, most_symbols(batch.source.shape[1]))
        return {"phonemes": accuracies(written, batch.answers).to(batch.source.device)}

    def record(self) -> dict[str, Any]:
        """The vocabularies."""
        source, target = self.vocabularies
        return {"vocabularies": {"source": list(source.symbols), "target": list(target.symbols)}}

    def describe(self, batch: TextBatch) -> dict[str, str]:
        """The batch, and its longest word."""
        count, letters = batch.source.shape
        return {
            "words": f"{count} of at most {letters - 1} letters",
            "phonemes": f"at most {batch.target.shape[1] - 2} in a word",
        }

    @cached_property
    def _entries(self) -> list[Entry]:
        """The words of the training split."""
        return find_pronunciations(Path(self.data.dictionary), self.data.train)

    @cached_property
    def _units(self) -> tuple[Units, Units]:
        """The units of the sources and the targets of one's own pairs, those of the training split."""
        found = find_pairs(Path(self.data.pairs), self.data.train)
        sources, targets = (
            [cell.text for cell in side] for side in zip(*((p.source, p.target) for p in found), strict=True)
        )
        return units_of(self.data.units, sources), units_of(self.data.units, targets)

    def _own(self, split: str) -> list[TextPair]:
        """One's own pairs of a split; a source that is there several times has several answers."""
        source, target = self._units
        answers: dict[str, list[str]] = {}
        for pair in find_pairs(Path(self.data.pairs), split):
            answers.setdefault(pair.source.text, []).append(pair.target.text)
        return [TextPair(source.encode(text), tuple(map(target.encode, each))) for text, each in answers.items()]

    def _pairs(self, entries: Iterable[Entry]) -> list[TextPair]:
        source, target = self.vocabularies
        return [TextPair(source.encode(e.word), tuple(map(target.encode, e.pronunciations))) for e in entries]


def text_loss(values: TextLoss, logits: Tensor, target: Tensor) -> Tensor:
    """The recipe's loss: logits (B, M, V) of symbols (B, M) -> (), the mean over all that are not padding."""
    return F.cross_entropy(
        logits.float().flatten(0, 1), target.flatten(), ignore_index=PADDING, label_smoothing=values.smoothing
    )


def write(model: AudioTransformer, source: Tensor, lengths: Tensor, most: int) -> list[list[int]]:
    """The likeliest symbol at each step, until all texts of the batch have ended, or have so many symbols."""

    def likeliest(logits: Follows) -> tuple[Tensor, Tensor]:
        assert isinstance(logits, Tensor)
        symbols = logits.argmax(-1)  # (B,)
        return symbols, symbols == END

    steps, counts = decode(model, source, lengths, torch.full_like(lengths, BEGIN), likeliest, most)
    rows = zip(steps.tolist(), counts.tolist(), strict=True)
    return [[symbol for symbol in row[:count] if symbol >= len(SPECIAL)] for row, count in rows]


def most_symbols(letters: int) -> int:
    """Phonemes that no word of so many letters has more of; "w" alone has seven."""
    return 3 * letters + 8


def accuracies(written: Sequence[Sequence[Hashable]], answers: Sequence[Iterable[Sequence[Hashable]]]) -> Tensor:
    """In %, 100 minus the edits of a text over its symbols, as often as the closest answer has symbols.

    So a word counts by its length, and the mean over all is 100 % minus the phoneme error rate.
    """
    distances = [closest(text, right) for text, right in zip(written, answers, strict=True)]
    each = torch.tensor([100 * (1 - d.edits / d.symbols) for d in distances])
    return each.repeat_interleave(torch.tensor([d.symbols for d in distances]))
