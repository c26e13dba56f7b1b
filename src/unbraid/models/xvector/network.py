"""X-vectors: a log-mel spectrogram of speech -> an embedding of the speaker.

Snyder et al., "X-vectors: Robust DNN embeddings for speaker recognition" (ICASSP 2018), in SpeechBrain's form:

    h = norm(leaky(conv(h)))      layers over time, each looking further (dilations), mirrored at both ends
    e = linear([mean h, std h])   over all frames

SpeechBrain adds noise of up to 9e-5 to the means, and 1e-5 to the deviations, which is left out here. For parity; the
ONNX graph (graph.py) is what runs.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.models.shapes import BATCH_NORM_EPS
from unbraid.models.xvector.config import XvectorConfig
from unbraid.models.xvector.layout import SLOPE


class Layer(nn.Module):
    """A convolution over time that keeps the length, leaky ReLU, batch norm: (B, D, N) -> (B, D', N)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int):
        super().__init__()
        margin = dilation * (kernel // 2)
        self.conv = nn.Conv1d(inputs, outputs, kernel, dilation=dilation, padding=margin, padding_mode="reflect")
        self.norm = nn.BatchNorm1d(outputs, BATCH_NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        """X (B, D, N) -> (B, D', N)."""
        return self.norm(F.leaky_relu(self.conv(x), SLOPE))


class Xvector(nn.Module):
    """Log-mel spectrograms (B, N, F) -> embeddings (B, D)."""

    def __init__(self, geometry: XvectorConfig):
        super().__init__()
        g = geometry
        sizes = zip((g.bins, *g.widths[:-1]), g.widths, g.kernels, g.dilations, strict=True)
        self.layers = nn.Sequential(*(Layer(*size) for size in sizes))
        self.embedding = nn.Linear(2 * g.widths[-1], g.features)

    def forward(self, levels: Tensor) -> Tensor:
        """Levels (B, N, F), their mean over time taken off -> embeddings (B, D) of any length."""
        h = self.layers(levels.transpose(1, 2))  # (B, C, N)
        return self.embedding(torch.cat([h.mean(-1), h.std(-1)], dim=1))


build = Xvector


def outputs(module: nn.Module, part: str, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The outputs of its graph, by name."""
    return {"embedding": module(inputs["levels"])}
