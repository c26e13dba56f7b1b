"""The SepFormer of `models.sepformer` as an ONNX graph: mixture (B, T) -> sources (B, sources, T).

Tokens are kept as a matrix (tokens, D) between attentions, so that each linear layer is one product; attention is ONNX
Runtime's own. With int8 weights the linear layers of the Transformers multiply them by activations quantised on the
fly. What is fused with what was measured, operator by operator, on 16 500 tokens of 256 features.
"""

import math

import numpy as np

from unbraid.geometry import SepFormerGeometry
from unbraid.graph.builder import CONTRIB, Graph, Tensors

END = 2**62  # a slice bound beyond any axis
LAYER_NORM_EPS = 1e-6
GLOBAL_NORM_EPS = 1e-8


def sepformer_graph(geometry: SepFormerGeometry, tensors: Tensors, location: str) -> bytes:
    """The graph of a geometry, pointing into a weights file that holds `tensors` (name: (dtype, shape))."""
    graph = Graph(tensors, location)
    batch, samples = graph.size("mixture", 0), graph.size("mixture", 1)
    wave = graph.op("Unsqueeze", "mixture", graph.constant([1]))  # (B, 1, T)
    w = graph.op("Conv", wave, graph.weight("encoder.weight"), strides=[geometry.stride_samples])
    w = graph.op("Transpose", graph.op("Relu", w), perm=[0, 2, 1])  # (B, N, D)
    masks = _masknet(graph, geometry, w, batch)  # (B, sources, N, D)
    masked = graph.op("Mul", masks, graph.op("Unsqueeze", w, graph.constant([1])))
    sources = _decode(graph, geometry, masked, batch, samples)
    return graph.model({"mixture": ["B", "T"]}, {"sources": (sources, ["B", geometry.sources, "T"])})


def _masknet(graph: Graph, g: SepFormerGeometry, w: str, batch: str) -> str:
    frames = graph.size(w, 1)  # N
    x = _global_norm(graph, "masknet.norm", w, rank=3)
    x = graph.reshape(x, [-1, g.features])  # (B·N, D)
    x = _linear(graph, "masknet.inlet", x, bias=False)
    x = _chunk(graph, g, graph.op("Reshape", x, graph.op("Shape", w)), frames)  # (B, S, K, D)
    for i in range(g.blocks):
        x = _dual_path(graph, g, f"masknet.blocks.{i}", x, batch)
    x = graph.op("PRelu", x, graph.weight("masknet.prelu.weight"))
    x = _linear(graph, "masknet.split", graph.reshape(x, [-1, g.features]))
    x = _unchunk(graph, g, x, batch, frames)  # (B, N, sources·D)
    x = graph.op("Transpose", graph.reshape(x, [0, 0, g.sources, g.features]), perm=[0, 2, 1, 3])
    shape = graph.op("Shape", x)  # (B, sources, N, D)
    x = graph.reshape(x, [-1, g.features])
    value = graph.op("Tanh", _linear(graph, "masknet.value", x))
    gate = graph.op("Sigmoid", _linear(graph, "masknet.gate", x))
    mask = _linear(graph, "masknet.outlet", graph.op("Mul", value, gate), bias=False)
    return graph.op("Reshape", graph.op("Relu", mask), shape)


def _global_norm(graph: Graph, name: str, x: str, rank: int) -> str:
    """Normalise each item of x (B, …, D) over all its axes, then scale and shift the features."""
    centred = graph.op("Sub", x, _global_mean(graph, x, rank))
    power = _global_mean(graph, graph.op("Mul", centred, centred), rank)
    deviation = graph.op("Sqrt", graph.op("Add", power, graph.constant(GLOBAL_NORM_EPS)))
    x = graph.op("Mul", graph.op("Div", centred, deviation), graph.weight(f"{name}.weight"))
    return graph.op("Add", x, graph.weight(f"{name}.bias"))


def _global_mean(graph: Graph, x: str, rank: int) -> str:
    """Mean over all axes but the first, one axis at a time: a single long float32 sum would lose digits."""
    for axis in range(rank - 1, 0, -1):
        x = graph.op("ReduceMean", x, graph.constant([axis]), keepdims=1)
    return x


def _linear(graph: Graph, name: str, x: str, bias: bool = True) -> str:
    """Tokens x (M, D) times a torch weight (outputs, D), plus its bias."""
    terms = [graph.weight(f"{name}.bias")] if bias else []
    if graph.has(f"{name}.weight.scale"):
        return _product(graph, name, x, *terms)
    return graph.op("Gemm", x, graph.weight(f"{name}.weight"), *terms, transB=1)


def _product(graph: Graph, name: str, x: str, *bias: str, third: int | None = None) -> str:
    """Tokens x (M, D) times a weight, or a third of its outputs (q, k or v of a joint projection)."""
    weight = _third(graph, f"{name}.weight", third, axis=1 if graph.has(f"{name}.weight.scale") else 0)
    if graph.has(f"{name}.weight.scale"):  # int8, stored (D, outputs)
        scale = _third(graph, f"{name}.weight.scale", third, axis=0)
        return graph.op("DynamicQuantizeMatMul", x, weight, scale, "", *bias, domain=CONTRIB)
    return graph.op("MatMul", x, graph.op("Transpose", weight, perm=[1, 0]))


def _third(graph: Graph, name: str, third: int | None, axis: int) -> str:
    """A weight, or a third of it, cut once when the runtime loads."""
    if third is None:
        return graph.weight(name)
    first = graph.split_weight(name, axis, 3)
    return f"{first}.{third}" if third else first


def _chunk(graph: Graph, g: SepFormerGeometry, x: str, frames: str) -> str:
    """(B, N, D) -> (B, S, K, D), as `models.sepformer.chunk`."""
    half, chunk = graph.constant([g.chunk_frames // 2]), graph.constant([g.chunk_frames])
    gap = graph.op("Sub", chunk, graph.op("Mod", graph.op("Add", half, graph.op("Mod", frames, chunk)), chunk))
    pads = graph.op("Concat", graph.constant([0]), half, graph.constant([0, 0]), graph.op("Add", gap, half),
                    graph.constant([0]), axis=0)  # fmt: skip
    x = graph.op("Pad", x, pads)
    halves = graph.reshape(x, [0, -1, g.chunk_frames // 2, g.features])  # (B, S + 1, K/2, D)
    last = graph.op("Sub", graph.size(halves, 1), graph.constant([1]))
    first = graph.slice(halves, 0, last, axis=1)
    second = graph.slice(halves, 1, END, axis=1)
    return graph.op("Concat", first, second, axis=2)


def _unchunk(graph: Graph, g: SepFormerGeometry, x: str, batch: str, frames: str) -> str:
    """Tokens (B·S·K, sources·D) -> (B, N, sources·D), as `models.sepformer.unchunk`."""
    features = g.sources * g.features
    shape = graph.op("Concat", batch, graph.constant([-1, 2, g.chunk_frames // 2, features]), axis=0)
    halves = graph.op("Reshape", x, shape)  # (B, S, 2, K/2, sources·D)
    first = graph.slice(graph.slice(halves, 1, END, axis=1), 0, 1, axis=2)
    second = graph.slice(graph.slice(halves, 0, -1, axis=1), 1, 2, axis=2)
    joined = graph.op(
        "Reshape", graph.op("Add", first, second), graph.op("Concat", batch, graph.constant([-1, features]), axis=0)
    )
    return graph.slice(joined, 0, frames, axis=1)


def _dual_path(graph: Graph, g: SepFormerGeometry, name: str, x: str, batch: str) -> str:
    """Attention within chunks, then across them: (B, S, K, D) -> (B, S, K, D)."""
    shape = graph.op("Shape", x)
    within = _transformer(graph, g, f"{name}.intra", graph.reshape(x, [-1, g.chunk_frames, g.features]))
    within = graph.op("Reshape", within, shape)
    x = graph.op("Add", x, _global_norm(graph, f"{name}.intra_norm", within, rank=4))
    across = graph.op("Transpose", x, perm=[0, 2, 1, 3])  # (B, K, S, D)
    turned = graph.op("Shape", across)
    chunks = graph.size(across, 2)
    across = graph.op(
        "Reshape", across, graph.op("Concat", graph.constant([-1]), chunks, graph.constant([g.features]), axis=0)
    )
    across = graph.op("Reshape", _transformer(graph, g, f"{name}.inter", across), turned)
    across = graph.op("Transpose", _global_norm(graph, f"{name}.inter_norm", across, rank=4), perm=[0, 2, 1, 3])
    return graph.op("Add", x, across)


def _transformer(graph: Graph, g: SepFormerGeometry, name: str, x: str) -> str:
    """Pre-norm layers over (B', N, D) -> tokens (B'·N, D)."""
    frames = graph.size(x, 1)
    shape = graph.op("Shape", x)
    x = graph.op("Add", x, _positions(graph, frames, g.features))
    x = graph.reshape(x, [-1, g.features])
    norms = [f"{name}.layers.{j}.{half}_norm" for j in range(g.layers) for half in ("attention", "feed")]
    norms.append(f"{name}.norm")
    h = _layer_norm(graph, norms[0], x)
    for j in range(g.layers):
        layer = f"{name}.layers.{j}"
        h = _attention(graph, g, f"{layer}.attention", h, shape)
        x = _add(graph, x, h, f"{layer}.attention.out_proj.bias")
        h = _layer_norm(graph, norms[2 * j + 1], x)
        h = _product(graph, f"{layer}.feed_out", graph.op("Relu", _linear(graph, f"{layer}.feed_in", h)))
        x = _add(graph, x, h, f"{layer}.feed_out.bias")
        h = _layer_norm(graph, norms[2 * j + 2], x)
    return h


def _add(graph: Graph, x: str, y: str, bias: str) -> str:
    """x + y + bias: the bias of the product y, which would cost a pass of its own inside Gemm."""
    return graph.op("Add", graph.op("Add", x, y), graph.weight(bias))


def _layer_norm(graph: Graph, name: str, x: str) -> str:
    """Layer norm of tokens; the sum before it stays apart, as the runtime's joint operator is four times slower."""
    terms = graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias")
    return graph.op("LayerNormalization", x, *terms, epsilon=LAYER_NORM_EPS)


def _attention(graph: Graph, g: SepFormerGeometry, name: str, h: str, shape: str) -> str:
    """Self-attention of tokens (B'·N, D), sequences of `shape` (B', N, D); out_proj's bias is left to the caller.

    The biases of q, k and v ride on the attention, which turns every element around anyway.
    """
    parts = [_product(graph, f"{name}.in_proj", h, third=third) for third in range(3)]
    q, k, v = (graph.op("Reshape", part, shape) for part in parts)
    bias = graph.weight(f"{name}.in_proj.bias")
    y = graph.op("MultiHeadAttention", q, k, v, bias, domain=CONTRIB, num_heads=g.heads)
    return _product(graph, f"{name}.out_proj", graph.reshape(y, [-1, g.features]))


def _positions(graph: Graph, frames: str, features: int) -> str:
    """Sinusoidal positions (N, D): sin on even features, cos on odd ones."""
    count = graph.op("Squeeze", frames, graph.constant([0]))
    step = graph.op("Range", graph.constant(np.int64(0)), count, graph.constant(np.int64(1)))
    step = graph.op("Unsqueeze", graph.op("Cast", step, to=1), graph.constant([1]))  # (N, 1)
    even = np.arange(0, features, 2, dtype=np.float32)
    angle = graph.op("Mul", step, graph.constant(np.exp(even * np.float32(-math.log(10000.0) / features))))
    pair = [graph.op("Unsqueeze", graph.op(kind, angle), graph.constant([2])) for kind in ("Sin", "Cos")]
    return graph.reshape(graph.op("Concat", *pair, axis=2), [0, features])


def _decode(graph: Graph, g: SepFormerGeometry, masked: str, batch: str, samples: str) -> str:
    """(B, sources, N, D) -> (B, sources, T): the transposed convolution, then zeros up to T."""
    x = graph.op("Transpose", masked, perm=[0, 1, 3, 2])
    shape = graph.op("Shape", x)
    x = graph.op(
        "Reshape", x, graph.op("Concat", graph.constant([-1, g.features]), graph.slice(shape, 3, 4, 0), axis=0)
    )
    x = graph.op("ConvTranspose", x, graph.weight("decoder.weight"), strides=[g.stride_samples])
    missing = graph.op("Sub", samples, graph.size(x, 2))
    x = graph.op("Pad", x, graph.op("Concat", graph.constant([0] * 5), missing, axis=0))
    return graph.op("Reshape", x, graph.op("Concat", batch, graph.constant([g.sources]), samples, axis=0))
