"""Multi-head attention, written once for every Transformer in the package.

Vaswani et al., "Attention Is All You Need" (arXiv 1706.03762), section 3.2. The output for a query is the mean of the
values, weighted by the similarity of their keys to it; H heads work in parallel, each on D/H features:

    Attention(Q, K, V) = softmax(Q Kᵀ / √(D/H)) V
    MultiHead(x, m)    = [head_1 … head_H] W_out,    head_h = Attention(x W_q, m W_k, m W_v) on the features of h

Self-attention: m is x. Masked self-attention: m is x, and a query sees no later step. Cross-attention: m is another
sequence. A mask marks the keys that a query may attend to (True), in shapes that broadcast to (B, H, M, N) for M
queries and N keys. The product itself is `torch.nn.functional.scaled_dot_product_attention`, so that torch picks its
fastest kernel.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.models.layers.positions import rotate

KeysValues = tuple[Tensor, Tensor]  # each (B, H, N, D/H)


def padding_mask(lengths: Tensor, steps: int) -> Tensor:
    """Every query sees the first lengths (B,) of N keys, and none of the padding after them: (B, 1, 1, N)."""
    return torch.arange(steps, device=lengths.device) < lengths[:, None, None, None]


def causal_mask(queries: int, keys: int, like: Tensor) -> Tensor:
    """The causal mask (M, N) of the last M of N steps: each attends to itself and earlier ones."""
    return torch.ones(queries, keys, dtype=torch.bool, device=like.device).tril(keys - queries)


class MultiHeadAttention(nn.Module):
    """Queries of one sequence attend to the keys and values of another (or the same).

    One projection makes queries, keys and values, as in `torch.nn.MultiheadAttention`: its rows are q, k, v.
    """

    def __init__(self, features: int, heads: int):
        super().__init__()
        if features % heads:
            raise ValueError(f"features ({features}) must be a multiple of heads ({heads}).")
        self.features = features
        self.heads = heads
        self.in_proj = nn.Linear(features, 3 * features)
        self.out_proj = nn.Linear(features, features)

    def forward(
        self, x: Tensor, mask: Tensor | None = None, angle: Tensor | None = None, weights: list[Tensor] | None = None
    ) -> Tensor:
        """Self-attention of `x` (B, N, D) to itself; returns (B, N, D)."""
        q, k, v = self.project(x, angle)
        return self.attend(q, (k, v), mask, weights)

    def project(self, x: Tensor, angle: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of x (B, N, D), each (B, H, N, D/H); rotary angles (N, D/2H) turn the first two."""
        q, k, v = self._heads(self.in_proj(x))
        return (q, k, v) if angle is None else (rotate(q, angle), rotate(k, angle), v)

    def queries(self, x: Tensor) -> Tensor:
        """Queries alone, of the sequence that asks: (B, M, D) -> (B, H, M, D/H)."""
        rows = slice(None, self.features)
        return self._heads(F.linear(x, self.in_proj.weight[rows], self.in_proj.bias[rows]))[0]

    def keys_values(self, memory: Tensor) -> KeysValues:
        """Keys and values alone, of the sequence that is asked: (B, N, D) -> each (B, H, N, D/H)."""
        rows = slice(self.features, None)
        keys, values = self._heads(F.linear(memory, self.in_proj.weight[rows], self.in_proj.bias[rows]))
        return keys, values

    def attend(
        self, q: Tensor, keys_values: KeysValues, mask: Tensor | None = None, weights: list[Tensor] | None = None
    ) -> Tensor:
        """Mix the values by how queries (B, H, M, D/H) and keys fit; returns (B, M, D).

        The attention weights (B, H, M, N) are appended to `weights`, if that is given.
        """
        if weights is not None:
            weights.append(self.weights(q, keys_values[0], mask))
        y = F.scaled_dot_product_attention(q, *keys_values, attn_mask=mask)  # (B, H, M, D/H)
        y = y.transpose(1, 2).reshape(y.shape[0], y.shape[2], self.features)  # (B, M, D)
        return self.out_proj(y)

    def weights(self, q: Tensor, keys: Tensor, mask: Tensor | None = None) -> Tensor:
        """The attention weights (B, H, M, N) of queries (B, H, M, D/H): rows sum to 1, masked keys are exactly 0.

        `attend` uses them without ever holding them; they are for inspection, and for losses.
        """
        scores = q @ keys.transpose(-1, -2) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(~mask, -math.inf)
        return scores.softmax(dim=-1)

    def _heads(self, x: Tensor) -> tuple[Tensor, ...]:
        """Cut projections (B, N, P·D) into P parts and their heads: P of (B, H, N, D/H)."""
        parts = x.view(*x.shape[:2], -1, self.heads, self.features // self.heads)  # (B, N, P, H, D/H)
        return parts.permute(2, 0, 3, 1, 4).unbind()
