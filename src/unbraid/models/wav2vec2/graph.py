"""Wav2Vec2 or HuBERT as an ONNX graph: waveform (B, T) -> logits (B, N, V).

All but the head is the backbone, which can be the front end of an audio Transformer. Steps are kept as tokens
(B·N, D) between attentions, so that each linear layer is one product; attention, and GELU with the bias before it, are
ONNX Runtime's own.
"""

from dataclasses import dataclass

import numpy as np

from unbraid.models.onnx.builder import CONTRIB, FLOAT, INT32, Graph, Tensors
from unbraid.models.onnx.layers import add, attention_out, inside, layer_norm, linear, product
from unbraid.models.wav2vec2.config import Wav2Vec2Config
from unbraid.models.wav2vec2.layout import NORM_EPS, VARIANCE_EPS, signature


@dataclass(frozen=True)
class Backbone:
    """A backbone in a graph: the prefix of its weights' names, and the valid lengths of its input."""

    graph: Graph
    geometry: Wav2Vec2Config
    prefix: str = ""
    lengths: str | None = None  # (B,) int64, in steps; none: all of them

    def name(self, layer: str) -> str:
        """Of a layer's weights."""
        return f"{self.prefix}{layer}"

    def weight(self, name: str) -> str:
        """One of its weights."""
        return self.graph.weight(self.name(name))


def build(geometry: Wav2Vec2Config, tensors: Tensors, location: str, part: str = "model") -> bytes:
    """The graph of a geometry, pointing into a weights file that holds `tensors` (name: (dtype, shape))."""
    graph = Graph(tensors, location)
    h, shape = backbone_tokens(Backbone(graph, geometry), "waveform")
    logits = graph.reshape(linear(graph, "symbols", h), graph.slice(shape, 0, 2, axis=0), geometry.symbols)
    return graph.model(signature(geometry), {"logits": logits})


def backbone_tokens(t: Backbone, waveform: str) -> tuple[str, str]:
    """The features of a waveform (B, T): tokens (B·N, D), and their shape (B, N, D)."""
    graph, geometry = t.graph, t.geometry
    h, shape = front_tokens(t, waveform)
    h = h if geometry.pre_norm else layer_norm(graph, t.name("encoder.norm"), h, NORM_EPS)
    lengths = graph.op("Cast", t.lengths, to=INT32) if t.lengths else ""
    for i in range(geometry.layers):
        h = _layer(t, f"encoder.layers.{i}", h, shape, lengths)
    return layer_norm(graph, t.name("encoder.norm"), h, NORM_EPS) if geometry.pre_norm else h, shape


def front_tokens(t: Backbone, waveform: str) -> tuple[str, str]:
    """What the layers read of a waveform (B, T): tokens (B·N, D) with their places, and their shape (B, N, D)."""
    graph, geometry = t.graph, t.geometry
    x = graph.unsqueeze(waveform, 1)  # (B, 1, T)
    sizes = _samples(t) if t.lengths else None
    x = _standardized(graph, x, VARIANCE_EPS, sizes) if geometry.normalized else x
    z = _convolved(t, x, sizes)  # (B, N, E)
    if geometry.project_norm:
        z = layer_norm(graph, t.name("front.project_norm"), z, NORM_EPS)
    shape = graph.vector(graph.size(z, 0), graph.size(z, 1), geometry.features)
    h = linear(graph, t.name("front.project"), graph.reshape(z, [-1, geometry.filters[-1]]))  # (B·N, D)
    return graph.op("Add", h, _positions(t, graph.reshape(h, shape))), shape


def _samples(t: Backbone) -> str:
    """The valid lengths in samples, (B,)."""
    assert t.lengths
    stride, rest = (
        t.graph.constant(np.int64(n)) for n in (t.geometry.stride, t.geometry.receptive_field - t.geometry.stride)
    )
    return t.graph.op("Add", t.graph.op("Mul", t.lengths, stride), rest)


def _standardized(graph: Graph, x: str, eps: float, sizes: str | None) -> str:
    """x (B, C, T) with zero mean and unit variance over time, of which the first sizes (B,) count, or all."""
    last = graph.constant([2])
    if sizes is None:
        centred = graph.op("Sub", x, graph.op("ReduceMean", x, last, keepdims=1))
        variance = graph.op("ReduceMean", graph.op("Mul", centred, centred), last, keepdims=1)
    else:
        count = graph.op("Cast", graph.unsqueeze(sizes, 1, 2), to=FLOAT)  # (B, 1, 1)
        mean = graph.op("Div", graph.op("ReduceSum", inside(graph, x, sizes), last, keepdims=1), count)
        centred = inside(graph, graph.op("Sub", x, mean), sizes)
        squares = graph.op("ReduceSum", graph.op("Mul", centred, centred), last, keepdims=1)
        variance = graph.op("Div", squares, count)
    return graph.op("Div", centred, graph.op("Sqrt", graph.op("Add", variance, graph.constant(eps))))


def _convolved(t: Backbone, z: str, sizes: str | None) -> str:
    """(B, 1, T) -> (B, N, E)."""
    graph, g = t.graph, t.geometry
    for i, stride in enumerate(g.strides):
        bias = [t.weight(f"front.convolutions.{i}.bias")] if g.filter_bias else []
        z = graph.op("Conv", z, t.weight(f"front.convolutions.{i}.weight"), *bias, strides=[stride])  # (B, E, N)
        if g.filter_norm == "layer":
            z = layer_norm(graph, t.name(f"front.norms.{i}"), graph.transpose(z, 0, 2, 1), NORM_EPS)
            z = graph.transpose(z, 0, 2, 1)
        elif i == 0:
            z = _normed_over_time(t, z, sizes)
        z = graph.op("Gelu", z)
    return graph.transpose(z, 0, 2, 1)


def _normed_over_time(t: Backbone, z: str, sizes: str | None) -> str:
    """The norm of the first convolution (B, E, N), each filter over the valid steps."""
    graph, terms = t.graph, [t.weight(f"front.norms.0.{kind}") for kind in ("weight", "bias")]
    if sizes is None:
        return graph.op("InstanceNormalization", z, *terms, epsilon=NORM_EPS)
    kernel, stride, one = (graph.constant(np.int64(n)) for n in (t.geometry.kernels[0], t.geometry.strides[0], 1))
    steps = graph.op("Add", graph.op("Div", graph.op("Sub", sizes, kernel), stride), one)
    weight, bias = (graph.unsqueeze(term, 1) for term in terms)  # (E, 1)
    return graph.op("Add", graph.op("Mul", _standardized(graph, z, NORM_EPS, steps), weight), bias)


def _positions(t: Backbone, h: str) -> str:
    """The positional convolution over the steps of h (B, N, D): tokens (B·N, D)."""
    graph, g = t.graph, t.geometry
    h = graph.transpose(h, 0, 2, 1)
    y = graph.op(
        "Conv",
        inside(graph, h, t.lengths) if t.lengths else h,  # a row ends in zeros, as alone
        t.weight("encoder.position.weight"),
        t.weight("encoder.position.bias"),
        group=g.position_groups,
        pads=[g.position_kernel // 2, (g.position_kernel - 1) // 2],
    )
    y = graph.transpose(graph.op("Gelu", y), 0, 2, 1)
    return graph.reshape(y, [-1, g.features])


def _layer(t: Backbone, layer: str, h: str, shape: str, lengths: str) -> str:
    """One layer over tokens (B·N, D), of sequences of `shape` (B, N, D), of which lengths (B,) count, or "": all."""
    graph, pre_norm = t.graph, t.geometry.pre_norm
    layer = t.name(layer)

    def norm(half: str, h: str) -> str:
        return layer_norm(graph, f"{layer}.{half}_norm", h, NORM_EPS)

    y = _attention(t, f"{layer}.attention", norm("attention", h) if pre_norm else h, shape, lengths)
    h = attention_out(graph, f"{layer}.attention", h, y)
    h = h if pre_norm else norm("attention", h)
    y = _feed(graph, layer, norm("feed", h) if pre_norm else h)
    h = add(graph, h, y, f"{layer}.feed_out.bias")
    return h if pre_norm else norm("feed", h)


def _attention(t: Backbone, name: str, h: str, shape: str, lengths: str) -> str:
    """The heads of self-attention of tokens, with the biases of q, k and v."""
    graph, heads = t.graph, t.geometry.heads
    q, k, v = (graph.reshape(product(graph, f"{name}.in_proj", h, third=third), shape) for third in range(3))
    more = [graph.weight(f"{name}.in_proj.bias"), *([lengths] if lengths else ())]
    return graph.op("MultiHeadAttention", q, k, v, *more, domain=CONTRIB, num_heads=heads)


def _feed(graph: Graph, layer: str, h: str) -> str:
    """GELU between two linear layers, the second's bias left to the caller."""
    inner = product(graph, f"{layer}.feed_in", h)
    inner = graph.op("BiasGelu", inner, graph.weight(f"{layer}.feed_in.bias"), domain=CONTRIB)
    return product(graph, f"{layer}.feed_out", inner)
