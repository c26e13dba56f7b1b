"""Band-split Transformer: separates voices by filtering the spectrogram, with layers over time and over bands in turn.

The spectrum is cut into bands, each with an embedding of its own (Luo & Yu, "Music Source Separation with Band-split
RNN", arXiv 2209.15174). Attention over time compares whole frames, all bands at once, so that one N×N matrix a head
serves every band (Wang et al., TF-GridNet, arXiv 2211.12433); gated feed-forward layers hold a depthwise convolution
over time and bands; a gated perceptron mixes the bands of each frame (after Quan & Li, SpatialNet, arXiv 2307.16516).
Almost all of the time goes into a few large products, which bfloat16 makes several times faster where a processor
has it. The outputs are complex filters over neighbouring frames (Mack & Habets, Deep Filtering, arXiv 1904.08369),
times a gate: where the mixture is silent, so is every voice.

There are no learned positions, so the length is free. The mixture is normalised to an RMS of 1 on the way in and
the voices are scaled back on the way out.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.models.band_split.config import BandSplitConfig
from unbraid.models.band_split.layout import FLOOR, QUIETEST
from unbraid.models.layers.spectrum import SpectralTransform


class BandLinear(nn.Module):
    """A linear layer for each band: (B, N, K, inputs) -> (B, N, K, outputs)."""

    def __init__(self, bands: int, inputs: int, outputs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(bands, inputs, outputs) / math.sqrt(inputs))
        self.bias = nn.Parameter(torch.zeros(bands, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, N, K, inputs) -> (B, N, K, outputs), each band by its own matrix."""
        batch, frames = x.shape[:2]
        by_band = x.permute(2, 0, 1, 3).flatten(1, 2)  # (K, B·N, inputs)
        y = torch.bmm(by_band, self.weight)
        y = y + self.bias[:, None].to(y.dtype)
        return y.view(len(y), batch, frames, -1).permute(1, 2, 0, 3)


class TimeAttention(nn.Module):
    """Attention of every frame to all frames, with weights from all bands together: (B, N, K, D) -> the same."""

    def __init__(self, geometry: BandSplitConfig):
        super().__init__()
        self.heads, width = geometry.heads, geometry.heads * geometry.query_features
        self.norm = nn.LayerNorm(geometry.features)
        self.query, self.key = (nn.Linear(geometry.features, width) for _ in range(2))
        self.value = nn.Linear(geometry.features, geometry.features)
        self.out = nn.Linear(geometry.features, geometry.features)

    def forward(self, x: Tensor) -> Tensor:
        """Attention over the frames of x (B, N, K, D), with one weight for all bands of a frame."""
        batch, frames, bands, features = x.shape
        h = self.norm(x)
        q, k, v = (self._by_head(linear(h)) for linear in (self.query, self.key, self.value))  # (B·H, N, K·E)
        weights = torch.softmax(torch.bmm(q, k.transpose(1, 2)) / math.sqrt(q.shape[-1]), -1)  # (B·H, N, N)
        mixed = torch.bmm(weights.to(v.dtype), v).view(batch, self.heads, frames, bands, features // self.heads)
        return self.out(mixed.permute(0, 2, 3, 1, 4).flatten(-2))

    def _by_head(self, x: Tensor) -> Tensor:
        """(B, N, K, H·E) -> (B·H, N, K·E)."""
        batch, frames, bands, _ = x.shape
        heads = x.view(batch, frames, bands, self.heads, -1).permute(0, 3, 1, 2, 4)
        return heads.reshape(batch * self.heads, frames, -1)


class GatedConvolution(nn.Module):
    """A gated feed-forward layer whose gate sees the neighbours in time and frequency: (B, N, K, D) -> the same."""

    def __init__(self, geometry: BandSplitConfig):
        super().__init__()
        features, hidden = geometry.features, geometry.hidden
        kernel = (geometry.kernel_frames, geometry.kernel_bands)
        self.norm = nn.LayerNorm(features)
        self.gate, self.value = (nn.Linear(features, hidden) for _ in range(2))
        self.conv = nn.Conv2d(hidden, hidden, kernel, padding=(kernel[0] // 2, kernel[1] // 2), groups=hidden)
        self.out = nn.Linear(hidden, features)

    def forward(self, x: Tensor) -> Tensor:
        """The gated feed-forward layer of x (B, N, K, D)."""
        h = self.norm(x)
        gate = self.conv(self.gate(h).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)  # by way of (B, hidden, N, K)
        return self.out(F.silu(gate) * self.value(h))


class BandMixing(nn.Module):
    """A gated perceptron over all bands of a frame, each squeezed to a few features: (B, N, K, D) -> the same."""

    def __init__(self, geometry: BandSplitConfig):
        super().__init__()
        features, squeezed = geometry.features, geometry.band_features
        self.norm = nn.LayerNorm(features)
        self.squeeze = nn.Linear(features, squeezed)
        self.gate, self.value = (nn.Linear(geometry.bands * squeezed, geometry.band_hidden) for _ in range(2))
        self.back = nn.Linear(geometry.band_hidden, geometry.bands * squeezed)
        self.out = nn.Linear(squeezed, features)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the bands of each frame of x (B, N, K, D)."""
        h = F.silu(self.squeeze(self.norm(x)))
        frame = h.flatten(-2)  # (B, N, K·squeezed)
        mixed = self.back(F.silu(self.gate(frame)) * self.value(frame))
        return self.out(mixed.view(h.shape))


class Block(nn.Module):
    """Over time, then over bands, each followed by a gated convolution."""

    def __init__(self, geometry: BandSplitConfig):
        super().__init__()
        self.time = TimeAttention(geometry)
        self.time_feed = GatedConvolution(geometry)
        self.band = BandMixing(geometry)
        self.band_feed = GatedConvolution(geometry)
        for layer in (self.time, self.time_feed, self.band, self.band_feed):  # each begins as nothing
            nn.init.zeros_(layer.out.weight)
            nn.init.zeros_(layer.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        """The four layers in turn, each with its residual: (B, N, K, D) -> the same."""
        for layer in (self.time, self.time_feed, self.band, self.band_feed):
            x = x + layer(x)
        return x


class BandSplit(nn.Module):
    """Mixture (B, T) -> sources (B, sources, T), at the model's sample rate."""

    def __init__(self, geometry: BandSplitConfig):
        super().__init__()
        self.geometry = g = geometry
        self.transform = SpectralTransform(g.frame_samples)
        self.inlet = BandLinear(g.bands, 2 * g.band_bins, g.features)
        self.blocks = nn.ModuleList(Block(g) for _ in range(g.blocks))
        self.norm = nn.LayerNorm(g.features)
        self.outlet = BandLinear(g.bands, g.features, g.sources * g.filter_size * g.band_bins)
        with torch.no_grad():  # every voice begins as about half of the mixture: the gate at 1/2, the middle tap at 1
            self.outlet.weight.mul_(0.1)
            self.outlet.bias.view(g.bands, g.sources, g.filter_size, g.band_bins)[:, :, 1 + g.taps // 2] = 1

    def forward(self, mixture: Tensor) -> Tensor:
        """Mixture (B, T) -> sources (B, sources, T); STFT, filtering and inverse run in float32."""
        with torch.autocast(mixture.device.type, enabled=False):
            level = torch.sqrt(mixture.float().square().mean(1, keepdim=True) + QUIETEST)  # (B, 1)
            spectrum = self.transform(mixture.float() / level)  # (B, N, 2F)
            seen = self._compressed(spectrum)
        x = self.inlet(seen)
        for block in self.blocks:
            x = block(x)
        filters = self.outlet(self.norm(x))  # (B, N, K, S·outputs·bins)
        with torch.autocast(mixture.device.type, enabled=False):
            voices = self._filtered(filters.float(), spectrum)  # (B, S, N, 2F)
            return self.transform.inverse(voices, mixture.shape[1]) * level[:, None]

    def _compressed(self, spectrum: Tensor) -> Tensor:
        """The root of each magnitude, phases as they are, by bands: (B, N, 2F) -> (B, N, K, 2·bins)."""
        parts = spectrum.view(*spectrum.shape[:2], 2, self.geometry.bands, -1)  # (B, N, 2, K, bins)
        power = parts.square().sum(2, keepdim=True) + FLOOR
        compressed: Tensor = parts * power**-0.25
        return compressed.transpose(2, 3).flatten(-2)

    def _filtered(self, filters: Tensor, spectrum: Tensor) -> Tensor:
        """Deep filtering: each bin is a weighted sum over its neighbours in time, (B, S, N, 2F)."""
        g = self.geometry
        filters = filters.reshape(
            *filters.shape[:3], g.sources, g.filter_size, g.band_bins
        )  # (B, N, K, S, outputs, bins)
        filters = filters.permute(0, 3, 4, 1, 2, 5).flatten(-2)  # (B, S, outputs, N, F)
        gate, real, imaginary = filters[:, :, 0], filters[:, :, 1 : 1 + g.taps], filters[:, :, 1 + g.taps :]
        padded = F.pad(spectrum, (0, 0, g.taps // 2, g.taps // 2))
        frames = spectrum.shape[1]
        near = torch.stack([padded[:, i : i + frames] for i in range(g.taps)], 1)[:, None]  # (B, 1, taps, N, 2F)
        x, y = near.chunk(2, -1)
        voice = torch.cat((real * x - imaginary * y, real * y + imaginary * x), -1).sum(2)
        return voice * torch.sigmoid(gate).repeat(1, 1, 1, 2)


build = BandSplit


def outputs(module: nn.Module, part: str, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The outputs of its graph, by name."""
    return {"sources": module(inputs["mixture"])}
