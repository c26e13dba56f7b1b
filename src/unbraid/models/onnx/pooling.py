"""Statistics over time as ONNX nodes."""

from unbraid.models.onnx.builder import FLOAT, Graph


def mean_and_deviation(graph: Graph, x: str, least: float = 0.0) -> str:
    """x (B, C, N), N above 1 -> its means and standard deviations (B, 2 C).

    The variance is that of a sample (divided by N - 1), plus `least`.
    """
    last = graph.constant([2])
    mean = graph.op("ReduceMean", x, last, keepdims=1)  # (B, C, 1)
    centred = graph.op("Sub", x, mean)
    squares = graph.op("ReduceSum", graph.op("Mul", centred, centred), last, keepdims=1)
    count = graph.op("Sub", graph.op("Cast", graph.size(x, 2), to=FLOAT), graph.constant(1.0))
    variance = graph.op("Div", squares, count)
    if least:
        variance = graph.op("Add", variance, graph.constant(least))
    return graph.squeeze(graph.op("Concat", mean, graph.op("Sqrt", variance), axis=1), 2)
