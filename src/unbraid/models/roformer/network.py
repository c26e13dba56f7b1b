"""RoFormers on bands: the complex spectrum of a song in, complex masks of its stems out.

Lu et al., "Music Source Separation with Band-Split RoPE Transformer" (arXiv 2309.02612), and Wang et al., "Mel-Band
RoFormer for Music Source Separation" (arXiv 2310.01809), as published checkpoints have them. Each band of each frame
becomes D features. Transformers with rotary positions and a gate on each head run over time, one band at a time, and
over bands, one frame at a time, in turn. A perceptron for each stem and band gives its masks; where bands overlap, the
mean of their masks counts.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.models.layers.positions import rotate
from unbraid.models.roformer.bands import sections
from unbraid.models.roformer.config import RoformerConfig
from unbraid.models.roformer.layout import SMALLEST


class RMSNorm(nn.Module):
    """Vectors of an RMS of one, times a weight."""

    def __init__(self, features: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))

    def forward(self, x: Tensor) -> Tensor:
        """x (…, D) -> the same."""
        return F.normalize(x, dim=-1, eps=SMALLEST) * x.shape[-1] ** 0.5 * self.weight


class GatedAttention(nn.Module):
    """Self-attention with rotary positions; what a head gives is scaled by a sigmoid of its step's features."""

    def __init__(self, g: RoformerConfig):
        super().__init__()
        self.heads = g.heads
        self.in_proj = nn.Linear(g.features, 3 * g.inner, bias=False)
        self.gate = nn.Linear(g.features, g.heads)
        self.out_proj = nn.Linear(g.inner, g.features, bias=False)

    def forward(self, x: Tensor, angle: Tensor) -> Tensor:
        """x (B, N, D) with angles (N, E/2) of its steps -> (B, N, D)."""
        batch, steps, _ = x.shape
        q, k, v = self.in_proj(x).view(batch, steps, 3, self.heads, -1).permute(2, 0, 3, 1, 4)  # (B, H, N, E) each
        y = F.scaled_dot_product_attention(rotate(q, angle), rotate(k, angle), v)
        y = y.transpose(1, 2) * self.gate(x).sigmoid()[..., None]  # (B, N, H, E)
        return self.out_proj(y.flatten(-2))


class Layer(nn.Module):
    """Attention, then a feed-forward layer, each behind a norm and beside a residual connection."""

    def __init__(self, g: RoformerConfig):
        super().__init__()
        self.attention_norm, self.feed_norm = RMSNorm(g.features), RMSNorm(g.features)
        self.attention = GatedAttention(g)
        self.feed_in, self.feed_out = nn.Linear(g.features, g.hidden), nn.Linear(g.hidden, g.features)

    def forward(self, x: Tensor, angle: Tensor) -> Tensor:
        """x (B, N, D) -> the same."""
        x = x + self.attention(self.attention_norm(x), angle)
        return x + self.feed_out(F.gelu(self.feed_in(self.feed_norm(x))))


class Transformer(nn.Module):
    """Layers, and a norm behind them if the network has it."""

    def __init__(self, g: RoformerConfig, layers: int):
        super().__init__()
        self.layers = nn.ModuleList(Layer(g) for _ in range(layers))
        self.norm = RMSNorm(g.features) if g.block_norm else nn.Identity()

    def forward(self, x: Tensor, frequencies: Tensor) -> Tensor:
        """x (…, N, D) -> the same; the angles of neighbouring steps differ by `frequencies` (E/2,)."""
        flat = x.flatten(0, -3)
        angle = torch.arange(x.shape[-2], device=x.device)[:, None] * frequencies  # (N, E/2)
        for layer in self.layers:
            flat = layer(flat, angle)
        y: Tensor = self.norm(flat)
        return y.view(x.shape)


class Block(nn.Module):
    """Over time, then over bands."""

    def __init__(self, g: RoformerConfig):
        super().__init__()
        self.time, self.bands = Transformer(g, g.time_layers), Transformer(g, g.band_layers)

    def forward(self, x: Tensor, rotary: "Rotary") -> Tensor:
        """x (B, N, K, D) -> the same."""
        x = self.time(x.transpose(1, 2), rotary.time).transpose(1, 2)
        return self.bands(x.contiguous(), rotary.bands)


class Rotary(nn.Module):
    """The angles in radians between neighbouring steps, one for each pair of a head's features."""

    time: Tensor
    bands: Tensor

    def __init__(self, head_features: int):
        super().__init__()
        even = torch.arange(0, head_features, 2, dtype=torch.float32)
        for axis in ("time", "bands"):
            self.register_buffer(axis, 10000 ** (-even / head_features))


class Inlet(nn.Module):
    """The numbers of a band -> D features."""

    def __init__(self, g: RoformerConfig, size: int):
        super().__init__()
        self.norm, self.linear = RMSNorm(size), nn.Linear(size, g.features)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, size) -> (B, N, D)."""
        y: Tensor = self.linear(self.norm(x))
        return y


class Masks(nn.ModuleList):
    """D features of a band -> the numbers of its masks: a perceptron with a gate at its end."""

    def __init__(self, g: RoformerConfig, size: int):
        super().__init__(nn.Linear(i, o) for i, o in pairwise((g.features, *[g.mask_hidden] * g.mask_layers, 2 * size)))

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, size)."""
        for i, linear in enumerate(self):
            x = linear(torch.tanh(x) if i else x)
        return F.glu(x, -1)


class Roformer(nn.Module):
    """Spectrum (B, N, F·C·2) -> masks (B, S, N, F·C·2)."""

    def __init__(self, geometry: RoformerConfig):
        super().__init__()
        self.geometry = g = geometry
        sizes = [(end - first) * g.bin_numbers for first, end in g.spans]
        self.rotary = Rotary(g.head_features)
        self.inlet = nn.ModuleList(Inlet(g, size) for size in sizes)
        self.blocks = nn.ModuleList(Block(g) for _ in range(g.blocks))
        self.norm = RMSNorm(g.features) if g.final_norm else nn.Identity()
        self.masks = nn.ModuleList(nn.ModuleList(Masks(g, size) for size in sizes) for _ in range(g.stems))

    def forward(self, spectrum: Tensor) -> Tensor:
        """Spectrum (B, N, F·C·2), real and imaginary parts side by side -> masks (B, S, N, F·C·2)."""
        numbers, spans = self.geometry.bin_numbers, self.geometry.spans
        pieces = (spectrum[..., first * numbers : end * numbers] for first, end in spans)
        x = torch.stack([inlet(piece) for inlet, piece in zip(self.inlet, pieces, strict=True)], 2)  # (B, N, K, D)
        before = torch.zeros_like(x)
        for block in self.blocks:
            x = block(x + before if self.geometry.skips else x, self.rotary)
            before = before + x
        x = self.norm(x)
        return torch.stack([self._joined(stem, x) for stem in self.masks], 1)

    def _joined(self, stem: nn.Module, x: Tensor) -> Tensor:
        """The masks of a stem from features (B, N, K, D): the mean of all bands that hold a bin, (B, N, F·C·2)."""
        numbers, spans = self.geometry.bin_numbers, self.geometry.spans
        masks = [of_band(band) for of_band, band in zip(stem.children(), x.unbind(2), strict=True)]
        return torch.cat(
            [
                torch.stack(
                    [masks[k][..., (first - spans[k][0]) * numbers : (end - spans[k][0]) * numbers] for k in bands]
                ).mean(0)
                for (first, end), bands in sections(spans)
            ],
            -1,
        )


build = Roformer


def outputs(module: nn.Module, part: str, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The outputs of its graph, by name."""
    return {"masks": module(inputs["spectrum"])}
