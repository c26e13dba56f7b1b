"""RE-SepFormer: separation of simultaneous voices with attention within chunks and across their averages.

Della Libera et al., "Resource-Efficient Separation Transformer" (arXiv 2206.09507). As in a SepFormer, a Transformer
runs over the frames of each chunk. Chunks do not overlap, and what one tells the others is the average of its frames:
the Transformer across the chunks runs over these averages, and its output for a chunk is added to all frames of it.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.models.layers.global_norm import GlobalNorm
from unbraid.models.layers.transformer import TransformerEncoder
from unbraid.models.resepformer.config import ResepformerConfig
from unbraid.models.resepformer.layout import GLOBAL_NORM_EPS
from unbraid.models.sepformer.network import decode


class Block(nn.Module):
    """x + norm(Transformer(x)): (B, N, D) -> (B, N, D)."""

    def __init__(self, geometry: ResepformerConfig):
        super().__init__()
        self.transformer = TransformerEncoder(geometry.features, geometry.heads, geometry.hidden, geometry.layers)
        self.norm = GlobalNorm(geometry.features, GLOBAL_NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        """Sequences (B, N, D), each with positions and a norm of its own -> (B, N, D)."""
        y: Tensor = x + self.norm(self.transformer(x))
        return y


class MaskNet(nn.Module):
    """Frames of the mixture (B, N, D) -> one mask per source (B, sources, N, D)."""

    def __init__(self, geometry: ResepformerConfig):
        super().__init__()
        self.geometry = geometry
        self.within = nn.ModuleList(Block(geometry) for _ in range(geometry.blocks))
        self.across = nn.ModuleList(Block(geometry) for _ in range(geometry.blocks - 1))
        self.prelu = nn.PReLU()
        self.split = nn.Linear(geometry.features, geometry.features * geometry.sources)

    def forward(self, w: Tensor) -> Tensor:
        """Encoded mixture (B, N, D) -> a mask for each source (B, sources, N, D), at least 0."""
        batch, frames, features = w.shape
        chunk = self.geometry.chunk_frames
        x = F.pad(w, (0, 0, 0, chunk - frames % chunk))  # as published: a full chunk, not none, if nothing is missing
        x = x.reshape(-1, chunk, features)  # (B·S, K, D)
        for i, within in enumerate(self.within):
            x = within(x)
            if i < len(self.across):
                averages = x.mean(1).view(batch, -1, features)  # (B, S, D)
                x = x + self.across[i](averages).view(-1, 1, features)
        x = self.split(self.prelu(x.view(batch, -1, features)[:, :frames]))  # (B, N, sources·D)
        return F.relu(x.view(batch, frames, self.geometry.sources, features).transpose(1, 2))


class ReSepFormer(nn.Module):
    """Mixture (B, T) -> sources (B, sources, T), at the model's sample rate; T is at least one kernel."""

    def __init__(self, geometry: ResepformerConfig):
        super().__init__()
        kernel, stride = geometry.kernel_samples, geometry.stride_samples
        self.encoder = nn.Conv1d(1, geometry.features, kernel, stride, bias=False)
        self.masknet = MaskNet(geometry)
        self.decoder = nn.ConvTranspose1d(geometry.features, 1, kernel, stride, bias=False)

    def forward(self, mixture: Tensor) -> Tensor:
        """Mixture (B, T) -> sources (B, sources, T)."""
        w = F.relu(self.encoder(mixture[:, None])).transpose(1, 2)  # (B, N, D)
        return decode(self.decoder, self.masknet(w) * w[:, None], mixture.shape[1])


build = ReSepFormer


def outputs(module: nn.Module, part: str, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The outputs of its graph, by name."""
    return {"sources": module(inputs["mixture"])}
