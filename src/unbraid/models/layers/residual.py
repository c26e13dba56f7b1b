"""Residual blocks of two-dimensional convolutions (He et al., CVPR 2016, arXiv 1512.03385), as their ResNet-18 and 34.

    y = ReLU(norm(conv(ReLU(norm(conv(x))))) + shortcut(x))

The first convolution and the shortcut have the stride; where there is none and the channels stay, the shortcut is x.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.models.shapes import BATCH_NORM_EPS


class ConvNorm(nn.Module):
    """A convolution without bias that keeps the place, and batch norm: (B, C, F, N) -> (B, C', F', N')."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: tuple[int, int] = (1, 1)):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs, BATCH_NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        """X (B, C, F, N) -> (B, C', F', N')."""
        return self.norm(self.conv(x))


class Residual(nn.Module):
    """(B, C, F, N) -> (B, C', F', N')."""

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int]):
        super().__init__()
        self.inlet = ConvNorm(inputs, outputs, 3, stride)
        self.outlet = ConvNorm(outputs, outputs, 3)
        is_same = inputs == outputs and stride == (1, 1)
        self.shortcut = nn.Identity() if is_same else ConvNorm(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """X (B, C, F, N) -> (B, C', F', N')."""
        return F.relu(self.outlet(F.relu(self.inlet(x))) + self.shortcut(x))
