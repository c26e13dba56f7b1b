"""CAM++: a log-mel spectrogram of speech -> an embedding of the speaker.

Wang et al., "CAM++: A fast and efficient network for speaker verification using context-aware masking" (Interspeech
2023, arXiv 2303.00332). Residual blocks over bands and frames (the front) give the channels of a time delay network
whose layers are densely connected (Huang et al., arXiv 1608.06993): each reads what all before it in its stage found,

    h = ReLU(norm(conv(ReLU(norm(x)))))              all channels -> a bottleneck
    m = sigmoid(conv(ReLU(conv(mean of h over time + mean of h over the segment))))
    x = [x, m · local(h)]                            masked by the context, a few channels more

Segments are 100 steps long. A stage ends with half its channels. The embedding is a linear map of the means and
standard deviations over time; the batch norm that was trained behind it is part of that map. The masks are computed
once for each segment, since all steps of it share them. For parity; the ONNX graph (graph.py) is what runs.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.models.campplus.config import CampplusConfig
from unbraid.models.layers.residual import ConvNorm, Residual
from unbraid.models.shapes import BATCH_NORM_EPS


class Front(nn.Module):
    """Residual blocks that halve the bands: (B, F, N) -> (B, planes · F / halvings, N)."""

    def __init__(self, g: CampplusConfig):
        super().__init__()
        self.inlet = ConvNorm(1, g.planes, 3)
        self.stages = nn.ModuleList(
            nn.Sequential(*(Residual(g.planes, g.planes, (1 if j else 2, 1)) for j in range(blocks)))
            for blocks in g.front_blocks
        )
        self.outlet = ConvNorm(g.planes, g.planes, 3, (2, 1))

    def forward(self, x: Tensor) -> Tensor:
        """X (B, F, N) -> (B, planes · F / halvings, N)."""
        h = F.relu(self.inlet(x[:, None]))  # (B, planes, F, N)
        for stage in self.stages:
            h = stage(h)
        return F.relu(self.outlet(h)).flatten(1, 2)


class Inlet(nn.Module):
    """A convolution over time that halves the frames, batch norm, ReLU: (B, C, N) -> (B, C', ⌈N / 2⌉)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1):
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm1d(outputs, BATCH_NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        """X (B, C, N) -> (B, C', ⌈N / stride⌉)."""
        return F.relu(self.norm(self.conv(x)))


class Layer(nn.Module):
    """A densely connected layer: (B, C, N) -> the channels that it adds (B, growth, N)."""

    def __init__(self, g: CampplusConfig, channels: int, dilation: int):
        super().__init__()
        self.segment = g.segment
        self.norm = nn.BatchNorm1d(channels, BATCH_NORM_EPS)
        self.inlet = Inlet(channels, g.bottleneck, 1)
        margin = dilation * (g.block_kernel // 2)
        self.local = nn.Conv1d(
            g.bottleneck, g.growth, g.block_kernel, padding=margin, dilation=dilation, bias=False
        )  # fmt: skip
        self.squeeze = nn.Conv1d(g.bottleneck, g.squeezed, 1)
        self.mask = nn.Conv1d(g.squeezed, g.growth, 1)

    def forward(self, x: Tensor) -> Tensor:
        """X (B, C, N) -> (B, growth, N)."""
        h = self.inlet(F.relu(self.norm(x)))  # (B, bottleneck, N)
        segments = F.avg_pool1d(h, self.segment, ceil_mode=True)  # (B, bottleneck, S)
        context = h.mean(-1, keepdim=True) + segments
        masks = torch.sigmoid(self.mask(F.relu(self.squeeze(context))))  # (B, growth, S)
        return self.local(h) * masks.repeat_interleave(self.segment, -1)[..., : h.shape[-1]]


class Stage(nn.Module):
    """Densely connected layers, then half the channels: (B, C, N) -> (B, C', N)."""

    def __init__(self, g: CampplusConfig, channels: int, layers: int, dilation: int):
        super().__init__()
        self.layers = nn.ModuleList(Layer(g, channels + j * g.growth, dilation) for j in range(layers))
        grown = channels + layers * g.growth
        self.norm = nn.BatchNorm1d(grown, BATCH_NORM_EPS)
        self.halve = nn.Conv1d(grown, grown // 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """X (B, C, N) -> (B, C', N)."""
        for layer in self.layers:
            x = torch.cat([x, layer(x)], dim=1)
        return self.halve(F.relu(self.norm(x)))


class Campplus(nn.Module):
    """Log-mel spectrograms (B, N, F) -> embeddings (B, D)."""

    def __init__(self, geometry: CampplusConfig):
        super().__init__()
        g = geometry
        self.front = Front(g)
        self.inlet = Inlet(g.planes * (g.bins // g.halvings), g.width, g.kernel, stride=2)
        channels = (g.width, *(grown // 2 for grown in g.grown))
        sizes = zip(channels[:-1], g.layers, g.dilations, strict=True)
        self.stages = nn.ModuleList(Stage(g, *size) for size in sizes)
        self.norm = nn.BatchNorm1d(channels[-1], BATCH_NORM_EPS)
        self.embedding = nn.Linear(2 * channels[-1], g.features)

    def forward(self, levels: Tensor) -> Tensor:
        """Levels (B, N, F), their mean over time taken off -> embeddings (B, D) of any length."""
        h = self.inlet(self.front(levels.transpose(1, 2)))  # (B, width, ⌈N / 2⌉)
        for stage in self.stages:
            h = stage(h)
        h = F.relu(self.norm(h))
        return self.embedding(torch.cat([h.mean(-1), h.std(-1)], dim=1))


build = Campplus


def outputs(module: nn.Module, part: str, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The outputs of its graph, by name."""
    return {"embedding": module(inputs["levels"])}
