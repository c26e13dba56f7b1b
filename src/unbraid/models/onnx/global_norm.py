"""Global layer norm as ONNX nodes; equals `models.layers.global_norm`."""

from unbraid.models.onnx.builder import Graph

EPS = 1e-8


def global_norm(graph: Graph, name: str, x: str, rank: int, eps: float = EPS) -> str:
    """Normalise each item of x (B, …, D) over all its axes, then scale and shift the features."""
    centred = graph.op("Sub", x, _global_mean(graph, x, rank))
    power = _global_mean(graph, graph.op("Mul", centred, centred), rank)
    deviation = graph.op("Sqrt", graph.op("Add", power, graph.constant(eps)))
    x = graph.op("Mul", graph.op("Div", centred, deviation), graph.weight(f"{name}.weight"))
    return graph.op("Add", x, graph.weight(f"{name}.bias"))


def _global_mean(graph: Graph, x: str, rank: int) -> str:
    """Mean over all axes but the first, one axis at a time: a single long float32 sum would lose digits."""
    for axis in range(rank - 1, 0, -1):
        x = graph.op("ReduceMean", x, graph.constant([axis]), keepdims=1)
    return x
