"""An x-vector network as an ONNX graph: levels (B, N, F) -> embedding (B, D); network.py has the equations."""

from unbraid.models.onnx.builder import Graph, Tensors
from unbraid.models.onnx.layers import linear, reflected
from unbraid.models.onnx.pooling import mean_and_deviation
from unbraid.models.onnx.residual import batch_norm
from unbraid.models.xvector.config import XvectorConfig
from unbraid.models.xvector.layout import SLOPE, signature


def build(geometry: XvectorConfig, tensors: Tensors, location: str, part: str = "model") -> bytes:
    """The graph of a geometry, pointing into a weights file that holds `tensors` (name: (dtype, shape))."""
    graph, g = Graph(tensors, location), geometry
    h = graph.transpose("levels", 0, 2, 1)
    for i, (kernel, dilation) in enumerate(zip(g.kernels, g.dilations, strict=True)):
        margin, name = dilation * (kernel // 2), f"layers.{i}"
        h = reflected(graph, h, margin) if margin else h
        weights = graph.weight(f"{name}.conv.weight"), graph.weight(f"{name}.conv.bias")
        h = graph.op("LeakyRelu", graph.op("Conv", h, *weights, dilations=[dilation]), alpha=SLOPE)
        h = batch_norm(graph, f"{name}.norm", h)
    return graph.model(signature(g), {"embedding": linear(graph, "embedding", mean_and_deviation(graph, h))})
