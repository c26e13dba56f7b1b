"""HiFi-GAN's generator: a log-mel spectrogram -> a waveform.

Kong et al., "HiFi-GAN: Generative Adversarial Networks for Efficient and High Fidelity Speech Synthesis" (NeurIPS 2020,
arXiv 2010.05646), section 2.2, with residual blocks of the first kind:

    h = inlet((x - mean) / scale)                    F mel bands -> C channels
    each stage:  h = up(leaky(h))                    half the channels, `stride` times the steps
                 h = mean of blocks(h)               with kernels of different sizes, side by side
    each block:  h = h + near(leaky(wide(leaky(h)))) for each dilation, which `wide` has and `near` has not
    y = tanh(outlet(leaky(h)))

All convolutions keep the length; beyond the ends lie zeros or the mirrored signal, but zeros for `up`. There is nothing
but convolutions, so a sample depends on `context_frames` frames on either side of its own and on no others.
"""

from collections.abc import Iterable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.models.hifigan.config import ENDS_KERNEL, HifiganConfig
from unbraid.models.hifigan.layout import LAST_SLOPE


def kept(g: HifiganConfig, inputs: int, outputs: int, kernel: int, dilation: int = 1) -> nn.Conv1d:
    """A convolution that keeps the length."""
    margin = dilation * (kernel // 2)
    return nn.Conv1d(inputs, outputs, kernel, dilation=dilation, padding=margin, padding_mode=g.padding)


class Block(nn.Module):
    """Convolutions of one kernel and several dilations, residual: (B, C, N) -> (B, C, N)."""

    def __init__(self, g: HifiganConfig, channels: int, kernel: int):
        super().__init__()
        self.slope = g.slope
        self.wide = nn.ModuleList(kept(g, channels, channels, kernel, dilation) for dilation in g.dilations)
        self.near = nn.ModuleList(kept(g, channels, channels, kernel) for _ in g.dilations)

    def forward(self, h: Tensor) -> Tensor:
        """H (B, C, N) -> (B, C, N)."""
        for wide, near in zip(self.wide, self.near, strict=True):
            h = h + near(F.leaky_relu(wide(F.leaky_relu(h, self.slope)), self.slope))
        return h


class Stage(nn.Module):
    """A transposed convolution, and the mean of blocks: (B, 2 C, N) -> (B, C, N·stride)."""

    def __init__(self, g: HifiganConfig, i: int):
        super().__init__()
        channels, kernel, stride = g.width >> i, g.kernels[i], g.strides[i]
        self.slope = g.slope
        self.up = nn.ConvTranspose1d(channels, channels // 2, kernel, stride, padding=(kernel - stride) // 2)
        self.blocks = nn.ModuleList(Block(g, channels // 2, kernel) for kernel in g.block_kernels)

    def forward(self, h: Tensor) -> Tensor:
        """H (B, 2 C, N) -> (B, C, N·stride)."""
        h = self.up(F.leaky_relu(h, self.slope))
        found = [block(h) for block in cast(Iterable[nn.Module], self.blocks)]
        return torch.stack(found).sum(0) / len(found)


class Hifigan(nn.Module):
    """Log-mel spectrograms (B, N, F) -> waveforms (B, N·hop), at most 1 in magnitude."""

    mean: Tensor
    scale: Tensor

    def __init__(self, geometry: HifiganConfig):
        super().__init__()
        g = geometry
        self.register_buffer("mean", torch.zeros(g.bins))
        self.register_buffer("scale", torch.ones(g.bins))
        self.inlet = kept(g, g.bins, g.width, ENDS_KERNEL)
        self.stages = nn.ModuleList(Stage(g, i) for i in range(len(g.strides)))
        self.outlet = kept(g, g.width >> len(g.strides), 1, ENDS_KERNEL)

    def forward(self, log_mel: Tensor) -> Tensor:
        """Levels (B, N, F), N at least `least_frames` -> samples (B, N·hop)."""
        h = self.inlet(((log_mel - self.mean) / self.scale).transpose(1, 2))  # (B, C, N)
        for stage in self.stages:
            h = stage(h)
        waveform: Tensor = torch.tanh(self.outlet(F.leaky_relu(h, LAST_SLOPE)))
        return waveform[:, 0]


build = Hifigan


def outputs(module: nn.Module, part: str, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The output of its graph, by name."""
    return {"waveform": module(inputs["log_mel"])}
