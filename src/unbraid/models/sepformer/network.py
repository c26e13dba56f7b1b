"""SepFormer: separation of simultaneous voices by masks from a dual-path Transformer.

Subakan et al., "Attention Is All You Need in Speech Separation" (arXiv 2010.13154): a learned encoder, a masking
network that attends within chunks and then across them, a learned decoder. Features stay on the last axis, so
every 1×1 convolution of the paper is a `Linear`; the weights are the published ones, renamed.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.models.layers.global_norm import GlobalNorm
from unbraid.models.layers.transformer import TransformerEncoder
from unbraid.models.sepformer.config import SepFormerConfig


class DualPathBlock(nn.Module):
    """Attention within each chunk, then across chunks at each position: (B, S, K, D) -> (B, S, K, D)."""

    def __init__(self, geometry: SepFormerConfig):
        super().__init__()
        sizes = (geometry.features, geometry.heads, geometry.hidden, geometry.layers)
        self.intra = TransformerEncoder(*sizes)
        self.intra_norm = GlobalNorm(geometry.features)
        self.inter = TransformerEncoder(*sizes)
        self.inter_norm = GlobalNorm(geometry.features)

    def forward(self, x: Tensor) -> Tensor:
        """Chunks (B, S, K, D) -> the same, within the chunks and then across them."""
        batch, chunks, frames, features = x.shape
        within = self.intra(x.reshape(batch * chunks, frames, features)).view(x.shape)  # (B, S, K, D)
        x = x + self.intra_norm(within)
        across = x.transpose(1, 2).reshape(batch * frames, chunks, features)  # (B·K, S, D)
        across = self.inter(across).view(batch, frames, chunks, features).transpose(1, 2)  # (B, S, K, D)
        return x + self.inter_norm(across)


def chunk(x: Tensor, chunk_frames: int) -> Tensor:
    """Cut frames (B, N, D) into chunks (B, S, K, D) that overlap by half, zeros before and after.

    Half a chunk of zeros leads; the end is filled to whole chunks (a full one when nothing is missing), as published.
    """
    half = chunk_frames // 2
    gap = chunk_frames - (half + x.shape[1] % chunk_frames) % chunk_frames
    x = F.pad(x, (0, 0, half, gap + half))  # (B, (S + 1)·K/2, D)
    halves = x.view(x.shape[0], -1, half, x.shape[2])  # (B, S + 1, K/2, D)
    return torch.cat((halves[:, :-1], halves[:, 1:]), dim=2)  # (B, S, K, D)


def unchunk(x: Tensor, frames: int) -> Tensor:
    """Add overlapping chunks (B, S, K, D) back into frames (B, N, D); undoes `chunk` up to a factor of two."""
    batch, chunks, chunk_frames, features = x.shape
    halves = x.view(batch, chunks, 2, chunk_frames // 2, features)
    joined = halves[:, 1:, 0] + halves[:, :-1, 1]  # (B, S - 1, K/2, D): the leading zeros are gone
    return joined.reshape(batch, -1, features)[:, :frames]


class MaskNet(nn.Module):
    """Frames of the mixture (B, N, D) -> one mask per source (B, sources, N, D)."""

    def __init__(self, geometry: SepFormerConfig):
        super().__init__()
        self.geometry = geometry
        features = geometry.features
        self.norm = GlobalNorm(features)
        self.inlet = nn.Linear(features, features, bias=False)
        self.blocks = nn.ModuleList(DualPathBlock(geometry) for _ in range(geometry.blocks))
        self.prelu = nn.PReLU()
        self.split = nn.Linear(features, features * geometry.sources)
        self.value = nn.Linear(features, features)
        self.gate = nn.Linear(features, features)
        self.outlet = nn.Linear(features, features, bias=False)

    def forward(self, w: Tensor) -> Tensor:
        """Encoded mixture (B, N, D) -> a mask for each source (B, sources, N, D), at least 0."""
        batch, frames, features = w.shape
        x = chunk(self.inlet(self.norm(w)), self.geometry.chunk_frames)  # (B, S, K, D)
        for block in self.blocks:
            x = block(x)
        # The 1×1 convolution comes before the chunks are added, as published; its bias is then added twice.
        x = unchunk(self.split(self.prelu(x)), frames)  # (B, N, sources·D)
        x = x.view(batch, frames, self.geometry.sources, features).transpose(1, 2)  # (B, sources, N, D)
        return F.relu(self.outlet(torch.tanh(self.value(x)) * torch.sigmoid(self.gate(x))))


def decode(decoder: nn.Module, masked: Tensor, samples: int) -> Tensor:
    """Masked frames (B, sources, N, D) through a transposed convolution, then zeros up to T -> (B, sources, T)."""
    batch, sources, frames, features = masked.shape
    decoded = decoder(masked.reshape(-1, frames, features).transpose(1, 2))  # (B·sources, 1, (N - 1)·stride + kernel)
    decoded = F.pad(decoded, (0, samples - decoded.shape[2]))
    return decoded.view(batch, sources, samples)


class SepFormer(nn.Module):
    """Mixture (B, T) -> sources (B, sources, T), at the model's sample rate; T is at least one kernel."""

    def __init__(self, geometry: SepFormerConfig):
        super().__init__()
        self.geometry = geometry
        kernel, stride = geometry.kernel_samples, geometry.stride_samples
        self.encoder = nn.Conv1d(1, geometry.features, kernel, stride, bias=False)
        self.masknet = MaskNet(geometry)
        self.decoder = nn.ConvTranspose1d(geometry.features, 1, kernel, stride, bias=False)

    def forward(self, mixture: Tensor) -> Tensor:
        """Mixture (B, T) -> sources (B, sources, T)."""
        w = F.relu(self.encoder(mixture[:, None])).transpose(1, 2)  # (B, N, D)
        return decode(self.decoder, self.masknet(w) * w[:, None], mixture.shape[1])


build = SepFormer


def outputs(module: nn.Module, part: str, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The outputs of its graph, by name."""
    return {"sources": module(inputs["mixture"])}
