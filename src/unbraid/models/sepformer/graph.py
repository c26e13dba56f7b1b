"""The SepFormer as an ONNX graph: mixture (B, T) -> sources (B, sources, T).

Tokens are kept as a matrix (tokens, D) between attentions, so that each linear layer is one product; attention is ONNX
Runtime's own. With int8 weights the linear layers of the Transformers multiply them by activations quantised on the
fly. The fusion of operators was chosen by measurement, on 16 500 tokens of 256 features.
"""

from unbraid.models.onnx.builder import CONTRIB, Graph, Tensors
from unbraid.models.onnx.global_norm import global_norm
from unbraid.models.onnx.layers import attention_out, feed_forward, layer_norm, linear, positions, product
from unbraid.models.resepformer.config import ResepformerConfig
from unbraid.models.sepformer.config import SepFormerConfig
from unbraid.models.sepformer.layout import signature

END = 2**62  # a slice bound beyond any axis
Sizes = SepFormerConfig | ResepformerConfig  # of networks with these layers


def build(geometry: SepFormerConfig, tensors: Tensors, location: str, part: str = "model") -> bytes:
    """The graph of a geometry, pointing into a weights file that holds `tensors` (name: (dtype, shape))."""
    graph = Graph(tensors, location)
    batch, samples = graph.size("mixture", 0), graph.size("mixture", 1)
    wave = graph.unsqueeze("mixture", 1)  # (B, 1, T)
    w = graph.op("Conv", wave, graph.weight("encoder.weight"), strides=[geometry.stride_samples])
    w = graph.transpose(graph.op("Relu", w), 0, 2, 1)  # (B, N, D)
    masks = _masknet(graph, geometry, w, batch)  # (B, sources, N, D)
    masked = graph.op("Mul", masks, graph.unsqueeze(w, 1))
    sources = decode(graph, geometry, masked, batch, samples)
    return graph.model(signature(geometry), {"sources": sources})


def _masknet(graph: Graph, g: SepFormerConfig, w: str, batch: str) -> str:
    frames = graph.size(w, 1)  # N
    x = global_norm(graph, "masknet.norm", w, rank=3)
    x = graph.reshape(x, [-1, g.features])  # (B·N, D)
    x = linear(graph, "masknet.inlet", x, bias=False)
    x = _chunk(graph, g, graph.reshape(x, graph.op("Shape", w)), frames)  # (B, S, K, D)
    for i in range(g.blocks):
        x = _dual_path(graph, g, f"masknet.blocks.{i}", x, batch)
    x = graph.op("PRelu", x, graph.weight("masknet.prelu.weight"))
    x = linear(graph, "masknet.split", graph.reshape(x, [-1, g.features]))
    x = _unchunk(graph, g, x, batch, frames)  # (B, N, sources·D)
    x = graph.transpose(graph.reshape(x, [0, 0, g.sources, g.features]), 0, 2, 1, 3)
    shape = graph.op("Shape", x)  # (B, sources, N, D)
    x = graph.reshape(x, [-1, g.features])
    value = graph.op("Tanh", linear(graph, "masknet.value", x))
    gate = graph.op("Sigmoid", linear(graph, "masknet.gate", x))
    mask = linear(graph, "masknet.outlet", graph.op("Mul", value, gate), bias=False)
    return graph.reshape(graph.op("Relu", mask), shape)


def _chunk(graph: Graph, g: SepFormerConfig, x: str, frames: str) -> str:
    """(B, N, D) -> (B, S, K, D), as `network.chunk`."""
    half, chunk = graph.constant([g.chunk_frames // 2]), graph.constant([g.chunk_frames])
    gap = graph.op("Sub", chunk, graph.op("Mod", graph.op("Add", half, graph.op("Mod", frames, chunk)), chunk))
    x = graph.op("Pad", x, graph.vector(0, half, [0, 0], graph.op("Add", gap, half), 0))
    halves = graph.reshape(x, [0, -1, g.chunk_frames // 2, g.features])  # (B, S + 1, K/2, D)
    last = graph.op("Sub", graph.size(halves, 1), graph.constant([1]))
    first = graph.slice(halves, 0, last, axis=1)
    second = graph.slice(halves, 1, END, axis=1)
    return graph.op("Concat", first, second, axis=2)


def _unchunk(graph: Graph, g: SepFormerConfig, x: str, batch: str, frames: str) -> str:
    """Tokens (B·S·K, sources·D) -> (B, N, sources·D), as `network.unchunk`."""
    features = g.sources * g.features
    halves = graph.reshape(x, batch, [-1, 2, g.chunk_frames // 2, features])  # (B, S, 2, K/2, sources·D)
    first = graph.slice(graph.slice(halves, 1, END, axis=1), 0, 1, axis=2)
    second = graph.slice(graph.slice(halves, 0, -1, axis=1), 1, 2, axis=2)
    return graph.slice(graph.reshape(graph.op("Add", first, second), batch, [-1, features]), 0, frames, axis=1)


def _dual_path(graph: Graph, g: SepFormerConfig, name: str, x: str, batch: str) -> str:
    """Attention within chunks, then across them: (B, S, K, D) -> (B, S, K, D)."""
    shape = graph.op("Shape", x)
    within = transformer(graph, g, f"{name}.intra", graph.reshape(x, [-1, g.chunk_frames, g.features]))
    within = graph.reshape(within, shape)
    x = graph.op("Add", x, global_norm(graph, f"{name}.intra_norm", within, rank=4))
    across = graph.transpose(x, 0, 2, 1, 3)  # (B, K, S, D)
    turned = graph.op("Shape", across)
    chunks = graph.size(across, 2)
    across = graph.reshape(across, -1, chunks, g.features)
    across = graph.reshape(transformer(graph, g, f"{name}.inter", across), turned)
    across = graph.transpose(global_norm(graph, f"{name}.inter_norm", across, rank=4), 0, 2, 1, 3)
    return graph.op("Add", x, across)


def transformer(graph: Graph, g: Sizes, name: str, x: str) -> str:
    """Pre-norm layers over (B', N, D) -> tokens (B'·N, D)."""
    frames = graph.size(x, 1)
    shape = graph.op("Shape", x)
    x = graph.op("Add", x, positions(graph, frames, g.features))
    x = graph.reshape(x, [-1, g.features])
    for layer in (f"{name}.layers.{j}" for j in range(g.layers)):
        y = _attention(graph, g, f"{layer}.attention", layer_norm(graph, f"{layer}.attention_norm", x), shape)
        x = feed_forward(graph, layer, attention_out(graph, f"{layer}.attention", x, y))
    return layer_norm(graph, f"{name}.norm", x)


def _attention(graph: Graph, g: Sizes, name: str, h: str, shape: str) -> str:
    """The heads of self-attention, of tokens (B'·N, D) in sequences of `shape` (B', N, D).

    The biases of q, k and v ride on the attention, which turns every element around anyway.
    """
    parts = [product(graph, f"{name}.in_proj", h, third=third) for third in range(3)]
    q, k, v = (graph.reshape(part, shape) for part in parts)
    bias = graph.weight(f"{name}.in_proj.bias")
    return graph.op("MultiHeadAttention", q, k, v, bias, domain=CONTRIB, num_heads=g.heads)


def decode(graph: Graph, g: Sizes, masked: str, batch: str, samples: str) -> str:
    """(B, sources, N, D) -> (B, sources, T): the transposed convolution, then zeros up to T."""
    x = graph.transpose(masked, 0, 1, 3, 2)
    shape = graph.op("Shape", x)
    x = graph.reshape(x, graph.constant([-1, g.features]), graph.slice(shape, 3, 4, 0))
    x = graph.op("ConvTranspose", x, graph.weight("decoder.weight"), strides=[g.stride_samples])
    missing = graph.op("Sub", samples, graph.size(x, 2))
    x = graph.op("Pad", x, graph.vector([0] * 5, missing))
    return graph.reshape(x, batch, g.sources, samples)
