"""A ResNet of speakers, or r-vector: a log-mel spectrogram of speech -> an embedding of the speaker.

Zeinali et al., "BUT system description to VoxCeleb Speaker Recognition Challenge 2019" (arXiv 1910.12592), section 3.1:
a ResNet (He et al., arXiv 1512.03385) over bands and frames, whose means and standard deviations over time, of every
channel and band, are mapped to the embedding (Snyder et al., ICASSP 2018). For parity; the ONNX graph (graph.py) is
what runs.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.models.layers.residual import ConvNorm, Residual
from unbraid.models.speaker_resnet.config import SpeakerResnetConfig
from unbraid.models.speaker_resnet.layout import VARIANCE_EPS


class SpeakerResnet(nn.Module):
    """Log-mel spectrograms (B, N, F) -> embeddings (B, D)."""

    def __init__(self, geometry: SpeakerResnetConfig):
        super().__init__()
        g = geometry
        self.inlet = ConvNorm(1, g.planes, 3)
        self.stages = nn.ModuleList(_stage(g, i, blocks) for i, blocks in enumerate(g.blocks))
        self.embedding = nn.Linear(2 * g.pooled, g.features)

    def forward(self, levels: Tensor) -> Tensor:
        """Levels (B, N, F), their mean over time taken off -> embeddings (B, D) of any length."""
        h = F.relu(self.inlet(levels.transpose(1, 2)[:, None]))  # (B, planes, F, N)
        for stage in self.stages:
            h = stage(h)
        h = h.flatten(1, 2)  # (B, channels · bands, N')
        return self.embedding(torch.cat([h.mean(-1), (h.var(-1) + VARIANCE_EPS).sqrt()], dim=1))


def _stage(g: SpeakerResnetConfig, number: int, blocks: int) -> nn.Sequential:
    """Twice the channels of the stage before, half its bands and frames; the first one keeps all."""
    channels, halves = g.planes * 2**number, number > 0
    first = Residual(channels // 2 if halves else channels, channels, (2, 2) if halves else (1, 1))
    return nn.Sequential(first, *(Residual(channels, channels, (1, 1)) for _ in range(blocks - 1)))


build = SpeakerResnet


def outputs(module: nn.Module, part: str, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The outputs of its graph, by name."""
    return {"embedding": module(inputs["levels"])}
