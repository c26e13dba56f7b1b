"""Texts and what they become, as batches of numbers: words and their phonemes.

A batch is made of texts of about the same length, so that little of it is padding: in each round over the data all
pairs are permuted, put in order of length, and cut into bunches, which come in an order of their own. Which pair is at
a position is a function of (seed, position) alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from unbraid.errors import UsageError
from unbraid.vocabulary import BEGIN, END, PADDING

Numbers = Sequence[int]


@dataclass(frozen=True)
class TextPair:
    """A text and what is right for it, in numbers without any special ones around them."""

    source: Numbers
    answers: tuple[Numbers, ...]  # to train on, one; to be judged by, all that are right


class TextBatch(NamedTuple):
    """Texts side by side, with padding behind the shorter ones."""

    source: Tensor  # (B, N) int64, each text and its end
    lengths: Tensor  # (B,) int64, of the sources, their ends included
    target: Tensor  # (B, M) int64, begin, the first answer, end
    answers: list[list[Numbers]]  # of each text


class TextPairs(Dataset[TextPair]):
    """Pairs in bunches of like length, without end. A batch is a bunch where `bunch` is its size."""

    def __init__(self, pairs: Sequence[TextPair], *, bunch: int, seed: int):
        if not pairs:
            raise UsageError("There is no text to train on.")
        self._pairs, self._seed = list(pairs), seed
        self._bunch = min(bunch, len(pairs))
        lengths = np.array([(len(pair.source), len(pair.answers[0])) for pair in pairs])  # (pairs, 2)
        self._sizes = lengths[:, 0] * (lengths.max() + 1) + lengths[:, 1]  # by source, then by answer
        self._round, self._order = -1, np.empty(0, np.int64)

    def __getitem__(self, position: int) -> TextPair:
        turn, place = divmod(position, self.round_items)
        if turn != self._round:  # kept while it lasts
            self._round, self._order = turn, self._order_of(turn)
        return self._pairs[int(self._order[place])]

    @property
    def round_items(self) -> int:
        """Pairs in a round: as many as there are, but for those that no bunch can be made of."""
        return len(self._pairs) // self._bunch * self._bunch

    def _order_of(self, turn: int) -> np.ndarray:
        random = np.random.default_rng((self._seed, turn))
        chosen = random.permutation(len(self._pairs))[: self.round_items]
        chosen = chosen[np.argsort(self._sizes[chosen], kind="stable")]
        bunches: np.ndarray = random.permutation(chosen.reshape(-1, self._bunch))  # (bunches, bunch)
        return bunches.ravel()


class TextQuestions(Dataset[TextPair]):
    """Texts to be judged by, one after the other."""

    def __init__(self, pairs: Sequence[TextPair]):
        self._pairs = list(pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, position: int) -> TextPair:
        return self._pairs[position]


def text_batch(pairs: Sequence[TextPair]) -> TextBatch:
    """Pairs side by side."""
    sources = [torch.tensor([*pair.source, END]) for pair in pairs]
    targets = [torch.tensor([BEGIN, *pair.answers[0], END]) for pair in pairs]
    return TextBatch(
        pad_sequence(sources, batch_first=True, padding_value=PADDING),
        torch.tensor([len(source) for source in sources]),
        pad_sequence(targets, batch_first=True, padding_value=PADDING),
        [list(pair.answers) for pair in pairs],
    )
