"""Multi-head attention, written once for every Transformer in the package.

Vaswani et al., "Attention Is All You Need" (arXiv 1706.03762), section 3.2.2. The product itself is
`torch.nn.functional.scaled_dot_product_attention`, so that torch picks its fastest kernel and the exporter
sees one operator.
"""

import torch.nn.functional as F
from torch import Tensor, nn


class MultiHeadAttention(nn.Module):
    """Queries of one sequence attend to the keys and values of another (or the same).

    One projection makes queries, keys and values, as in `torch.nn.MultiheadAttention`: its rows are q, k, v.
    """

    def __init__(self, features: int, heads: int):
        super().__init__()
        if features % heads:
            raise ValueError(f"features ({features}) must be a multiple of heads ({heads}).")
        self.heads = heads
        self.in_proj = nn.Linear(features, 3 * features)
        self.out_proj = nn.Linear(features, features)

    def forward(self, x: Tensor) -> Tensor:
        """Self-attention of `x` (B, N, D) to itself; returns (B, N, D)."""
        batch, frames, features = x.shape
        qkv = self.in_proj(x).view(batch, frames, 3, self.heads, features // self.heads)  # (B, N, 3, H, D/H)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, H, N, D/H)
        y = F.scaled_dot_product_attention(q, k, v)  # (B, H, N, D/H)
        y = y.transpose(1, 2).reshape(batch, frames, features)  # (B, N, D)
        out: Tensor = self.out_proj(y)
        return out
