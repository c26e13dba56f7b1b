"""Conv-TasNet: the convolutional forerunner that our SepFormers are measured against, on the same data and budget.

Luo & Mesgarani, "Conv-TasNet: Surpassing Ideal Time-Frequency Magnitude Masking for Speech Separation" (arXiv
1809.07454), the non-causal network with global layer norms and sigmoid masks; letters are the paper's.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.files.ranges import Count, Size, check_ranges

NORM_EPS = 1e-8


@dataclass(frozen=True)
class ConvTasNetGeometry:
    """Sizes of a Conv-TasNet; the defaults are the published best ones (5.1 M parameters).

    Raises:
        ValueError: a size out of its range, or a kernel of an odd number of samples or an even number of frames.
    """

    sources: Count = 2
    features: Size = 512  # N, channels of the learned encoder
    kernel_samples: Size = 16  # L, of the encoder and the decoder; the stride is half of it
    bottleneck: Size = 128  # B, channels between blocks
    skip: Size = 128  # Sc, channels of the skip paths
    hidden: Size = 512  # H, channels inside a block
    kernel_frames: Size = 3  # P, of the depthwise convolutions
    blocks: Count = 8  # X, blocks in a repeat, dilated by 1, 2, 4, …
    repeats: Count = 3  # R

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.kernel_samples % 2:
            raise ValueError(f"kernel_samples must be even (the stride is half of it), got {self.kernel_samples}.")
        if not self.kernel_frames % 2:
            raise ValueError(f"kernel_frames must be odd, got {self.kernel_frames}.")


def global_norm(features: int) -> nn.GroupNorm:
    """Normalise over features and frames together, then scale and shift each feature (gLN)."""
    return nn.GroupNorm(1, features, eps=NORM_EPS)


class Block(nn.Module):
    """1×1 convolution up, dilated depthwise convolution, two 1×1 down: (B, D, N) -> the same, and (B, skip, N)."""

    def __init__(self, geometry: ConvTasNetGeometry, dilation: int):
        super().__init__()
        g = geometry
        reach = dilation * (g.kernel_frames - 1) // 2
        self.inside = nn.Sequential(
            nn.Conv1d(g.bottleneck, g.hidden, 1),
            nn.PReLU(),
            global_norm(g.hidden),
            nn.Conv1d(g.hidden, g.hidden, g.kernel_frames, padding=reach, dilation=dilation, groups=g.hidden),
            nn.PReLU(),
            global_norm(g.hidden),
        )
        self.residual = nn.Conv1d(g.hidden, g.bottleneck, 1)
        self.skip = nn.Conv1d(g.hidden, g.skip, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        inside = self.inside(x)  # (B, H, N)
        return x + self.residual(inside), self.skip(inside)


class ConvTasNet(nn.Module):
    """Mixture (B, T) -> sources (B, sources, T), at the model's sample rate; T is at least one kernel."""

    def __init__(self, geometry: ConvTasNetGeometry):
        super().__init__()
        self.geometry = g = geometry
        self.encoder = nn.Conv1d(1, g.features, g.kernel_samples, g.kernel_samples // 2, bias=False)
        self.inlet = nn.Sequential(global_norm(g.features), nn.Conv1d(g.features, g.bottleneck, 1))
        self.blocks = nn.ModuleList(Block(g, 2**i) for _ in range(g.repeats) for i in range(g.blocks))
        self.outlet = nn.Sequential(nn.PReLU(), nn.Conv1d(g.skip, g.sources * g.features, 1))
        self.decoder = nn.ConvTranspose1d(g.features, 1, g.kernel_samples, g.kernel_samples // 2, bias=False)

    def forward(self, mixture: Tensor) -> Tensor:
        batch, samples = mixture.shape
        w = F.relu(self.encoder(mixture[:, None]))  # (B, features, N)
        x, total = self.inlet(w), torch.zeros((), device=w.device)
        for block in self.blocks:
            x, skip = block(x)
            total = total + skip  # (B, skip, N)
        masks = torch.sigmoid(self.outlet(total)).view(batch, self.geometry.sources, *w.shape[1:])
        decoded = self.decoder((masks * w[:, None]).flatten(0, 1))  # (B·sources, 1, (N - 1)·stride + kernel)
        return F.pad(decoded, (0, samples - decoded.shape[2])).view(batch, self.geometry.sources, samples)
