"""SpeechT5 as ONNX graphs over the same weights; network.py has the equations.

    encoder   symbols (B, N) or waveform (B, T) -> cross_keys, cross_values (L, B, H, N, D/H) for the L layers of the
              decoder
    decoder   the last frame (B, F), what the pre-net keeps of it (B, 2 P), speaker (B, S), self_keys and self_values
              (L, B, H, n, D/H), cross_keys, cross_values -> new_frames (B, r·F), stop (B, r), new_self_keys and
              new_self_values (n + 1 steps); of text the last symbols (B,) -> logits (B, V), with the same caches;
              there the B rows are texts of I sources, B/I of each, which share cross_keys and cross_values
    post      generated log_mel (B, N, F) -> refined (B, N, F)

The encoder reads texts or waveforms of one length. Tokens are a matrix (B·N, D) between attentions;
attention, and GELU with the bias before it, are ONNX Runtime's own.
"""

import math

import numpy as np

from unbraid.models.onnx.builder import CONTRIB, Graph, Tensors
from unbraid.models.onnx.layers import (
    add,
    attention_out,
    halved_positions,
    layer_norm,
    linear,
    positions,
    product,
    third_of,
)
from unbraid.models.speecht5.config import SpeechT5Config
from unbraid.models.speecht5.layout import FIRST_PLACE, PRENET_LAYERS, SPEAKER_EPS, signature
from unbraid.models.wav2vec2.graph import Backbone, front_tokens


def build(geometry: SpeechT5Config, tensors: Tensors, location: str, part: str = "encoder") -> bytes:
    """A graph of a geometry, pointing into a weights file that holds `tensors` (name: (dtype, shape))."""
    graph = Graph(tensors, location)
    outputs = {"encoder": _encoder, "decoder": _decoder, "post": _post}[part](graph, geometry)
    return graph.model(signature(geometry, part), outputs)


def _encoder(graph: Graph, g: SpeechT5Config) -> dict[str, str]:
    x, shape, steps = (_heard if g.source == "waveform" else _read)(graph, g)
    x, distances = layer_norm(graph, "encoder.norm", x, g.norm_eps), _distances(graph, g, steps)
    for i in range(g.encoder_layers):
        layer = f"encoder.layers.{i}"
        q, k, v = _projected(graph, f"{layer}.attention", x)
        q, keys, values = graph.reshape(q, shape), _heads(graph, g, k, shape), _heads(graph, g, v, shape)
        bias = _bias(graph, g, _heads(graph, g, q, shape), distances)
        y = graph.op("MultiHeadAttention", q, keys, values, "", "", bias, domain=CONTRIB, num_heads=g.heads)
        x = layer_norm(graph, f"{layer}.attention_norm", attention_out(graph, f"{layer}.attention", x, y), g.norm_eps)
        x = _fed(graph, g, layer, x)
    return {
        name: _stacked(
            graph,
            [
                _heads(graph, g, _part(graph, f"decoder.layers.{i}.cross_attention", x, third), shape)
                for i in range(g.decoder_layers)
            ],
        )
        for name, third in (("cross_keys", 1), ("cross_values", 2))
    }


def _read(graph: Graph, g: SpeechT5Config) -> tuple[str, str, str]:
    """The symbols as tokens (B·N, D) with their places; their shape (B, N, D), and N."""
    shape = graph.vector(graph.size("symbols", 0), graph.size("symbols", 1), g.features)
    steps = graph.size("symbols", 1)
    rows = graph.op("Gather", graph.weight("front.embedding.weight"), "symbols", axis=0)  # (B, N, D)
    scaled = graph.op("Mul", positions(graph, steps, g.features), graph.weight("front.scale"))
    return _tokens(graph, g, graph.op("Add", rows, scaled)), shape, steps


def _heard(graph: Graph, g: SpeechT5Config) -> tuple[str, str, str]:
    """The waveform as tokens (B·N, D) with their places; their shape (B, N, D), and N."""
    x, shape = front_tokens(Backbone(graph, g.front), "waveform")
    steps = graph.slice(shape, 1, 2, axis=0)
    place = halved_positions(graph, steps, g.features, FIRST_PLACE)  # (N, D)
    return _tokens(graph, g, graph.op("Add", graph.reshape(x, shape), place)), shape, steps


def _decoder(graph: Graph, g: SpeechT5Config) -> dict[str, str]:
    past = graph.size("self_keys", 3)  # n
    x = (_written if g.target == "text" else _prenet)(graph, g, past)  # (B, D)
    shape = graph.vector(graph.size("symbols" if g.target == "text" else "frame", 0), 1, g.features)
    asks = graph.vector(graph.size("cross_keys", 1), -1, g.features) if g.target == "text" else shape
    kept: tuple[list[str], list[str]] = [], []
    for i in range(g.decoder_layers):
        layer = f"decoder.layers.{i}"
        q, *fresh = _projected(graph, f"{layer}.self_attention", x)
        both = [
            graph.op("Concat", _layer(graph, name, i), _heads(graph, g, new, shape), axis=2)  # (B, H, n + 1, D/H)
            for name, new in zip(("self_keys", "self_values"), fresh, strict=True)
        ]
        for all_layers, one in zip(kept, both, strict=True):
            all_layers.append(one)
        x = _attended(graph, g, f"{layer}.self", x, graph.reshape(q, shape), both)
        q = graph.reshape(_part(graph, f"{layer}.cross_attention", x, 0), asks)
        cross = [_layer(graph, name, i) for name in ("cross_keys", "cross_values")]
        x = _fed(graph, g, layer, _attended(graph, g, f"{layer}.cross", x, q, cross))
    names = ("new_self_keys", "new_self_values")
    new = {name: _stacked(graph, layers) for name, layers in zip(names, kept, strict=True)}
    if g.target == "text":
        return {"logits": product(graph, "symbols", x), **new}
    return {"new_frames": linear(graph, "frames", x), "stop": linear(graph, "stop", x), **new}


def _post(graph: Graph, g: SpeechT5Config) -> dict[str, str]:
    x, pads = graph.transpose("log_mel", 0, 2, 1), [g.post_kernel // 2] * 2
    for i in range(g.post_layers):
        weights = graph.weight(f"post.{i}.weight"), graph.weight(f"post.{i}.bias")
        x = graph.op("Conv", graph.op("Tanh", x) if i else x, *weights, pads=pads)
    return {"refined": graph.op("Add", "log_mel", graph.transpose(x, 0, 2, 1))}


def _written(graph: Graph, g: SpeechT5Config, past: str) -> str:
    """The last symbols as the input (B, D) of the decoder's layers at step n."""
    end = graph.op("Add", past, graph.constant([1]))
    place = halved_positions(graph, end, g.features, FIRST_PLACE, past)  # (1, D)
    return graph.op("Add", graph.op("Gather", graph.weight("symbols.weight"), "symbols", axis=0), place)


def _prenet(graph: Graph, g: SpeechT5Config, past: str) -> str:
    """The input (B, D) of the decoder's layers at step n."""
    h = "frame"
    for i in range(PRENET_LAYERS):
        factor = graph.slice("kept", i * g.prenet, (i + 1) * g.prenet, axis=1)
        h = graph.op("Mul", graph.op("Relu", linear(graph, f"prenet.layers.{i}", h)), factor)
    end = graph.op("Add", past, graph.constant([1]))
    place = graph.op("Mul", positions(graph, end, g.features, past), graph.weight("prenet.scale"))  # (1, D)
    h = graph.op("Add", linear(graph, "prenet.project", h), place)
    squares = graph.op("ReduceSum", graph.op("Mul", "speaker", "speaker"), graph.constant([1]), keepdims=1)
    length = graph.op("Max", graph.op("Sqrt", squares), graph.constant(SPEAKER_EPS))
    both = graph.op("Concat", h, graph.op("Div", "speaker", length), axis=1)
    return graph.op("Relu", linear(graph, "prenet.speaker", both))


def _distances(graph: Graph, g: SpeechT5Config, steps: str) -> str:
    """What each pair of steps has as its distance, (N, D/H, N)."""
    step = graph.steps(steps)
    apart = graph.op("Sub", graph.unsqueeze(step, 1), step)
    reach = g.relative_steps
    least, most = (graph.constant(np.int64(bound)) for bound in (-reach, reach - 1))
    apart = graph.op("Add", graph.op("Min", graph.op("Max", apart, least), most), graph.constant(np.int64(reach)))
    rows = graph.op("Gather", graph.weight("encoder.distances.weight"), apart, axis=0)  # (N, N, D/H)
    return graph.transpose(rows, 0, 2, 1)


def _bias(graph: Graph, g: SpeechT5Config, queries: str, distances: str) -> str:
    """The scores (B, H, N, N) of queries (B, H, N, D/H) on distances (N, D/H, N)."""
    width = g.features // g.heads
    scaled = graph.op("Mul", graph.transpose(queries, 2, 0, 1, 3), graph.constant(1 / math.sqrt(width)))  # (N, B, H, …)
    rows = graph.reshape(scaled, [0, -1, width])  # (N, B·H, D/H)
    scores = graph.transpose(graph.op("MatMul", rows, distances), 1, 0, 2)  # (B·H, N, N)
    sizes = graph.vector(graph.size(queries, 0), g.heads, graph.size(queries, 2), graph.size(queries, 2))
    return graph.reshape(scores, sizes)


def _projected(graph: Graph, name: str, x: str) -> tuple[str, str, str]:
    """Queries, keys and values of tokens (M, D)."""
    q = graph.op("Split", linear(graph, f"{name}.in_proj", x), axis=1, num_outputs=3, outputs=3)
    return q, f"{q}.1", f"{q}.2"


def _part(graph: Graph, name: str, x: str, third: int) -> str:
    """Queries (0), keys (1) or values (2) alone, of tokens: (M, D)."""
    rows = [third_of(graph, f"{name}.in_proj.{kind}", third, axis=0) for kind in ("weight", "bias")]
    return graph.op("Gemm", x, *rows, transB=1)


def _attended(graph: Graph, g: SpeechT5Config, half: str, x: str, q: str, keys_values: list[str]) -> str:
    """The norm of tokens (B, D) plus their attention."""
    y = graph.op("MultiHeadAttention", q, *keys_values, domain=CONTRIB, num_heads=g.heads)
    return layer_norm(graph, f"{half}_norm", attention_out(graph, f"{half}_attention", x, y), g.norm_eps)


def _fed(graph: Graph, g: SpeechT5Config, layer: str, x: str) -> str:
    """The norm of tokens plus their feed-forward."""
    h = product(graph, f"{layer}.feed_in", x)
    h = graph.op("BiasGelu", h, graph.weight(f"{layer}.feed_in.bias"), domain=CONTRIB)
    total = add(graph, x, product(graph, f"{layer}.feed_out", h), f"{layer}.feed_out.bias")
    return layer_norm(graph, f"{layer}.feed_norm", total, g.norm_eps)


def _tokens(graph: Graph, g: SpeechT5Config, x: str) -> str:
    """Anything with B·N·D elements as (B·N, D)."""
    return graph.reshape(x, [-1, g.features])


def _heads(graph: Graph, g: SpeechT5Config, x: str, shape: str) -> str:
    """Tokens as keys or values (B, H, N, D/H), where `shape` is (B, N, D)."""
    sizes = graph.op("Concat", graph.slice(shape, 0, 2, axis=0), graph.vector([g.heads, g.features // g.heads]), axis=0)
    return graph.transpose(graph.reshape(x, sizes), 0, 2, 1, 3)


def _layer(graph: Graph, name: str, i: int) -> str:
    """Layer i of keys or values (L, B, H, N, D/H)."""
    return graph.op("Gather", name, graph.constant(np.int64(i)), axis=0)


def _stacked(graph: Graph, layers: list[str]) -> str:
    """Keys or values of all layers, (L, B, H, N, D/H)."""
    return graph.op("Concat", *(graph.unsqueeze(x, 0) for x in layers), axis=0)
