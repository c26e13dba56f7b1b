"""Pairs of texts, such as words and their phonemes, as batches of indices.

A batch is made of texts of about the same length (see length_buckets.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from unbraid.errors import UsageError
from unbraid.hub.vocabulary import BEGIN, END, PADDING
from unbraid.training.data.length_buckets import Bunched

Numbers = Sequence[int]


@dataclass(frozen=True)
class TextPair:
    """A text and its correct answers, as indices without special symbols."""

    source: Numbers
    answers: tuple[Numbers, ...]  # one for training, all correct ones for scoring


class TextBatch(NamedTuple):
    """Texts side by side, with padding behind the shorter ones."""

    source: Tensor  # (B, N) int64, each text and its end
    lengths: Tensor  # (B,) int64, of the sources, their ends included
    target: Tensor  # (B, M) int64, begin, the first answer, end
    answers: list[list[Numbers]]  # of each text


def bunched(pairs: Sequence[TextPair], *, bunch: int, seed: int) -> Bunched:
    """Pairs in batches of similar length, without end.

    Raises:
        UsageError: there is none.
    """
    if not pairs:
        raise UsageError("There is no text to train on.")
    lengths = np.array([(len(pair.source), len(pair.answers[0])) for pair in pairs])  # (pairs, 2)
    by_source_then_answer = lengths[:, 0] * (lengths.max() + 1) + lengths[:, 1]
    return Bunched(pairs, by_source_then_answer, bunch=bunch, seed=seed)


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
