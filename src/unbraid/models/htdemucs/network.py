"""Hybrid Transformer Demucs: two U-Nets, one over the waveform and one over the spectrogram, joined by a Transformer.

Rouard et al., "Hybrid Transformers for Music Source Separation" (arXiv 2211.08553), as `htdemucs` is published. At the
bottom of the U-Nets, the tokens of both branches go through layers of self-attention and of attention to the other
branch, in turn. Each branch gives every stem, as a waveform or a spectrum; their sum is the stem.

The scales of the residual layers and of the Transformer's sub-layers (LayerScale) are inside the weights in front of
them. Features are (B, C, F, N) in both branches: a waveform has one bin.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.models.htdemucs.config import KERNEL, STRIDE, HtdemucsConfig
from unbraid.models.htdemucs.layout import (
    BRANCHES,
    LEVEL_EPS,
    NORM_EPS,
    RESIDUAL_KERNEL,
    REWRITE_KERNELS,
    along,
    is_cross,
)
from unbraid.models.layers.attention import MultiHeadAttention
from unbraid.models.layers.positions import sinusoidal_positions

PAD = (KERNEL - STRIDE) // 2


class Norm(nn.Module):
    """Features (B, C, F, N) with mean 0 and variance 1 over features and steps of each bin, then an affine map."""

    def __init__(self, features: int):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(features)), nn.Parameter(torch.zeros(features))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, F, N) -> the same."""
        bins = x.transpose(1, 2).flatten(0, 1)  # (B·F, C, N)
        y = F.group_norm(bins, 1, self.weight, self.bias, NORM_EPS)
        return y.view(x.shape[0], x.shape[2], x.shape[1], x.shape[3]).transpose(1, 2)


class Residual(nn.Module):
    """x plus a bottleneck of it with a dilated convolution over steps, and a gate."""

    def __init__(self, width: int, inside: int, dilation: int):
        super().__init__()
        margin = (0, dilation * (RESIDUAL_KERNEL // 2))
        self.squeeze = nn.Conv2d(width, inside, (1, RESIDUAL_KERNEL), padding=margin, dilation=(1, dilation))
        self.squeeze_norm = Norm(inside)
        self.expand = nn.Conv2d(inside, 2 * width, 1)
        self.expand_norm = Norm(2 * width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, F, N) -> the same."""
        y = F.gelu(self.squeeze_norm(self.squeeze(x)))
        return x + F.glu(self.expand_norm(self.expand(y)), 1)


def residuals(g: HtdemucsConfig, width: int) -> nn.ModuleList:
    """Residual layers with dilations 1, 2, 4, …"""
    return nn.ModuleList(Residual(width, width // g.squeeze, 2**i) for i in range(g.residual_layers))


class Encoder(nn.Module):
    """A level down: a quarter of the bins, or of the steps, rounded up."""

    def __init__(self, g: HtdemucsConfig, branch: str, inputs: int, width: int):
        super().__init__()
        margin = along(branch, PAD, 0)
        self.conv = nn.Conv2d(inputs, width, along(branch, KERNEL), along(branch, STRIDE), margin)
        self.residuals = residuals(g, width)
        self.rewrite = nn.Conv2d(width, 2 * width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, F, N) -> (B, width, F / 4, N) or (B, width, 1, N / 4)."""
        missing = -x.shape[3] % STRIDE if x.shape[2] == 1 else 0
        x = F.gelu(self.conv(F.pad(x, (0, missing))))
        for layer in self.residuals:
            x = layer(x)
        return F.glu(self.rewrite(x), 1)


class Decoder(nn.Module):
    """A level up, from the sum of what comes from below and of the encoder's features."""

    def __init__(self, g: HtdemucsConfig, branch: str, width: int, outputs: int):
        super().__init__()
        kernel = REWRITE_KERNELS[branch]
        self.rewrite = nn.Conv2d(width, 2 * width, kernel, padding=(kernel[0] // 2, kernel[1] // 2))
        self.residuals = residuals(g, width) if g.decoder_residuals else nn.ModuleList()
        self.conv = nn.ConvTranspose2d(width, outputs, along(branch, KERNEL), along(branch, STRIDE))

    def forward(self, x: Tensor, skip: Tensor, size: tuple[int, int]) -> Tensor:
        """(B, width, F, N) twice -> (B, outputs, *size)."""
        x = F.glu(self.rewrite(x + skip), 1)
        for layer in self.residuals:
            x = layer(x)
        x = self.conv(x)
        first = [PAD if have > wanted else 0 for have, wanted in zip(x.shape[2:], size, strict=True)]
        return x[:, :, first[0] : first[0] + size[0], first[1] : first[1] + size[1]]


class Layer(nn.Module):
    """Attention to the tokens of this branch or of the other one, then a feed-forward layer, and a norm over all."""

    def __init__(self, g: HtdemucsConfig, crosses: bool):
        super().__init__()
        self.attention_norm = nn.LayerNorm(g.inner, NORM_EPS)
        self.memory_norm = nn.LayerNorm(g.inner, NORM_EPS) if crosses else nn.Identity()
        self.attention = MultiHeadAttention(g.inner, g.heads)
        self.feed_norm = nn.LayerNorm(g.inner, NORM_EPS)
        self.feed_in, self.feed_out = nn.Linear(g.inner, g.hidden), nn.Linear(g.hidden, g.inner)
        self.norm = nn.GroupNorm(1, g.inner, NORM_EPS)

    def forward(self, x: Tensor, memory: Tensor | None) -> Tensor:
        """x (B, M, D), and the memory (B, N, D) of a layer that attends to it -> (B, M, D)."""
        h = self.attention_norm(x)
        memory = h if memory is None else self.memory_norm(memory)
        x = x + self.attention.attend(self.attention.queries(h), self.attention.keys_values(memory))
        x = x + self.feed_out(F.gelu(self.feed_in(self.feed_norm(x))))
        y: Tensor = self.norm(x.transpose(1, 2)).transpose(1, 2)
        return y


class Branch(nn.Module):
    """One of the two U-Nets, with its half of the Transformer."""

    def __init__(self, g: HtdemucsConfig, branch: str):
        super().__init__()
        numbers = g.channels * (2 if branch == "spectral" else 1)
        inputs, outputs = (numbers, *g.widths[:-1]), (numbers * g.network_stems, *g.widths[:-1])
        self.encoder = nn.ModuleList(Encoder(g, branch, i, w) for i, w in zip(inputs, g.widths, strict=True))
        decoders = [Decoder(g, branch, w, o) for w, o in zip(g.widths, outputs, strict=True)]
        self.decoder = nn.ModuleList(reversed(decoders))
        self.inlet = nn.Linear(g.widths[-1], g.inner) if g.bottom else nn.Identity()
        self.outlet = nn.Linear(g.inner, g.widths[-1]) if g.bottom else nn.Identity()
        self.norm = nn.LayerNorm(g.inner, NORM_EPS)
        self.layers = nn.ModuleList(Layer(g, is_cross(i)) for i in range(g.layers))

    def down(self, x: Tensor, frequencies: Tensor | None) -> list[Tensor]:
        """The features of each level; `frequencies` (C, F, 1) are added to the first."""
        levels: list[Tensor] = []
        for encoder in self.encoder:
            x = encoder(x)
            x = x + frequencies if frequencies is not None and not levels else x
            levels.append(x)
        return levels

    def up(self, tokens: Tensor, levels: list[Tensor], size: tuple[int, int]) -> Tensor:
        """Tokens (B, N·F, D) and the features of each level -> (B, outputs, *size)."""
        x = self.outlet(tokens)
        x = x.unflatten(1, (levels[-1].shape[3], levels[-1].shape[2])).permute(0, 3, 2, 1)  # (B, C, F, N)
        sizes = [size, *(tuple(level.shape[2:]) for level in levels[:-1])]
        for i, decoder in enumerate(self.decoder):
            x = decoder(x, levels[-1 - i], sizes[-1 - i])
            x = F.gelu(x) if i < len(self.decoder) - 1 else x
        return x

    def tokens(self, x: Tensor) -> Tensor:
        """Features (B, C, F, N) -> tokens (B, N·F, D) with their positions."""
        bins, frames = x.shape[2:]
        y: Tensor = self.norm(self.inlet(x.permute(0, 3, 2, 1).flatten(1, 2)))
        return y + (positions_2d(frames, bins, y) if bins > 1 else positions_1d(frames, y))


def positions_2d(frames: int, bins: int, like: Tensor) -> Tensor:
    """(N·F, D): half of the features tell the frame, the other half the bin."""
    half = like.shape[-1] // 2
    over_time = sinusoidal_positions(frames, half, like)[:, None].expand(-1, bins, -1)
    over_bins = sinusoidal_positions(bins, half, like)[None].expand(frames, -1, -1)
    return torch.cat((over_time, over_bins), -1).flatten(0, 1)


def positions_1d(steps: int, like: Tensor) -> Tensor:
    """(N, D): cosines, then sines, of angles n · 10000^(-i / (D/2 - 1))."""
    half = like.shape[-1] // 2
    periods = 10000 ** (torch.arange(half, device=like.device) / (half - 1))
    angle = torch.arange(steps, device=like.device)[:, None] / periods
    return torch.cat((angle.cos(), angle.sin()), -1)


def levelled(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """x (B, …) with mean 0 and a level of 1; and the mean and the level that it had, (B, 1, …)."""
    axes = tuple(range(1, x.ndim))
    mean, level = x.mean(axes, keepdim=True), x.std(axes, keepdim=True)
    return (x - mean) / (LEVEL_EPS + level), mean, level


class Htdemucs(nn.Module):
    """A mixture (B, C, T) and its spectrum (B, C·2, F, N) -> waveforms (B, S·C, T) and spectra (B, S·C·2, F, N)."""

    def __init__(self, g: HtdemucsConfig):
        super().__init__()
        self.frequencies = nn.Parameter(torch.zeros(g.features, g.bins // STRIDE, 1))
        self.spectral, self.temporal = (Branch(g, branch) for branch in BRANCHES)

    def forward(self, mixture: Tensor, spectrum: Tensor) -> tuple[Tensor, Tensor]:
        """One segment of each item."""
        s, s_mean, s_level = levelled(spectrum)
        t, t_mean, t_level = levelled(mixture[:, :, None])  # (B, C, 1, T)
        spectral, temporal = self.spectral.down(s, self.frequencies), self.temporal.down(t, None)
        s, t = self.spectral.tokens(spectral[-1]), self.temporal.tokens(temporal[-1])
        for i, (of_s, of_t) in enumerate(zip(self.spectral.layers, self.temporal.layers, strict=True)):
            s, t = (of_s(s, t), of_t(t, s)) if is_cross(i) else (of_s(s, None), of_t(t, None))
        s = self.spectral.up(s, spectral, (spectrum.shape[2], spectrum.shape[3])) * s_level + s_mean
        t = self.temporal.up(t, temporal, (1, mixture.shape[2])) * t_level + t_mean
        return t[:, :, 0], s


class Bag(nn.Module):
    """A network for each stem."""

    def __init__(self, g: HtdemucsConfig):
        super().__init__()
        self.networks = nn.ModuleList(Htdemucs(g) for _ in g.graphs)
        self.names = g.graphs

    def part(self, name: str) -> nn.Module:
        """The network of a graph."""
        return self.networks[self.names.index(name)]


def build(geometry: HtdemucsConfig) -> nn.Module:
    """The network, or several."""
    return Htdemucs(geometry) if geometry.networks == 1 else Bag(geometry)


def outputs(module: nn.Module, part: str, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The outputs of the graph of a part, by name."""
    network = module.part(part) if isinstance(module, Bag) else module
    waves, spectra = network(inputs["mixture"], inputs["spectrum"])
    return {"waves": waves, "spectra": spectra}
