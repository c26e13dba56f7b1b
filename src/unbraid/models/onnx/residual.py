"""Residual blocks of convolutions, and batch norm, as ONNX nodes; they equal `models.layers.residual`."""

from unbraid.models.onnx.builder import Graph
from unbraid.models.shapes import BATCH_NORM_EPS


def residual(graph: Graph, name: str, x: str, strides: tuple[int, int]) -> str:
    """(B, C, F, N) -> (B, C', F', N')."""
    h = graph.op("Relu", conv_norm(graph, f"{name}.inlet", x, strides))
    h = conv_norm(graph, f"{name}.outlet", h)
    if graph.has(f"{name}.shortcut.conv.weight"):
        x = conv_norm(graph, f"{name}.shortcut", x, strides)
    return graph.op("Relu", graph.op("Add", h, x))


def conv_norm(graph: Graph, name: str, x: str, strides: tuple[int, ...] = (1, 1)) -> str:
    """A convolution without bias that keeps the place, over as many axes as it has strides, and its batch norm."""
    kernel = graph.shape_of(f"{name}.conv.weight")[2:]
    pads = [size // 2 for size in kernel] * 2
    h = graph.op("Conv", x, graph.weight(f"{name}.conv.weight"), strides=list(strides), pads=pads)
    return batch_norm(graph, f"{name}.norm", h)


def batch_norm(graph: Graph, name: str, x: str) -> str:
    """Batch norm by its running mean and variance."""
    statistics = (graph.weight(f"{name}.{part}") for part in ("weight", "bias", "running_mean", "running_var"))
    return graph.op("BatchNormalization", x, *statistics, epsilon=BATCH_NORM_EPS)
