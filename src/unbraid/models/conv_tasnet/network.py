"""Conv-TasNet: dilated convolutions over a learned encoding of the waveform.

Luo & Mesgarani, "Conv-TasNet: Surpassing Ideal Time-Frequency Magnitude Masking for Speech Separation" (arXiv
1809.07454), the non-causal network with global layer norms and sigmoid masks; letters are the paper's. The last block
has no residual connection, since nothing comes after it.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.models.conv_tasnet.config import ConvTasNetConfig
from unbraid.models.conv_tasnet.layout import NORM_EPS


def global_norm(features: int) -> nn.GroupNorm:
    """Normalise over features and frames together, then scale and shift each feature (gLN)."""
    return nn.GroupNorm(1, features, eps=NORM_EPS)


class Block(nn.Module):
    """1×1 convolution up, dilated depthwise convolution, two 1×1 down: (B, D, N) -> the same, and (B, skip, N).

    The last one has the skip connection alone.
    """

    def __init__(self, geometry: ConvTasNetConfig, dilation: int, *, is_last: bool):
        super().__init__()
        g = geometry
        receptive_field = dilation * (g.kernel_frames - 1) // 2
        self.inside = nn.Sequential(
            nn.Conv1d(g.bottleneck, g.hidden, 1),
            nn.PReLU(),
            global_norm(g.hidden),
            nn.Conv1d(g.hidden, g.hidden, g.kernel_frames, padding=receptive_field, dilation=dilation, groups=g.hidden),
            nn.PReLU(),
            global_norm(g.hidden),
        )
        self.residual = None if is_last else nn.Conv1d(g.hidden, g.bottleneck, 1)
        self.skip = nn.Conv1d(g.hidden, g.skip, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, D, N) -> the next block's input, and the skip connection (B, skip, N)."""
        inside = self.inside(x)  # (B, H, N)
        onward = x if self.residual is None else x + self.residual(inside)
        return onward, self.skip(inside)


class ConvTasNet(nn.Module):
    """Mixture (B, T) -> sources (B, sources, T), at the model's sample rate; T is at least one kernel."""

    def __init__(self, geometry: ConvTasNetConfig):
        super().__init__()
        self.geometry = g = geometry
        self.encoder = nn.Conv1d(1, g.features, g.kernel_samples, g.kernel_samples // 2, bias=False)
        self.inlet = nn.Sequential(global_norm(g.features), nn.Conv1d(g.features, g.bottleneck, 1))
        dilations = [2**i for _ in range(g.repeats) for i in range(g.blocks)]
        last = len(dilations) - 1
        self.blocks = nn.ModuleList(Block(g, dilation, is_last=i == last) for i, dilation in enumerate(dilations))
        self.outlet = nn.Sequential(nn.PReLU(), nn.Conv1d(g.skip, g.sources * g.features, 1))
        self.decoder = nn.ConvTranspose1d(g.features, 1, g.kernel_samples, g.kernel_samples // 2, bias=False)

    def forward(self, mixture: Tensor) -> Tensor:
        """Mixture (B, T) -> sources (B, sources, T)."""
        batch, samples = mixture.shape
        w = F.relu(self.encoder(mixture[:, None]))  # (B, features, N)
        x, total = self.inlet(w), torch.zeros((), device=w.device)
        for block in self.blocks:
            x, skip = block(x)
            total = total + skip  # (B, skip, N)
        masks = torch.sigmoid(self.outlet(total)).view(batch, self.geometry.sources, *w.shape[1:])
        decoded = self.decoder((masks * w[:, None]).flatten(0, 1))  # (B·sources, 1, (N - 1)·stride + kernel)
        return F.pad(decoded, (0, samples - decoded.shape[2])).view(batch, self.geometry.sources, samples)


build = ConvTasNet


def outputs(module: nn.Module, part: str, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The outputs of its graph, by name."""
    return {"sources": module(inputs["mixture"])}
