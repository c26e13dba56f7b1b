"""Pre-norm Transformer layers, encoder and decoder, shared by the models.

Vaswani et al. (arXiv 1706.03762), with layer norm before each sub-layer (Wang et al., arXiv 1906.01787), as in
SepFormer (Subakan et al., arXiv 2010.13154). Each sub-layer is residual, x + f(norm(x)):

    encoder layer   x + SelfAttention(norm(x)),        then feed-forward
    decoder layer   x + MaskedSelfAttention(norm(x)),  then x + CrossAttention(norm(x), memory), then feed-forward
    feed-forward    x + max(0, norm(x) W_in + b_in) W_out + b_out                                  (section 3.3)

GELU (Hendrycks and Gimpel, arXiv 1606.08415) may take the place of max(0, ·).

A decoder generates one step after the other. The cache of its layers, the keys and values of past steps, is passed in
and returned: whole sequences (teacher forcing) start with an empty cache, single steps with that of all earlier ones.
Dropout (section 5.4) is applied to the output of each sub-layer and to the embeddings.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.models.audio_transformer.config import NORM_EPS, Activation, Positions
from unbraid.models.layers.attention import KeysValues, MultiHeadAttention, causal_mask
from unbraid.models.layers.positions import angles, sinusoidal_positions

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "gelu": F.gelu}


@dataclass(frozen=True)
class LayerOptions:
    """Common to all layers of a network."""

    dropout: float = 0.0
    activation: Activation = "relu"
    norm_eps: float = NORM_EPS


class EncoderLayer(nn.Module):
    """x + attention(norm(x)), then x + feed_forward(norm(x))."""

    def __init__(self, features: int, heads: int, hidden: int, options: LayerOptions = LayerOptions()):
        super().__init__()
        self.attention_norm = nn.LayerNorm(features, options.norm_eps)
        self.attention = MultiHeadAttention(features, heads)
        self.feed_norm = nn.LayerNorm(features, options.norm_eps)
        self.feed_in = nn.Linear(features, hidden)
        self.feed_out = nn.Linear(hidden, features)
        self.dropout = nn.Dropout(options.dropout)
        self.activation = ACTIVATIONS[options.activation]

    def forward(
        self, x: Tensor, mask: Tensor | None = None, angle: Tensor | None = None, weights: list[Tensor] | None = None
    ) -> Tensor:
        """x (B, N, D), attending where the mask allows, with rotary angles if given -> (B, N, D).

        The attention weights (B, H, N, N) are appended to `weights`, if that is given.
        """
        x = x + self.dropout(self.attention(self.attention_norm(x), mask, angle, weights))  # (B, N, D)
        return x + self.dropout(self.feed_out(self.activation(self.feed_in(self.feed_norm(x)))))


class DecoderLayer(nn.Module):
    """x + masked_attention(norm(x)), then x + cross_attention(norm(x), memory), then x + feed_forward(norm(x))."""

    def __init__(self, features: int, heads: int, hidden: int, options: LayerOptions = LayerOptions()):
        super().__init__()
        self.self_norm = nn.LayerNorm(features, options.norm_eps)
        self.self_attention = MultiHeadAttention(features, heads)
        self.cross_norm = nn.LayerNorm(features, options.norm_eps)
        self.cross_attention = MultiHeadAttention(features, heads)
        self.feed_norm = nn.LayerNorm(features, options.norm_eps)
        self.feed_in = nn.Linear(features, hidden)
        self.feed_out = nn.Linear(hidden, features)
        self.dropout = nn.Dropout(options.dropout)
        self.activation = ACTIVATIONS[options.activation]

    def forward(
        self,
        x: Tensor,
        past: KeysValues,
        memory: KeysValues,
        mask: Tensor,
        angle: Tensor | None = None,
        cross_weights: list[Tensor] | None = None,
        self_weights: list[Tensor] | None = None,
    ) -> tuple[Tensor, KeysValues]:
        """M steps (B, M, D) after n past ones, over a memory with its padding mask -> (B, M, D), and n + M kept.

        The attention weights (B, H, M, N) and (B, H, M, n + M) are appended to lists, if these are given.
        """
        q, k, v = self.self_attention.project(self.self_norm(x), angle)
        kept = torch.cat((past[0], k), dim=2), torch.cat((past[1], v), dim=2)  # (B, H, n + M, D/H)
        causal = causal_mask(x.shape[1], kept[0].shape[2], x)
        x = x + self.dropout(self.self_attention.attend(q, kept, causal, self_weights))  # (B, M, D)
        q = self.cross_attention.queries(self.cross_norm(x))
        x = x + self.dropout(self.cross_attention.attend(q, memory, mask, cross_weights))
        out: Tensor = x + self.dropout(self.feed_out(self.activation(self.feed_in(self.feed_norm(x)))))
        return out, kept


class Stack(nn.Module):
    """Common to encoder and decoder: positions, layers, and one last layer norm."""

    LAYER: ClassVar[type[EncoderLayer] | type[DecoderLayer]]

    def __init__(
        self,
        features: int,
        heads: int,
        hidden: int,
        layers: int,
        positions: Positions = "sinusoidal",
        options: LayerOptions = LayerOptions(),
        steps: int = 0,
    ):
        """`steps` are those for which positions are learned, at most."""
        super().__init__()
        self.features = features
        self.heads = heads
        self.positions = positions
        self.layers = nn.ModuleList(self.LAYER(features, heads, hidden, options) for _ in range(layers))
        self.norm = nn.LayerNorm(features, options.norm_eps)
        self.dropout = nn.Dropout(options.dropout)
        if positions == "learned":
            self.positions_table = nn.Parameter(torch.zeros(steps, features))

    def add_positions(self, x: Tensor, first: int = 0) -> tuple[Tensor, Tensor | None]:
        """Add the positions from step `first` on to x (B, N, D), or return angles (N, D/2H) for rotary ones."""
        if self.positions == "learned":
            return self.dropout(x + self.positions_table[first : first + x.shape[1]]), None
        if self.positions == "sinusoidal":
            return self.dropout(x + sinusoidal_positions(x.shape[1], x.shape[2], x, first)), None
        return self.dropout(x), angles(first, x.shape[1], self.features // self.heads, x)


class TransformerEncoder(Stack):
    """Positions, `layers` encoder layers, one last layer norm: (B, N, D) -> (B, N, D)."""

    LAYER = EncoderLayer

    def forward(self, x: Tensor, mask: Tensor | None = None, weights: list[Tensor] | None = None) -> Tensor:
        """x (B, N, D), attending where the mask allows -> (B, N, D); each layer appends its `weights` (B, H, N, N)."""
        x, angle = self.add_positions(x)
        for layer in self.layers:
            x = layer(x, mask, angle, weights)
        return self.norm(x)


class TransformerDecoder(Stack):
    """Positions, `layers` decoder layers over an encoder's memory, one last layer norm: (B, M, D) -> (B, M, D)."""

    LAYER = DecoderLayer

    def keys_values(self, memory: Tensor) -> list[KeysValues]:
        """The keys and values of a memory (B, N, D) for each layer's cross-attention, the same at every step."""
        layers = cast(Iterable[DecoderLayer], self.layers)
        return [layer.cross_attention.keys_values(memory) for layer in layers]

    def empty_cache(self, memory: Tensor) -> list[KeysValues]:
        """The empty key-value cache of each layer before the first step: (B, H, 0, D/H)."""
        empty = memory.new_empty(memory.shape[0], self.heads, 0, self.features // self.heads)
        return [(empty, empty) for _ in self.layers]

    def forward(
        self,
        x: Tensor,
        past: Sequence[KeysValues],
        memory: Sequence[KeysValues],
        mask: Tensor,
        cross_weights: list[Tensor] | None = None,
        self_weights: list[Tensor] | None = None,
    ) -> tuple[Tensor, list[KeysValues]]:
        """Go M steps on from n past ones: (B, M, D) -> (B, M, D), and keys and values of n + M steps for each layer.

        Each layer appends its attention weights (B, H, M, N) and (B, H, M, n + M) to lists, if these are given.
        """
        x, angle = self.add_positions(x, past[0][0].shape[2])
        kept = []
        for layer, behind, above in zip(self.layers, past, memory, strict=True):
            x, both = layer(x, behind, above, mask, angle, cross_weights, self_weights)
            kept.append(both)
        return self.norm(x), kept
