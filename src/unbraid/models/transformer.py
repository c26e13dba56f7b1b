"""Pre-norm Transformer layers and sinusoidal positions, shared by the models.

Vaswani et al. (arXiv 1706.03762), with layer norm before each half (Wang et al., arXiv 1906.01787), as in
SepFormer (Subakan et al., arXiv 2010.13154). Positions are a formula, never a table, so no length is refused.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.models.attention import MultiHeadAttention

NORM_EPS = 1e-6


def sinusoidal_positions(frames: int, features: int, like: Tensor) -> Tensor:
    """Return (N, D) positions: sin on even features, cos on odd ones (arXiv 1706.03762, section 3.5)."""
    step = torch.arange(frames, device=like.device, dtype=torch.float32)[:, None]  # (N, 1)
    even = torch.arange(0, features, 2, device=like.device, dtype=torch.float32)
    angle = step * torch.exp(even * (-math.log(10000.0) / features))  # (N, D/2)
    return torch.stack((angle.sin(), angle.cos()), dim=-1).view(frames, features).to(like.dtype)  # (N, D)


class EncoderLayer(nn.Module):
    """x + attention(norm(x)), then x + feed_forward(norm(x))."""

    def __init__(self, features: int, heads: int, hidden: int):
        super().__init__()
        self.attention_norm = nn.LayerNorm(features, eps=NORM_EPS)
        self.attention = MultiHeadAttention(features, heads)
        self.feed_norm = nn.LayerNorm(features, eps=NORM_EPS)
        self.feed_in = nn.Linear(features, hidden)
        self.feed_out = nn.Linear(hidden, features)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x))  # (B, N, D)
        out: Tensor = x + self.feed_out(F.relu(self.feed_in(self.feed_norm(x))))
        return out


class TransformerEncoder(nn.Module):
    """Positions added, `layers` encoder layers, one last layer norm: (B, N, D) -> (B, N, D)."""

    def __init__(self, features: int, heads: int, hidden: int, layers: int):
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(features, heads, hidden) for _ in range(layers))
        self.norm = nn.LayerNorm(features, eps=NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        x = x + sinusoidal_positions(x.shape[1], x.shape[2], x)
        for layer in self.layers:
            x = layer(x)
        out: Tensor = self.norm(x)
        return out
