"""A decoder that takes several symbols at once, a prompt or a whole text, as an ONNX graph.

    decoder   symbols (B, M), lengths (I,), heads_i (A_i,), self_keys_i, self_values_i (B, H, n, D/H), cross_keys_i,
              cross_values_i (I, H, N, D/H) -> logits (B, V) behind the last of the M symbols, alignment (I, A, R, N),
              new_self_keys_i, new_self_values_i (B, H, n + M, D/H)

The B rows are hypotheses of I items, B/I of each, one item after the other. All rows of an item share its keys and
values, which are read once for all of them: they make up most of the memory that a step reads. Each of the L layers
has inputs of its own, since stacked ones would be copied at every step.

The alignment has the cross-attention weights of the heads that are named by their numbers in each layer, A in all and
none at little cost; R = B/I · M are the rows of an item, one behind the other. In Whisper (Radford et al., arXiv
2212.04356) some heads follow the audio word by word.
"""

import math

from unbraid.models.audio_transformer.config import AudioTransformerConfig
from unbraid.models.audio_transformer.graph.ends import embedded
from unbraid.models.audio_transformer.graph.model import Pass, part_of, placed, projected, symbol_logits
from unbraid.models.audio_transformer.layout import signature
from unbraid.models.onnx.builder import CONTRIB, INT32, Graph, Tensors
from unbraid.models.onnx.layers import attention_out


def prompted_graph(geometry: AudioTransformerConfig, tensors: Tensors, location: str) -> bytes:
    """The graph of a geometry, pointing into a weights file that holds `tensors`."""
    graph, g = Graph(tensors, location), geometry
    past, symbols = graph.size("self_keys_0", 2), graph.size("symbols", 1)  # n, M
    end = graph.op("Add", past, symbols)
    p = Pass(graph, g, graph.size("symbols", 0), past, end, graph.op("Cast", "lengths", to=INT32))
    items = graph.size("lengths", 0)
    x, turn = placed(p, embedded(graph, g, "back", graph.reshape("symbols", [-1])), "decoder")  # (B·M, D)
    mask, alignment = _mask(p), list[str]()
    outputs: dict[str, str] = {}
    for i in range(g.decoder_layers):
        layer = f"decoder.layers.{i}"
        q, *fresh = projected(p, f"{layer}.self_attention", p.norm(f"{layer}.self_norm", x), turn)
        kept = [
            graph.op("Concat", f"self_{name}_{i}", new, axis=2)  # (B, H, n + M, D/H)
            for name, new in zip(("keys", "values"), fresh, strict=True)
        ]
        outputs |= {f"new_self_keys_{i}": kept[0], f"new_self_values_{i}": kept[1]}
        y = graph.op("MultiHeadAttention", q, *kept, "", "", mask, domain=CONTRIB, num_heads=g.heads)
        x = attention_out(graph, f"{layer}.self_attention", x, y)
        q = part_of(p, f"{layer}.cross_attention", p.norm(f"{layer}.cross_norm", x), 0)
        q = graph.reshape(q, items, [-1, g.features])  # (I, R, D)
        alignment.append(_weights(p, q, items, i))
        cross = [f"cross_{name}_{i}" for name in ("keys", "values")]
        y = graph.op("MultiHeadAttention", q, *cross, "", p.lengths, domain=CONTRIB, num_heads=g.heads)
        x = p.feed_forward(layer, attention_out(graph, f"{layer}.cross_attention", x, y))
    top = graph.reshape(p.norm("decoder.norm", x), p.batch, [-1, g.features])  # (B, M, D)
    last = graph.op("Gather", top, graph.op("Sub", graph.squeeze(symbols, 0), graph.constant([1])), axis=1)
    outputs["logits"] = symbol_logits(p, graph.squeeze(last, 1))
    outputs["alignment"] = graph.op("Concat", *alignment, axis=1)
    return graph.model(signature(g, "decoder"), outputs)


def _mask(p: Pass) -> str:
    """-∞ where a kept step comes after the one that asks, else 0: (1, 1, M, n + M)."""
    asks = p.graph.unsqueeze(p.graph.steps(p.end, p.first), 1)
    later = p.graph.op("Less", asks, p.graph.steps(p.end))
    bias = p.graph.op("Where", later, p.graph.constant(-math.inf), p.graph.constant(0.0))
    return p.graph.unsqueeze(bias, 0, 1)


def _weights(p: Pass, q: str, items: str, layer: int) -> str:
    """The attention weights (I, A, R, N) of queries (I, R, D) in the heads of a layer that are asked for."""
    g, width = p.geometry, p.geometry.features // p.geometry.heads
    heads = p.graph.reshape(q, items, [-1, g.heads, width])  # (I, R, H, D/H)
    chosen = p.graph.transpose(p.graph.op("Gather", heads, f"heads_{layer}", axis=2), 0, 2, 1, 3)  # (I, A, R, D/H)
    keys = p.graph.op("Gather", f"cross_keys_{layer}", f"heads_{layer}", axis=1)
    scaled = p.graph.op("Mul", chosen, p.graph.constant(1 / math.sqrt(width)))
    scores = p.graph.op("MatMul", scaled, p.graph.transpose(keys, 0, 1, 3, 2))
    return p.graph.op("Softmax", scores, axis=-1)  # (I, A, R, N)
