"""ECAPA-TDNN as an ONNX graph: levels (B, N, F) -> embedding (B, D). It equals network.py, which has the equations.

The attention sees the mean and the standard deviation of all frames beside each frame. These parts of its first layer
are the same for all frames, so they are computed once and added.
"""

from unbraid.models.ecapa.config import EcapaConfig
from unbraid.models.ecapa.layout import VARIANCE_EPS, signature
from unbraid.models.onnx.builder import Graph, Tensors
from unbraid.models.onnx.layers import linear, reflected
from unbraid.models.onnx.residual import batch_norm


def build(geometry: EcapaConfig, tensors: Tensors, location: str, part: str = "model") -> bytes:
    """The graph of a geometry, pointing into a weights file that holds `tensors` (name: (dtype, shape))."""
    graph, g = Graph(tensors, location), geometry
    h = _layer(graph, "inlet", graph.transpose("levels", 0, 2, 1), g.kernel // 2)  # (B, C, N)
    found = []
    for i, dilation in enumerate(g.dilations):
        h = _block(graph, g, f"blocks.{i}", h, dilation)
        found.append(h)
    merged = _layer(graph, "merge", graph.op("Concat", *found, axis=1))  # (B, M, N)
    pooled = batch_norm(graph, "pooled_norm", _pooled(graph, g, merged))  # (B, 2 M)
    return graph.model(signature(g), {"embedding": linear(graph, "embedding", pooled)})


def _block(graph: Graph, g: EcapaConfig, name: str, x: str, dilation: int) -> str:
    """(B, C, N) -> (B, C, N)."""
    h, group = _layer(graph, f"{name}.inlet", x), g.width // g.scale
    parts = [graph.slice(h, k * group, (k + 1) * group, axis=1) for k in range(g.scale)]
    margin, found = dilation * (g.block_kernel // 2), parts[:1]
    for j, part in enumerate(parts[1:]):
        part = graph.op("Add", part, found[-1]) if j else part
        found.append(_layer(graph, f"{name}.groups.{j}", part, margin, dilation))
    h = _layer(graph, f"{name}.outlet", graph.op("Concat", *found, axis=1))
    means = graph.op("ReduceMean", h, graph.constant([2]), keepdims=1)  # (B, C, 1)
    squeezed = graph.op("Relu", _conv(graph, f"{name}.squeeze", means))
    weights = graph.op("Sigmoid", _conv(graph, f"{name}.excite", squeezed))
    return graph.op("Add", x, graph.op("Mul", h, weights))


def _pooled(graph: Graph, g: EcapaConfig, x: str) -> str:
    """Attentive statistics of x (B, M, N): (B, 2 M)."""
    mean = graph.op("ReduceMean", x, graph.constant([2]), keepdims=1)  # (B, M, 1)
    around = graph.op("Concat", mean, _deviation(graph, x, mean), axis=1)  # (B, 2 M, 1)
    weight = graph.weight("attention.inlet.conv.weight")
    each = graph.op("Conv", x, graph.slice(weight, 0, g.merged, axis=1), graph.weight("attention.inlet.conv.bias"))
    once = graph.op("Conv", around, graph.slice(weight, g.merged, 3 * g.merged, axis=1))
    h = batch_norm(graph, "attention.inlet.norm", graph.op("Relu", graph.op("Add", each, once)))
    weights = graph.op("Softmax", _conv(graph, "attention.outlet", graph.op("Tanh", h)), axis=2)  # (B, M, N)
    mean = graph.op("ReduceSum", graph.op("Mul", weights, x), graph.constant([2]), keepdims=1)
    return graph.squeeze(graph.op("Concat", mean, _deviation(graph, x, mean, weights), axis=1), 2)


def _deviation(graph: Graph, x: str, mean: str, weights: str | None = None) -> str:
    """The standard deviation (B, M, 1) of x (B, M, N) over time, under weights that sum to 1, or equal ones."""
    centred, last = graph.op("Sub", x, mean), graph.constant([2])
    squares = graph.op("Mul", centred, centred)
    if weights:
        variance = graph.op("ReduceSum", graph.op("Mul", weights, squares), last, keepdims=1)
    else:
        variance = graph.op("ReduceMean", squares, last, keepdims=1)
    return graph.op("Sqrt", graph.op("Max", variance, graph.constant(VARIANCE_EPS)))


def _layer(graph: Graph, name: str, x: str, margin: int = 0, dilation: int = 1) -> str:
    """A convolution that reflects its input at both ends, ReLU, batch norm: (B, D, N) -> (B, D', N)."""
    x = reflected(graph, x, margin) if margin else x
    return batch_norm(graph, f"{name}.norm", graph.op("Relu", _conv(graph, f"{name}.conv", x, dilation)))


def _conv(graph: Graph, name: str, x: str, dilation: int = 1) -> str:
    weights = graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias")
    return graph.op("Conv", x, *weights, dilations=[dilation])
