"""Text as source and target of an audio Transformer.

Embeddings and the last linear layer as in "Attention Is All You Need" (arXiv 1706.03762), section 3.4: embeddings
are multiplied by √D, to balance the positions added to them. Their initial variance is 1/D, and they are not shared,
because source and target have different symbols. Tied, the embeddings of the target are also the weights of the last
layer, which has no bias, and are not multiplied.
"""

import math

import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.models.audio_transformer.config import TextSide


def embedding_table(symbols: int, features: int) -> nn.Embedding:
    """A row (D,) for each symbol, normal with variance 1/D: times √D it has unit variance."""
    table = nn.Embedding(symbols, features)
    nn.init.normal_(table.weight, std=features**-0.5)
    return table


class TextFront(nn.Module):
    """Symbols (B, N) -> features (B, N, D); padding needs no mask here."""

    def __init__(self, side: TextSide, features: int):
        super().__init__()
        self.scale = math.sqrt(features)
        self.embedding = embedding_table(side.symbols, features)

    def forward(self, symbols: Tensor, lengths: Tensor) -> Tensor:
        """Symbols (B, N) -> embeddings times √D, (B, N, D)."""
        return self.embedding(symbols) * self.scale


class TextBack(nn.Module):
    """The symbols so far (B, M) -> features (B, M, D), and features -> logits of the next symbols."""

    def __init__(self, side: TextSide, features: int, *, tied: bool = False):
        super().__init__()
        self.scale = 1.0 if tied else math.sqrt(features)
        self.embedding = embedding_table(side.symbols, features)
        if not tied:
            self.symbols = nn.Linear(features, side.symbols)
        self.tied = tied

    def embed(self, symbols: Tensor) -> Tensor:
        """Features (B, M, D) of the symbols (B, M) that the decoder has written."""
        return self.embedding(symbols) * self.scale

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, M, V) of the next symbol, from the decoder's features (B, M, D)."""
        return F.linear(x, self.embedding.weight) if self.tied else self.symbols(x)
