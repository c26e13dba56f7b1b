"""A ResNet of speakers as an ONNX graph: levels (B, N, F) -> embedding (B, D). It equals network.py."""

from unbraid.models.onnx.builder import Graph, Tensors
from unbraid.models.onnx.layers import linear
from unbraid.models.onnx.pooling import mean_and_deviation
from unbraid.models.onnx.residual import conv_norm, residual
from unbraid.models.speaker_resnet.config import SpeakerResnetConfig
from unbraid.models.speaker_resnet.layout import VARIANCE_EPS, signature


def build(geometry: SpeakerResnetConfig, tensors: Tensors, location: str, part: str = "model") -> bytes:
    """The graph of a geometry, pointing into a weights file that holds `tensors` (name: (dtype, shape))."""
    graph, g = Graph(tensors, location), geometry
    x = graph.unsqueeze(graph.transpose("levels", 0, 2, 1), 1)  # (B, 1, F, N)
    h = graph.op("Relu", conv_norm(graph, "inlet", x))
    for i, blocks in enumerate(g.blocks):
        for j in range(blocks):
            h = residual(graph, f"stages.{i}.{j}", h, (2, 2) if i and not j else (1, 1))
    h = graph.reshape(h, [0, g.pooled, -1])  # (B, channels · bands, N')
    pooled = mean_and_deviation(graph, h, VARIANCE_EPS)
    return graph.model(signature(g), {"embedding": linear(graph, "embedding", pooled)})
