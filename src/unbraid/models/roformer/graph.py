"""A RoFormer as an ONNX graph: spectrum (B, N, F·C·2) -> masks (B, S, N, F·C·2).

Between attentions, features are a matrix (tokens, D), so that each linear layer is one product; a token is a band of a
frame. Attention, the rotation of queries and keys, and RMS norms are ONNX Runtime's own operators; that of RMS norms,
SimplifiedLayerNormalization, it keeps among those of ONNX, which has one of its own only since version 23.
"""

from dataclasses import dataclass

from unbraid.models.onnx.builder import CONTRIB, FLOAT, Graph, Tensors
from unbraid.models.onnx.layers import add, linear, product
from unbraid.models.roformer.bands import sections
from unbraid.models.roformer.config import RoformerConfig
from unbraid.models.roformer.layout import SMALLEST, signature

Turn = tuple[str, str]  # cosines and sines (N, E/2) of the angles of N steps


@dataclass(frozen=True)
class Network:
    """A graph in the making, and the sizes that its nodes need."""

    graph: Graph
    geometry: RoformerConfig
    batch: str  # B, a tensor of one element
    frames: str  # N, the same

    @property
    def bands(self) -> int:
        """K."""
        return len(self.geometry.spans)


def build(geometry: RoformerConfig, tensors: Tensors, location: str, part: str = "model") -> bytes:
    """The graph of a geometry, pointing into a weights file that holds `tensors` (name: (dtype, shape))."""
    g, graph = geometry, Graph(tensors, location)
    net = Network(graph, g, graph.size("spectrum", 0), graph.size("spectrum", 1))
    x = _inlet(net)  # (B·N, K, D)
    turns = {"time": _turn(graph, "time", net.frames), "bands": _turn(graph, "bands", graph.size(x, 1))}
    x, before = graph.reshape(x, [-1, g.features]), ""  # (B·N·K, D)
    for i in range(g.blocks):
        x = graph.op("Add", x, before) if g.skips and before else x
        x = _block(net, f"blocks.{i}", x, turns)
        before = graph.op("Add", before, x) if before else x
    x = _norm(graph, "norm.weight", x) if g.final_norm else x
    return graph.model(signature(g), {"masks": _masks(net, x)})


def _turn(graph: Graph, axis: str, steps: str) -> Turn:
    step = graph.unsqueeze(graph.op("Cast", graph.steps(steps), to=FLOAT), 1)  # (N, 1)
    angle = graph.op("Mul", step, graph.weight(f"rotary.{axis}"))  # (N, E/2)
    return graph.op("Cos", angle), graph.op("Sin", angle)


def _norm(graph: Graph, weight: str, x: str) -> str:
    """An RMS norm of (…, D); torch divides by the length of a vector or by `SMALLEST`, which is the same but there."""
    size = graph.shape_of(weight)[0]
    return graph.op("SimplifiedLayerNormalization", x, graph.weight(weight), axis=-1, epsilon=SMALLEST**2 / size)


def _inlet(net: Network) -> str:
    """The features of each band: (B, N, F·C·2) -> (B·N, K, D)."""
    graph, numbers = net.graph, net.geometry.bin_numbers
    bands = []
    for k, (first, end) in enumerate(net.geometry.spans):
        size = (end - first) * numbers
        piece = graph.reshape(graph.slice("spectrum", first * numbers, end * numbers, axis=2), [-1, size])
        h = linear(graph, f"inlet.{k}.linear", _norm(graph, f"inlet.{k}.norm.weight", piece))
        bands.append(graph.unsqueeze(h, 1))
    return graph.op("Concat", *bands, axis=1)


def _block(net: Network, name: str, x: str, turns: dict[str, Turn]) -> str:
    """Over time, then over bands: tokens (B·N·K, D) -> the same."""
    graph, g = net.graph, net.geometry
    x = _swapped(net, x, net.frames, net.bands)  # (B·K·N, D)
    for j in range(g.time_layers):
        x = _layer(net, f"{name}.time.layers.{j}", x, net.frames, turns["time"])
    x = _norm(graph, f"{name}.time.norm.weight", x) if g.block_norm else x
    x = _swapped(net, x, net.bands, net.frames)
    for j in range(g.band_layers):
        x = _layer(net, f"{name}.bands.layers.{j}", x, net.bands, turns["bands"])
    return _norm(graph, f"{name}.bands.norm.weight", x) if g.block_norm else x


def _swapped(net: Network, x: str, outer: int | str, inner: int | str) -> str:
    """Tokens (B·outer·inner, D) in the order (B·inner·outer, D)."""
    graph, features = net.graph, net.geometry.features
    x = graph.transpose(graph.reshape(x, net.batch, outer, inner, features), 0, 2, 1, 3)
    return graph.reshape(x, [-1, features])


def _layer(net: Network, layer: str, x: str, steps: int | str, turn: Turn) -> str:
    """A layer of a Transformer over sequences of so many steps: tokens (B·steps, D) -> the same."""
    graph, g = net.graph, net.geometry
    h = _norm(graph, f"{layer}.attention_norm.weight", x)
    y = graph.reshape(_attention(net, f"{layer}.attention", h, steps, turn), [-1, g.heads, g.head_features])
    gate = graph.op("Sigmoid", linear(graph, f"{layer}.attention.gate", h))  # (tokens, H)
    y = graph.reshape(graph.op("Mul", y, graph.unsqueeze(gate, 2)), [-1, g.inner])
    x = graph.op("Add", x, product(graph, f"{layer}.attention.out_proj", y))
    h = product(graph, f"{layer}.feed_in", _norm(graph, f"{layer}.feed_norm.weight", x))
    h = graph.op("BiasGelu", h, graph.weight(f"{layer}.feed_in.bias"), domain=CONTRIB)
    return add(graph, x, product(graph, f"{layer}.feed_out", h), f"{layer}.feed_out.bias")


def _attention(net: Network, name: str, h: str, steps: int | str, turn: Turn) -> str:
    """The heads of attention within sequences of tokens (B·steps, D): (B, steps, H·E)."""
    graph, heads = net.graph, net.geometry.heads
    q, k, v = (
        graph.reshape(product(graph, f"{name}.in_proj", h, third=third), -1, steps, net.geometry.inner)
        for third in range(3)
    )
    first = graph.constant([0])
    q, k = (
        graph.op("RotaryEmbedding", x, first, *turn, domain=CONTRIB, interleaved=1, num_heads=heads) for x in (q, k)
    )
    return graph.op("MultiHeadAttention", q, k, v, domain=CONTRIB, num_heads=heads)


def _masks(net: Network, x: str) -> str:
    """The masks of all stems from tokens (B·N·K, D): (B, S, N, F·C·2)."""
    graph, g = net.graph, net.geometry
    frames = graph.reshape(x, [-1, net.bands, g.features])  # (B·N, K, D)
    split = graph.op("Split", frames, axis=1, num_outputs=net.bands, outputs=net.bands)
    bands = [graph.reshape(f"{split}.{k}" if k else split, [-1, g.features]) for k in range(net.bands)]
    stems = []
    for s in range(g.stems):
        masks = [_perceptron(net, f"masks.{s}.{k}", band) for k, band in enumerate(bands)]
        stems.append(graph.reshape(_joined(net, masks), net.batch, 1, net.frames, g.spectrum_size))
    return graph.op("Concat", *stems, axis=1) if len(stems) > 1 else stems[0]


def _perceptron(net: Network, name: str, h: str) -> str:
    """The masks of one stem in one band: (B·N, D) -> (B·N, size)."""
    graph, layers = net.graph, net.geometry.mask_layers
    for i in range(layers):
        h = graph.op("Tanh", linear(graph, f"{name}.{i}", h))
    h = linear(graph, f"{name}.{layers}", h)
    value = graph.op("Split", h, axis=1, num_outputs=2, outputs=2)
    return graph.op("Mul", value, graph.op("Sigmoid", f"{value}.1"))


def _joined(net: Network, masks: list[str]) -> str:
    """The mean over all bands that hold a bin: masks (B·N, size) of each -> (B·N, F·C·2)."""
    graph, numbers, spans = net.graph, net.geometry.bin_numbers, net.geometry.spans
    pieces = []
    for (first, end), bands in sections(spans):
        parts = [
            masks[k]
            if spans[k] == (first, end)
            else graph.slice(masks[k], (first - spans[k][0]) * numbers, (end - spans[k][0]) * numbers, axis=1)
            for k in bands
        ]
        total = parts[0]
        for part in parts[1:]:
            total = graph.op("Add", total, part)
        if len(parts) > 1:
            total = graph.op("Mul", total, graph.constant(1 / len(parts)))
        pieces.append(total)
    return graph.op("Concat", *pieces, axis=1)
