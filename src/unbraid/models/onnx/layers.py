"""Building blocks of Transformers as ONNX nodes: linear layers, norms, positions, rotation; and mirrored ends.

They equal `models.layers.attention`, `transformer` and `positions`, which have the equations. Tokens are a
matrix (M, D), regardless of their sequences, so that each linear layer is one product.
"""

import math

import numpy as np

from unbraid.models.onnx.builder import CONTRIB, FLOAT, Graph

LAYER_NORM_EPS = 1e-6
ROUNDED_TOKENS = 4  # of the runtime's levels of accuracy, that of products of integers


def linear(graph: Graph, name: str, x: str, bias: bool = True) -> str:
    """Tokens x (M, D) times a torch weight (outputs, D), plus its bias."""
    terms = [graph.weight(f"{name}.bias")] if bias else []
    if graph.has(f"{name}.weight.scale"):
        return product(graph, name, x, *terms)
    return graph.op("Gemm", x, graph.weight(f"{name}.weight"), *terms, transB=1)


def product(graph: Graph, name: str, x: str, *bias: str, third: int | None = None) -> str:
    """Tokens x (M, D) times a weight, or a third of its outputs (q, k or v of a joint projection).

    Only integers take the bias; see `models.quantize` for their two forms.
    """
    in_integers = graph.has(f"{name}.weight.scale")
    in_channels = in_integers and len(graph.shape_of(f"{name}.weight")) == 2  # (D, outputs)
    weight = third_of(graph, f"{name}.weight", third, axis=1 if in_channels else 0)
    if not in_integers:
        return graph.op("MatMul", x, graph.transpose(weight, 1, 0))
    scale = third_of(graph, f"{name}.weight.scale", third, axis=0)
    if in_channels:
        return graph.op("DynamicQuantizeMatMul", x, weight, scale, "", *bias, domain=CONTRIB)
    outputs, blocks, block = graph.shape_of(f"{name}.weight")
    sizes = {"N": outputs if third is None else outputs // 3, "K": blocks * block, "bits": 8, "block_size": block}
    more = ("", "", *bias) if bias else ()
    return graph.op("MatMulNBits", x, weight, scale, *more, domain=CONTRIB, accuracy_level=ROUNDED_TOKENS, **sizes)


def third_of(graph: Graph, name: str, third: int | None, axis: int) -> str:
    """A weight, or a third of it, cut once when the runtime loads."""
    if third is None:
        return graph.weight(name)
    first = graph.split_weight(name, axis, 3)
    return f"{first}.{third}" if third else first


def add(graph: Graph, x: str, y: str, bias: str) -> str:
    """x + y + bias: the bias of the product y, which would cost a pass of its own inside Gemm."""
    return graph.op("Add", graph.op("Add", x, y), graph.weight(bias))


def attention_out(graph: Graph, name: str, x: str, y: str) -> str:
    """Tokens x plus the heads y, anything with as many elements, through the attention's last layer."""
    y = graph.reshape(y, [-1, graph.shape_of(f"{name}.out_proj.weight")[0]])
    return add(graph, x, product(graph, f"{name}.out_proj", y), f"{name}.out_proj.bias")


def feed_forward(graph: Graph, layer: str, x: str, activation: str = "relu", eps: float = LAYER_NORM_EPS) -> str:
    """Tokens plus the feed-forward of their norm."""
    h = layer_norm(graph, f"{layer}.feed_norm", x, eps)
    if activation == "gelu":
        h = product(graph, f"{layer}.feed_in", h)
        h = graph.op("BiasGelu", h, graph.weight(f"{layer}.feed_in.bias"), domain=CONTRIB)
        h = product(graph, f"{layer}.feed_out", h)
    else:
        h = graph.op("Relu", linear(graph, f"{layer}.feed_in", h))
        h = product(graph, f"{layer}.feed_out", h)
    return add(graph, x, h, f"{layer}.feed_out.bias")


def layer_norm(graph: Graph, name: str, x: str, eps: float = LAYER_NORM_EPS) -> str:
    """Layer norm of tokens; the sum before it stays apart, as the runtime's joint operator is four times slower."""
    terms = graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias")
    return graph.op("LayerNormalization", x, *terms, epsilon=eps)


def angles(graph: Graph, first: str | None, end: str, features: int) -> str:
    """Angles (N, D/2) of the steps from `first` (none: 0) to before `end`, tensors of one element."""
    step = graph.unsqueeze(graph.op("Cast", graph.steps(end, first), to=FLOAT), 1)  # (N, 1)
    even = np.arange(0, features, 2, dtype=np.float32)
    return graph.op("Mul", step, graph.constant(np.exp(even * np.float32(-math.log(10000.0) / features))))


def positions(graph: Graph, end: str, features: int, first: str | None = None) -> str:
    """Sinusoidal positions (N, D): sin on even features, cos on odd ones."""
    angle = angles(graph, first, end, features)
    pair = [graph.unsqueeze(graph.op(kind, angle), 2) for kind in ("Sin", "Cos")]
    return graph.reshape(graph.op("Concat", *pair, axis=2), [0, features])


def halved_positions(graph: Graph, end: str, features: int, place: int, first: str | None = None) -> str:
    """Sinusoidal positions (N, D): sin on the first half of features, cos on the second; step 0 is at `place`."""
    step = graph.unsqueeze(graph.op("Cast", graph.steps(end, first), to=FLOAT), 1)  # (N, 1)
    step = graph.op("Add", step, graph.constant(float(place)))
    half = np.arange(features // 2, dtype=np.float32)
    rates = np.exp(half * np.float32(-math.log(10000.0) / (features // 2 - 1)))
    angle = graph.op("Mul", step, graph.constant(rates))
    return graph.op("Concat", graph.op("Sin", angle), graph.op("Cos", angle), axis=1)


def inside(graph: Graph, x: str, lengths: str, in_step: int = 1) -> str:
    """x (B, C, N·in_step) with zeros from lengths (B,) · in_step on."""
    place = graph.steps(graph.size(x, 2))
    limits = graph.op("Mul", lengths, graph.constant(np.int64(in_step))) if in_step > 1 else lengths
    counts = graph.op("Less", place, graph.unsqueeze(limits, 1, 2))  # (B, 1, N·in_step)
    return graph.op("Mul", x, graph.op("Cast", counts, to=FLOAT))


def reflected(graph: Graph, x: str, margin: int) -> str:
    """(B, D, N) with `margin` steps more at both ends, mirrored at the first and the last one."""
    axis, back = graph.constant([2]), graph.constant([-1])
    ends = ((margin, 0), (-2, -margin - 2))
    before, after = (graph.op("Slice", x, graph.constant([a]), graph.constant([b]), axis, back) for a, b in ends)
    return graph.op("Concat", before, x, after, axis=2)


def rotation(graph: Graph, angle: str) -> tuple[str, str]:
    """The cosines and sines of angles (N, D/2) for `rotated`: each (N, 1, D/2), for all heads."""
    cos, sin = (graph.unsqueeze(graph.op(kind, angle), 1) for kind in ("Cos", "Sin"))
    return cos, sin


def rotated(graph: Graph, x: str, turn: tuple[str, str], features: int) -> str:
    """Rotate the features 2i and 2i + 1 of x (B, N, H, D), a point (a, b), by the angles of the N steps."""
    cos, sin = turn
    points = graph.reshape(x, [0, 0, 0, features // 2, 2])
    a, b = (graph.squeeze(graph.slice(points, i, i + 1, axis=4), 4) for i in range(2))
    first = graph.op("Sub", graph.op("Mul", a, cos), graph.op("Mul", b, sin))
    second = graph.op("Add", graph.op("Mul", a, sin), graph.op("Mul", b, cos))
    pair = [graph.unsqueeze(part, 4) for part in (first, second)]
    return graph.reshape(graph.op("Concat", *pair, axis=4), [0, 0, 0, features])
