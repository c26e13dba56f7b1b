"""Positional encodings: sinusoidal ones are added to the features, rotary ones rotate queries and keys.

Both use the angles n · 10000^(-2i/D) for step n and the i-th pair of features, from a formula instead of a table, so
the length is unlimited.

Sinusoidal (Vaswani et al., arXiv 1706.03762, section 3.5), added to the features:

    P(n, 2i) = sin(n · 10000^(-2i/D))        P(n, 2i + 1) = cos(n · 10000^(-2i/D))

In some published networks the sines come first and the cosines behind them, and the angles of the two halves are
n · 10000^(-i/(D/2 - 1)), as in tensor2tensor: `halved_positions`.

Rotary (Su et al., "RoFormer", arXiv 2104.09864, equation 34): neighbouring features of a query or a key are a point in
the plane, rotated by the angle of its step. The product of two rotated points depends on the distance of their steps
only, (R(m) q) · (R(n) k) = q · R(n - m) k, so attention sees distances.
"""

import math

import torch
from torch import Tensor


def angles(first: int, steps: int, features: int, like: Tensor) -> Tensor:
    """Angles (N, D/2) of the steps first, first + 1, … in radians, one for each pair of features."""
    step = torch.arange(first, first + steps, device=like.device, dtype=torch.float32)[:, None]  # (N, 1)
    even = torch.arange(0, features, 2, device=like.device, dtype=torch.float32)
    return step * torch.exp(even * (-math.log(10000.0) / features))


def sinusoidal_positions(frames: int, features: int, like: Tensor, first: int = 0) -> Tensor:
    """Return (N, D) positions: sin on even features, cos on odd ones."""
    angle = angles(first, frames, features, like)  # (N, D/2)
    return torch.stack((angle.sin(), angle.cos()), dim=-1).view(frames, features).to(like.dtype)  # (N, D)


def halved_positions(frames: int, features: int, like: Tensor, first: int = 0) -> Tensor:
    """Return (N, D) positions: sin on the first half of features, cos on the second; the last angles are n / 10000."""
    step = torch.arange(first, first + frames, device=like.device, dtype=torch.float32)[:, None]  # (N, 1)
    place = torch.arange(features // 2, device=like.device, dtype=torch.float32)
    angle = step * torch.exp(place * (-math.log(10000.0) / (features // 2 - 1)))  # (N, D/2)
    return torch.cat((angle.sin(), angle.cos()), dim=1).to(like.dtype)


def rotate(x: Tensor, angle: Tensor) -> Tensor:
    """Rotate the features 2i and 2i + 1 of x (…, N, D), a point (a, b), by angle (N, D/2)."""
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x.reshape(*x.shape[:-1], -1, 2).unbind(-1)  # (…, N, D/2)
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)  # (…, N, D)
