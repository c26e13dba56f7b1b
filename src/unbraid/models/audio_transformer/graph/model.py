"""The audio Transformer as ONNX graphs over the same weights.

    encoder   source, lengths (B,) -> the keys and values of every decoder layer, cross_keys and cross_values; with CTC
              also ctc_logits (B, N, V)
    decoder   the last output, the cache of earlier ones, self_keys and self_values (n steps, 0 at first), cross_keys,
              cross_values, lengths (B,) -> the next output, new_self_keys, new_self_values (n + 1 steps)
    post      generated log_mel (B, N, F) -> refined (B, N, F)
    model     aligned: source, lengths (B,) -> log_mel_out (B, N·stride, F) or waveform_out (B, N·stride)

A source is symbols (B, N), log_mel (B, N·stride, F) or waveform (B, N·stride), or (B, T) with a pretrained encoder;
lengths are the N of each item. Outputs are symbols (B,), by way of logits (B, V), or frames (B, r·F), as new_frames
with stop (B,). Keys and values are (L, B, H, N, D/H) for L layers of the decoder. The decoder's graph is a single step,
so the caller selects the symbol: greedily, by beam search, or under constraints. Attention is ONNX Runtime's own.
"""

from dataclasses import dataclass

import numpy as np

from unbraid.models.audio_transformer.config import AudioTransformerConfig, TextSide
from unbraid.models.audio_transformer.graph.ends import Source, converted, embedded, post_graph, prenet, read
from unbraid.models.audio_transformer.layout import signature
from unbraid.models.onnx.builder import CONTRIB, INT32, Graph, Tensors
from unbraid.models.onnx.layers import (
    angles,
    attention_out,
    feed_forward,
    layer_norm,
    linear,
    positions,
    product,
    rotated,
    rotation,
    third_of,
)


@dataclass(frozen=True)
class Pass:
    """The values that all layers of one graph share."""

    graph: Graph
    geometry: AudioTransformerConfig
    batch: str  # B, a tensor of one element, as are those below
    first: str | None  # the index of the first step; None: 0
    end: str  # the index after the last step
    lengths: str  # (B,) int32, of the source

    def norm(self, name: str, x: str) -> str:
        """Layer norm of tokens."""
        return layer_norm(self.graph, name, x, self.geometry.norm_eps)

    def feed_forward(self, layer: str, x: str) -> str:
        """Tokens plus the feed-forward of their norm."""
        return feed_forward(self.graph, layer, x, self.geometry.activation, self.geometry.norm_eps)


def audio_transformer_graph(geometry: AudioTransformerConfig, part: str, tensors: Tensors, location: str) -> bytes:
    """One graph of a geometry (see `Config.graphs`), pointing into a weights file that holds `tensors`."""
    graph = Graph(tensors, location)
    if part == "post":
        return post_graph(graph, geometry)
    if part == "decoder":
        return _decoder_graph(graph, geometry)
    p, source, memory = _encoded(graph, geometry)
    if part == "encoder":
        return graph.model(signature(geometry, part), _asked(p, memory))
    (name,) = signature(geometry, part).outputs
    return graph.model(signature(geometry, part), {name: converted(graph, geometry, source, memory)})


def _encoded(graph: Graph, geometry: AudioTransformerConfig) -> tuple[Pass, Source, str]:
    """Encode a source by its front end and the encoder's layers: memory (B·N, D)."""
    lengths = graph.op("Cast", "lengths", to=INT32)
    source = read(graph, geometry)
    p = Pass(graph, geometry, source.batch, None, source.steps, lengths)
    x, turn = placed(p, source.tokens, "encoder")  # (B·N, D)
    for i in range(geometry.encoder_layers):
        layer = f"encoder.layers.{i}"
        q, keys, values = projected(p, f"{layer}.attention", p.norm(f"{layer}.attention_norm", x), turn)
        y = graph.op("MultiHeadAttention", q, keys, values, "", lengths, domain=CONTRIB, num_heads=geometry.heads)
        x = p.feed_forward(layer, attention_out(graph, f"{layer}.attention", x, y))
    return p, source, p.norm("encoder.norm", x)


def _asked(p: Pass, memory: str) -> dict[str, str]:
    """The encoder's outputs: keys and values of the decoder's layers for a memory, and CTC logits."""
    g = p.geometry
    cross = [
        [as_keys(p, part_of(p, f"decoder.layers.{i}.cross_attention", memory, third)) for i in range(g.decoder_layers)]
        for third in (1, 2)
    ]
    outputs = {name: _stacked(p, cross[k]) for k, name in enumerate(("cross_keys", "cross_values"))}
    if g.ctc:
        assert isinstance(g.target, TextSide)
        outputs["ctc_logits"] = _sequences(p, linear(p.graph, "ctc", memory), g.target.symbols)
    return outputs


def _decoder_graph(graph: Graph, geometry: AudioTransformerConfig) -> bytes:
    """The graph of one step of the decoder."""
    past = graph.size("self_keys", 3)  # n
    end = graph.op("Add", past, graph.constant([1]))
    written = "symbols" if isinstance(geometry.target, TextSide) else "frames"
    p = Pass(graph, geometry, graph.size(written, 0), past, end, graph.op("Cast", "lengths", to=INT32))
    text = isinstance(geometry.target, TextSide)
    tokens = embedded(graph, geometry, "back", "symbols") if text else prenet(graph, "frames")
    x, turn = placed(p, tokens, "decoder")  # (B, D)
    kept: tuple[list[str], list[str]] = [], []
    for i in range(geometry.decoder_layers):
        layer = f"decoder.layers.{i}"
        q, *fresh = projected(p, f"{layer}.self_attention", p.norm(f"{layer}.self_norm", x), turn)
        both = [
            graph.op("Concat", _layer(graph, name, i), new, axis=2)  # (B, H, n + 1, D/H)
            for name, new in zip(("self_keys", "self_values"), fresh, strict=True)
        ]
        for all_layers, one in zip(kept, both, strict=True):
            all_layers.append(one)
        y = graph.op("MultiHeadAttention", q, *both, domain=CONTRIB, num_heads=geometry.heads)
        x = attention_out(graph, f"{layer}.self_attention", x, y)
        q = _sequences(p, part_of(p, f"{layer}.cross_attention", p.norm(f"{layer}.cross_norm", x), 0))
        cross = [_layer(graph, name, i) for name in ("cross_keys", "cross_values")]
        y = graph.op("MultiHeadAttention", q, *cross, "", p.lengths, domain=CONTRIB, num_heads=geometry.heads)
        x = p.feed_forward(layer, attention_out(graph, f"{layer}.cross_attention", x, y))
    return _decoder_model(p, p.norm("decoder.norm", x), kept)


def _decoder_model(p: Pass, top: str, kept: tuple[list[str], list[str]]) -> bytes:
    """The finished graph, from the features (B, D) of the decoder's last layer on."""
    g = p.geometry
    if isinstance(g.target, TextSide):
        follows = {"logits": symbol_logits(p, top)}
    else:
        stop = p.graph.squeeze(linear(p.graph, "back.stop", top), 1)
        follows = {"new_frames": linear(p.graph, "back.frames", top), "stop": stop}
    names = ("new_self_keys", "new_self_values")
    new = {name: _stacked(p, layers) for name, layers in zip(names, kept, strict=True)}
    return p.graph.model(signature(g, "decoder"), {**follows, **new})


def symbol_logits(p: Pass, top: str) -> str:
    """Logits (B, V) of features (B, D)."""
    if p.graph.has("back.embedding.weight.scale"):
        return product(p.graph, "back.embedding", top)
    if p.geometry.tied:
        return p.graph.op("Gemm", top, p.graph.weight("back.embedding.weight"), transB=1)
    return linear(p.graph, "back.symbols", top)


def placed(p: Pass, x: str, stack: str) -> tuple[str, tuple[str, str] | None]:
    """Tokens with the positions of encoder or decoder added, or the rotation of their queries and keys."""
    g = p.geometry
    if g.positions == "learned":
        rows = p.graph.slice(p.graph.weight(f"{stack}.positions_table"), p.first or 0, p.end, axis=0)
        return p.graph.reshape(p.graph.op("Add", _sequences(p, x), rows), [-1, g.features]), None
    if g.positions == "rotary":
        return x, rotation(p.graph, angles(p.graph, p.first, p.end, g.features // g.heads))
    placed = p.graph.op("Add", _sequences(p, x), positions(p.graph, p.end, g.features, p.first))
    return p.graph.reshape(placed, [-1, g.features]), None


def projected(p: Pass, name: str, h: str, turn: tuple[str, str] | None) -> tuple[str, str, str]:
    """Queries (B, N, D), keys and values (B, H, N, D/H) of tokens (B·N, D)."""
    q = p.graph.op("Split", linear(p.graph, f"{name}.in_proj", h), axis=1, num_outputs=3, outputs=3)
    k, v = f"{q}.1", f"{q}.2"
    if turn:
        q, k = (rotated(p.graph, _heads(p, part), turn, p.geometry.features // p.geometry.heads) for part in (q, k))
        return _sequences(p, q), p.graph.transpose(k, 0, 2, 1, 3), as_keys(p, v)
    return _sequences(p, q), as_keys(p, k), as_keys(p, v)


def part_of(p: Pass, name: str, h: str, third: int) -> str:
    """Queries (0), keys (1) or values (2) alone, of tokens: (M, D)."""
    if p.graph.has(f"{name}.in_proj.weight.scale"):
        bias = third_of(p.graph, f"{name}.in_proj.bias", third, axis=0)
        return product(p.graph, f"{name}.in_proj", h, bias, third=third)
    rows = [third_of(p.graph, f"{name}.in_proj.{kind}", third, axis=0) for kind in ("weight", "bias")]
    return p.graph.op("Gemm", h, *rows, transB=1)


def _sequences(p: Pass, x: str, width: int | None = None) -> str:
    """Anything with B·N·D elements as (B, N, D), or of another width than D."""
    return p.graph.reshape(x, p.batch, [-1, width or p.geometry.features])


def _heads(p: Pass, x: str) -> str:
    """Tokens (B·N, D) as (B, N, H, D/H)."""
    g = p.geometry
    return p.graph.reshape(x, p.batch, [-1, g.heads, g.features // g.heads])


def as_keys(p: Pass, x: str) -> str:
    """Tokens (B·N, D) as keys or values (B, H, N, D/H)."""
    return p.graph.transpose(_heads(p, x), 0, 2, 1, 3)


def _layer(graph: Graph, name: str, i: int) -> str:
    """Layer i of keys or values (L, B, H, N, D/H)."""
    return graph.op("Gather", name, graph.constant(np.int64(i)), axis=0)


def _stacked(p: Pass, layers: list[str]) -> str:
    """Keys or values of all layers, (L, B, H, N, D/H)."""
    return p.graph.op("Concat", *(p.graph.unsqueeze(x, 0) for x in layers), axis=0)
