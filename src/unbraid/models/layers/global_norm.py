"""Global layer norm: over features and frames together (gLN of arXiv 1809.07454; GroupNorm with one group)."""

import torch
from torch import Tensor, nn

EPS = 1e-8


class GlobalNorm(nn.Module):
    """Normalise over every axis but the batch, then scale and shift each feature."""

    def __init__(self, features: int, eps: float = EPS):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x (B, …, D) by its mean and variance over all axes but the batch."""
        axes = tuple(range(1, x.ndim))
        centred = x - x.mean(axes, keepdim=True)  # (B, …, D)
        power = centred.square().mean(axes, keepdim=True)
        return centred * torch.rsqrt(power + self.eps) * self.weight + self.bias
