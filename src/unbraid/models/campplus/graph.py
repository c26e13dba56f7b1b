"""CAM++ as an ONNX graph: levels (B, N, F) -> embedding (B, D). It equals network.py, which has the equations."""

from unbraid.models.campplus.config import CampplusConfig
from unbraid.models.campplus.layout import signature
from unbraid.models.onnx.builder import Graph, Tensors
from unbraid.models.onnx.layers import linear
from unbraid.models.onnx.pooling import mean_and_deviation
from unbraid.models.onnx.residual import batch_norm, conv_norm, residual


def build(geometry: CampplusConfig, tensors: Tensors, location: str, part: str = "model") -> bytes:
    """The graph of a geometry, pointing into a weights file that holds `tensors` (name: (dtype, shape))."""
    graph, g = Graph(tensors, location), geometry
    h = _front(graph, g, graph.transpose("levels", 0, 2, 1))
    h = graph.op("Relu", conv_norm(graph, "inlet", h, (2,)))  # (B, width, ⌈N / 2⌉)
    for i, dilation in enumerate(g.dilations):
        for j in range(g.layers[i]):
            h = graph.op("Concat", h, _layer(graph, g, f"stages.{i}.layers.{j}", h, dilation), axis=1)
        h = graph.op("Conv", _active(graph, f"stages.{i}.norm", h), graph.weight(f"stages.{i}.halve.weight"))
    pooled = mean_and_deviation(graph, _active(graph, "norm", h))
    return graph.model(signature(g), {"embedding": linear(graph, "embedding", pooled)})


def _front(graph: Graph, g: CampplusConfig, x: str) -> str:
    """(B, F, N) -> (B, planes · F / halvings, N)."""
    h = graph.op("Relu", conv_norm(graph, "front.inlet", graph.unsqueeze(x, 1)))
    for i, blocks in enumerate(g.front_blocks):
        for j in range(blocks):
            h = residual(graph, f"front.stages.{i}.{j}", h, (1 if j else 2, 1))
    h = graph.op("Relu", conv_norm(graph, "front.outlet", h, (2, 1)))  # (B, planes, F / halvings, N)
    return graph.reshape(h, [0, g.planes * (g.bins // g.halvings), -1])


def _layer(graph: Graph, g: CampplusConfig, name: str, x: str, dilation: int) -> str:
    """(B, C, N) -> (B, growth, N)."""
    h = graph.op("Relu", conv_norm(graph, f"{name}.inlet", _active(graph, f"{name}.norm", x), (1,)))
    margin = dilation * (g.block_kernel // 2)
    local = graph.op("Conv", h, graph.weight(f"{name}.local.weight"), dilations=[dilation], pads=[margin, margin])
    means = graph.op("ReduceMean", h, graph.constant([2]), keepdims=1)  # (B, bottleneck, 1)
    segments = graph.op("AveragePool", h, kernel_shape=[g.segment], strides=[g.segment], ceil_mode=1)
    context = graph.op("Add", segments, means)  # (B, bottleneck, S)
    squeezed = graph.op("Relu", _conv(graph, f"{name}.squeeze", context))
    masks = graph.unsqueeze(graph.op("Sigmoid", _conv(graph, f"{name}.mask", squeezed)), 3)  # (B, growth, S, 1)
    masks = graph.op("Expand", masks, graph.constant([1, 1, 1, g.segment]))
    masks = graph.slice(graph.reshape(masks, [0, 0, -1]), 0, graph.size(h, 2), axis=2)  # (B, growth, N)
    return graph.op("Mul", local, masks)


def _active(graph: Graph, name: str, x: str) -> str:
    return graph.op("Relu", batch_norm(graph, name, x))


def _conv(graph: Graph, name: str, x: str) -> str:
    return graph.op("Conv", x, graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias"))
