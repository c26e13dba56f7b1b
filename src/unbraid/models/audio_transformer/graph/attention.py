"""The attention weights of an audio Transformer, as an ONNX graph over the same weights file, in one pass.

    attention   source, lengths (1,) [, target] -> encoder_attention (L, H, N, N)
                [, decoder_attention (L', H, M, M), cross_attention (L', H, M, N)]

The source is one item in the form of the encoder's graph. With a decoder, the target is its input, symbols (1, M) or
frames (1, M, r·F), the start included. The other graphs use ONNX Runtime's own attention, which does not return its
weights; here attention is written out (arXiv 1706.03762, equation 1),

    weights = softmax(Q Kᵀ / √(D/H) + mask),   mask = -∞ for later steps of the decoder, else 0

The graph serves inspection only.
"""

import math

from unbraid.models.audio_transformer.config import ATTENTION, AudioTransformerConfig, SpectrogramSide, TextSide
from unbraid.models.audio_transformer.graph.ends import embedded, prenet, read
from unbraid.models.audio_transformer.graph.model import (
    Pass,
    as_keys,
    part_of,
    placed,
    projected,
)
from unbraid.models.audio_transformer.layout import signature
from unbraid.models.onnx.builder import Graph, Tensors
from unbraid.models.onnx.layers import attention_out


def attention_graph(geometry: AudioTransformerConfig, tensors: Tensors, location: str) -> bytes:
    """The graph of a geometry, pointing into a weights file that holds `tensors`."""
    graph = Graph(tensors, location)
    source = read(graph, geometry)
    memory, weights = _encoder(Pass(graph, geometry, source.batch, None, source.steps, "lengths"), source.tokens)
    outputs = {"encoder_attention": weights}
    if not geometry.is_aligned:
        if isinstance(geometry.target, TextSide):
            tokens = embedded(graph, geometry, "back", graph.reshape("target", [-1]))
        else:
            assert isinstance(geometry.target, SpectrogramSide)
            width = geometry.target.stride * geometry.target.bins
            tokens = prenet(graph, graph.reshape("target", [-1, width]))
        steps = graph.size("target", 1)
        own, cross = _decoder(Pass(graph, geometry, source.batch, None, steps, "lengths"), tokens, memory)
        outputs["decoder_attention"], outputs["cross_attention"] = own, cross
    return graph.model(signature(geometry, ATTENTION), outputs)


def _encoder(p: Pass, tokens: str) -> tuple[str, str]:
    """The memory (N, D), and the weights (L, H, N, N) of all layers."""
    x, turn = placed(p, tokens, "encoder")
    found = []
    for i in range(p.geometry.encoder_layers):
        layer = f"encoder.layers.{i}"
        q, keys, values = projected(p, f"{layer}.attention", p.norm(f"{layer}.attention_norm", x), turn)
        found.append(_weights(p, q, keys))
        x = p.feed_forward(layer, attention_out(p.graph, f"{layer}.attention", x, _mixed(p, found[-1], values)))
    return p.norm("encoder.norm", x), p.graph.op("Concat", *found, axis=0)


def _decoder(p: Pass, tokens: str, memory: str) -> tuple[str, str]:
    """The weights of all layers: of the target's steps (L, H, M, M), and of the source's (L, H, M, N)."""
    x, turn = placed(p, tokens, "decoder")
    mask = _mask(p)
    own, cross = [], []
    for i in range(p.geometry.decoder_layers):
        layer = f"decoder.layers.{i}"
        h = p.norm(f"{layer}.self_norm", x)
        q, keys, values = projected(p, f"{layer}.self_attention", h, turn)
        own.append(_weights(p, q, keys, mask))
        x = attention_out(p.graph, f"{layer}.self_attention", x, _mixed(p, own[-1], values))
        h = p.norm(f"{layer}.cross_norm", x)
        q = part_of(p, f"{layer}.cross_attention", h, 0)
        keys, values = (as_keys(p, part_of(p, f"{layer}.cross_attention", memory, third)) for third in (1, 2))
        cross.append(_weights(p, q, keys))
        x = p.feed_forward(layer, attention_out(p.graph, f"{layer}.cross_attention", x, _mixed(p, cross[-1], values)))
    return p.graph.op("Concat", *own, axis=0), p.graph.op("Concat", *cross, axis=0)


def _weights(p: Pass, q: str, keys: str, mask: str | None = None) -> str:
    """The attention weights (1, H, M, N) of queries, anything with M·D elements, on keys (1, H, N, D/H)."""
    width = p.geometry.features // p.geometry.heads
    scaled = p.graph.op("Mul", as_keys(p, q), p.graph.constant(1 / math.sqrt(width)))
    scores = p.graph.op("MatMul", scaled, p.graph.transpose(keys, 0, 1, 3, 2))
    return p.graph.op("Softmax", p.graph.op("Add", scores, mask) if mask else scores, axis=-1)


def _mixed(p: Pass, weights: str, values: str) -> str:
    """The values (1, H, N, D/H) by their weights: (1, M, H, D/H)."""
    return p.graph.transpose(p.graph.op("MatMul", weights, values), 0, 2, 1, 3)


def _mask(p: Pass) -> str:
    """-∞ where a step comes after the one that asks, else 0: (M, M)."""
    step = p.graph.steps(p.end)
    later = p.graph.op("Less", p.graph.unsqueeze(step, 1), step)
    return p.graph.op("Where", later, p.graph.constant(-math.inf), p.graph.constant(0.0))
