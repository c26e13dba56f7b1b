"""ECAPA-TDNN: a log-mel spectrogram of speech -> an embedding of the speaker.

Desplanques et al., "ECAPA-TDNN: Emphasized channel attention, propagation and aggregation in TDNN based speaker
verification" (Interspeech 2020, arXiv 2005.07143). With layer(x) = norm(ReLU(conv(x))), each convolution over time:

    h0 = layer(x)                                    F mel bands -> C channels
    hi = h(i-1) + excite(layer(res2(layer(h(i-1))))) blocks, each looking further (dilations)
    m  = layer([h1, h2, …])                          what all blocks found: M channels
    a  = softmax over time of conv(tanh(layer([m, mean of m, std of m])))
    e  = linear(norm([Σ a m, √(Σ a (m - Σ a m)²)]))  attentive statistics (Okabe et al., arXiv 1803.10963)

res2 (Gao et al., arXiv 1904.01169) cuts the channels into groups; each but the first passes a layer, after the result
of the one before has been added. excite (Hu et al., arXiv 1709.01507) weighs the channels by their means over time.
Convolutions reflect their input at both ends. For training and parity; the ONNX graph (graph.py) is what runs.
"""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.models.ecapa.config import EcapaConfig
from unbraid.models.ecapa.layout import VARIANCE_EPS
from unbraid.models.shapes import BATCH_NORM_EPS


class Layer(nn.Module):
    """A convolution over time that keeps the length, ReLU, batch norm: (B, D, N) -> (B, D', N)."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, dilation: int = 1):
        super().__init__()
        self.margin = dilation * (kernel // 2)
        self.conv = nn.Conv1d(inputs, outputs, kernel, dilation=dilation)
        self.norm = nn.BatchNorm1d(outputs, BATCH_NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        """X (B, D, N) -> (B, D', N)."""
        if self.margin:
            x = F.pad(x, (self.margin, self.margin), mode="reflect")
        return self.norm(F.relu(self.conv(x)))


class Block(nn.Module):
    """A Res2Net layer between two others, squeeze and excitation, and a residual: (B, C, N) -> (B, C, N)."""

    def __init__(self, g: EcapaConfig, dilation: int):
        super().__init__()
        group = g.width // g.scale
        self.inlet = Layer(g.width, g.width)
        self.groups = nn.ModuleList(Layer(group, group, g.block_kernel, dilation) for _ in range(g.scale - 1))
        self.outlet = Layer(g.width, g.width)
        self.squeeze = nn.Conv1d(g.width, g.squeezed, 1)
        self.excite = nn.Conv1d(g.squeezed, g.width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """X (B, C, N) -> (B, C, N)."""
        first, second, *rest = self.inlet(x).chunk(len(self.groups) + 1, dim=1)  # each (B, C / scale, N)
        found = [first, self.groups[0](second)]
        for group, part in zip(cast(list[Layer], self.groups)[1:], rest, strict=True):
            found.append(group(part + found[-1]))
        h = self.outlet(torch.cat(found, dim=1))
        means = h.mean(-1, keepdim=True)  # (B, C, 1)
        return x + h * torch.sigmoid(self.excite(F.relu(self.squeeze(means))))


class Attention(nn.Module):
    """Weighted mean and standard deviation over time: (B, M, N) -> (B, 2 M)."""

    def __init__(self, g: EcapaConfig):
        super().__init__()
        self.inlet = Layer(3 * g.merged, g.attention)
        self.outlet = nn.Conv1d(g.attention, g.merged, 1)

    def forward(self, x: Tensor) -> Tensor:
        """X (B, M, N) -> (B, 2 M)."""
        around = [part[..., None].expand_as(x) for part in _statistics(x, torch.full_like(x[:, :1], 1 / x.shape[-1]))]
        h = torch.tanh(self.inlet(torch.cat([x, *around], dim=1)))
        return torch.cat(_statistics(x, self.outlet(h).softmax(-1)), dim=1)


class Ecapa(nn.Module):
    """Log-mel spectrograms (B, N, F) -> embeddings (B, D)."""

    def __init__(self, geometry: EcapaConfig):
        super().__init__()
        g = geometry
        self.inlet = Layer(g.bins, g.width, g.kernel)
        self.blocks = nn.ModuleList(Block(g, dilation) for dilation in g.dilations)
        self.merge = Layer(g.width * len(g.dilations), g.merged)
        self.attention = Attention(g)
        self.pooled_norm = nn.BatchNorm1d(2 * g.merged, BATCH_NORM_EPS)
        self.embedding = nn.Linear(2 * g.merged, g.features)

    def forward(self, levels: Tensor) -> Tensor:
        """Levels (B, N, F), their mean over time taken off -> embeddings (B, D) of any length."""
        h = self.inlet(levels.transpose(1, 2))  # (B, C, N)
        found = []
        for block in self.blocks:
            h = block(h)
            found.append(h)
        pooled = self.attention(self.merge(torch.cat(found, dim=1)))  # (B, 2 M)
        return self.embedding(self.pooled_norm(pooled))


def _statistics(x: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (B, M) of x (B, M, N) over time, under weights that sum to 1."""
    mean = (weights * x).sum(-1)
    variance = (weights * (x - mean[..., None]).square()).sum(-1)
    return mean, variance.clamp(VARIANCE_EPS).sqrt()


build = Ecapa


def outputs(module: nn.Module, part: str, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The outputs of its graph, by name."""
    return {"embedding": module(inputs["levels"])}
