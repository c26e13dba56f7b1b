"""The audio Transformer of `models.audio_transformer` as two ONNX graphs over the same weights.

    encoder   symbols (B, N), lengths (B,) -> what every decoder layer asks of them: cross_keys, cross_values
    decoder   symbols (B,), what was written so far as self_keys and self_values (n steps, 0 at first), cross_keys,
              cross_values, lengths (B,) -> logits (B, V) of what follows, new_self_keys, new_self_values (n + 1 steps)

Keys and values are (L, B, H, N, D/H), L layers of the decoder. The decoder's graph is one step, so whoever runs it
picks the symbol in between: greedily, by beam search, or under constraints. Attention is ONNX Runtime's own.
"""

import math
from dataclasses import dataclass

import numpy as np

from unbraid.geometry import AudioTransformerGeometry
from unbraid.graph.builder import CONTRIB, Graph, Tensors
from unbraid.graph.layers import add, angles, layer_norm, linear, positions, product, rotated, rotation, third_of

INT32 = 6  # of ONNX


@dataclass(frozen=True)
class Pass:
    """What all layers of one graph share."""

    graph: Graph
    geometry: AudioTransformerGeometry
    batch: str  # B, a tensor of one element, as are those below
    first: str | None  # which step the first one is; none: 0
    end: str  # which step comes after the last one
    lengths: str  # (B,) int32, of what is read


def encoder_graph(geometry: AudioTransformerGeometry, tensors: Tensors, location: str) -> bytes:
    """Read a source: the graph of a geometry, pointing into a weights file that holds `tensors`."""
    graph = Graph(tensors, location)
    lengths = graph.op("Cast", "lengths", to=INT32)
    p = Pass(graph, geometry, graph.size("symbols", 0), None, graph.size("symbols", 1), lengths)
    x, turn = _placed(p, _embedded(p, "front", graph.reshape("symbols", [-1])))  # (B·N, D)
    for i in range(geometry.encoder_layers):
        layer = f"encoder.layers.{i}"
        q, keys, values = _projected(p, f"{layer}.attention", layer_norm(graph, f"{layer}.attention_norm", x), turn)
        y = graph.op("MultiHeadAttention", q, keys, values, "", lengths, domain=CONTRIB, num_heads=geometry.heads)
        x = _fed(p, layer, _joined(p, f"{layer}.attention", x, y))
    memory = layer_norm(graph, "encoder.norm", x)  # (B·N, D)
    cross = [
        [
            _keys(p, _part(p, f"decoder.layers.{i}.cross_attention", memory, third))
            for i in range(geometry.decoder_layers)
        ]
        for third in (1, 2)
    ]
    shape: list[str | int] = [geometry.decoder_layers, "B", geometry.heads, "N", geometry.features // geometry.heads]
    return graph.model(
        {"symbols": ["B", "N"], "lengths": ["B"]},
        {name: (_stacked(p, cross[k]), shape) for k, name in enumerate(("cross_keys", "cross_values"))},
        integers=("symbols", "lengths"),
    )


def decoder_graph(geometry: AudioTransformerGeometry, tensors: Tensors, location: str) -> bytes:
    """Write one step: the graph of a geometry, pointing into a weights file that holds `tensors`."""
    graph = Graph(tensors, location)
    past = graph.size("self_keys", 3)  # n
    end = graph.op("Add", past, graph.constant([1]))
    p = Pass(graph, geometry, graph.size("symbols", 0), past, end, graph.op("Cast", "lengths", to=INT32))
    x, turn = _placed(p, _embedded(p, "back", "symbols"))  # (B, D)
    kept: tuple[list[str], list[str]] = [], []
    for i in range(geometry.decoder_layers):
        layer = f"decoder.layers.{i}"
        q, *fresh = _projected(p, f"{layer}.self_attention", layer_norm(graph, f"{layer}.self_norm", x), turn)
        both = [
            graph.op("Concat", _layer(graph, name, i), new, axis=2)  # (B, H, n + 1, D/H)
            for name, new in zip(("self_keys", "self_values"), fresh, strict=True)
        ]
        for all_layers, one in zip(kept, both, strict=True):
            all_layers.append(one)
        y = graph.op("MultiHeadAttention", q, *both, domain=CONTRIB, num_heads=geometry.heads)
        x = _joined(p, f"{layer}.self_attention", x, y)
        q = _sequences(p, _part(p, f"{layer}.cross_attention", layer_norm(graph, f"{layer}.cross_norm", x), 0))
        cross = [_layer(graph, name, i) for name in ("cross_keys", "cross_values")]
        y = graph.op("MultiHeadAttention", q, *cross, "", p.lengths, domain=CONTRIB, num_heads=geometry.heads)
        x = _fed(p, layer, _joined(p, f"{layer}.cross_attention", x, y))
    logits = linear(graph, "back.symbols", layer_norm(graph, "decoder.norm", x))
    return _decoder_model(p, logits, kept)


def _decoder_model(p: Pass, logits: str, kept: tuple[list[str], list[str]]) -> bytes:
    g = p.geometry

    def shape(steps: str) -> list[str | int]:
        return [g.decoder_layers, "B", g.heads, steps, g.features // g.heads]

    past = {name: shape("n") for name in ("self_keys", "self_values")}
    cross = {name: shape("N") for name in ("cross_keys", "cross_values")}
    new = {f"new_{name}": (_stacked(p, layers), shape("n + 1")) for name, layers in zip(past, kept, strict=True)}
    return p.graph.model(
        {"symbols": ["B"], **past, **cross, "lengths": ["B"]},
        {"logits": (logits, ["B", g.target.symbols]), **new},
        integers=("symbols", "lengths"),
    )


def _embedded(p: Pass, side: str, symbols: str) -> str:
    """Symbols (M,) -> their rows of the table, times √D: tokens (M, D)."""
    rows = p.graph.op("Gather", p.graph.weight(f"{side}.embedding.weight"), symbols, axis=0)
    return p.graph.op("Mul", rows, p.graph.constant(math.sqrt(p.geometry.features)))


def _placed(p: Pass, x: str) -> tuple[str, tuple[str, str] | None]:
    """Tokens that know where they are: positions added, or what their queries and keys are turned by."""
    g = p.geometry
    if g.positions == "rotary":
        return x, rotation(p.graph, angles(p.graph, p.first, p.end, g.features // g.heads))
    placed = p.graph.op("Add", _sequences(p, x), positions(p.graph, p.end, g.features, p.first))
    return p.graph.reshape(placed, [-1, g.features]), None


def _projected(p: Pass, name: str, h: str, turn: tuple[str, str] | None) -> tuple[str, str, str]:
    """Queries (B, N, D), keys and values (B, H, N, D/H) of tokens (B·N, D)."""
    q = p.graph.op("Split", linear(p.graph, f"{name}.in_proj", h), axis=1, num_outputs=3, outputs=3)
    k, v = f"{q}.1", f"{q}.2"
    if turn:
        q, k = (rotated(p.graph, _heads(p, part), turn, p.geometry.features // p.geometry.heads) for part in (q, k))
        return _sequences(p, q), p.graph.op("Transpose", k, perm=[0, 2, 1, 3]), _keys(p, v)
    return _sequences(p, q), _keys(p, k), _keys(p, v)


def _part(p: Pass, name: str, h: str, third: int) -> str:
    """Queries (0), keys (1) or values (2) alone, of tokens: (M, D)."""
    rows = [third_of(p.graph, f"{name}.in_proj.{kind}", third, axis=0) for kind in ("weight", "bias")]
    return p.graph.op("Gemm", h, *rows, transB=1)


def _joined(p: Pass, name: str, x: str, y: str) -> str:
    """x + the heads y (B, N, D) through the attention's last layer: tokens."""
    y = product(p.graph, f"{name}.out_proj", p.graph.reshape(y, [-1, p.geometry.features]))
    return add(p.graph, x, y, f"{name}.out_proj.bias")


def _fed(p: Pass, layer: str, x: str) -> str:
    """x + feed_forward(norm(x)), tokens."""
    h = linear(p.graph, f"{layer}.feed_in", layer_norm(p.graph, f"{layer}.feed_norm", x))
    return add(p.graph, x, product(p.graph, f"{layer}.feed_out", p.graph.op("Relu", h)), f"{layer}.feed_out.bias")


def _sequences(p: Pass, x: str) -> str:
    """Anything with B·N·D elements as (B, N, D)."""
    return p.graph.op("Reshape", x, p.graph.op("Concat", p.batch, p.graph.constant([-1, p.geometry.features]), axis=0))


def _heads(p: Pass, x: str) -> str:
    """Tokens (B·N, D) as (B, N, H, D/H)."""
    g = p.geometry
    shape = p.graph.op("Concat", p.batch, p.graph.constant([-1, g.heads, g.features // g.heads]), axis=0)
    return p.graph.op("Reshape", x, shape)


def _keys(p: Pass, x: str) -> str:
    """Tokens (B·N, D) as keys or values (B, H, N, D/H)."""
    return p.graph.op("Transpose", _heads(p, x), perm=[0, 2, 1, 3])


def _layer(graph: Graph, name: str, i: int) -> str:
    """Layer i of keys or values (L, B, H, N, D/H)."""
    return graph.op("Gather", name, graph.constant(np.int64(i)), axis=0)


def _stacked(p: Pass, layers: list[str]) -> str:
    """Keys or values of all layers, (L, B, H, N, D/H)."""
    return p.graph.op("Concat", *(p.graph.op("Unsqueeze", x, p.graph.constant([0])) for x in layers), axis=0)
