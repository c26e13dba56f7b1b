"""The band-split Transformer as an ONNX graph: mixture (B, T) -> sources (B, sources, T).

Features are kept as a matrix (tokens, D) between layers, a token being a band of a frame, so that each linear layer is
one product. The transform is inside: its basis is computed from cosines.
"""

import math
from dataclasses import dataclass

from unbraid.models.band_split.config import BandSplitConfig
from unbraid.models.band_split.layout import FLOOR, QUIETEST, signature
from unbraid.models.onnx.builder import FLOAT, Graph, Tensors
from unbraid.models.onnx.layers import layer_norm, linear
from unbraid.models.onnx.spectrum import bases, filter_parts, filtered, frames_of, overlapped, silu

NORM_EPS = 1e-5


@dataclass(frozen=True)
class Network:
    """A graph in the making, and the sizes that its nodes need."""

    graph: Graph
    geometry: BandSplitConfig
    batch: str  # B, a tensor of one element
    frames: str  # N, the same


def build(geometry: BandSplitConfig, tensors: Tensors, location: str, part: str = "model") -> bytes:
    """The graph of a geometry, pointing into a weights file that holds `tensors` (name: (dtype, shape))."""
    g, graph = geometry, Graph(tensors, location)
    batch, samples, hop = graph.size("mixture", 0), graph.size("mixture", 1), graph.constant([geometry.hop_samples])
    gap = graph.op("Mod", graph.op("Sub", hop, graph.op("Mod", samples, hop)), hop)
    pads = graph.vector(0, hop, 0, graph.op("Add", hop, gap))
    halves = graph.reshape(graph.op("Pad", "mixture", pads), [0, -1, g.hop_samples])  # (B, N + 1, hop)
    last = graph.op("Sub", graph.size(halves, 1), graph.constant([1]))
    net = Network(graph, g, batch, last)
    level = _level(net, halves, samples)  # (B, 1, 1)
    halves = graph.op("Div", halves, level)
    frames = frames_of(graph, halves, last)
    analysis, synthesis = bases(graph, halves, g.frame_samples)
    spectrum = graph.op("MatMul", frames, analysis)  # (B, N, 2F)
    x = graph.reshape(_by_band(net, "inlet", _compressed(net, spectrum)), [-1, g.features])  # (B·N·K, D)
    for i in range(g.blocks):
        x = graph.op("Add", x, _time_attention(net, f"blocks.{i}.time", x))
        x = graph.op("Add", x, _gated_convolution(net, f"blocks.{i}.time_feed", x))
        x = graph.op("Add", x, _band_mixing(net, f"blocks.{i}.band", x))
        x = graph.op("Add", x, _gated_convolution(net, f"blocks.{i}.band_feed", x))
    h = graph.reshape(layer_norm(graph, "norm", x, NORM_EPS), batch, last, g.bands, g.features)
    voices = graph.op("MatMul", _filtered(net, _by_band(net, "outlet", h), spectrum), synthesis)  # (B, S, N, frame)
    sources = graph.op("Mul", _overlapped(net, voices, samples), level)
    return graph.model(signature(g), {"sources": sources})


def _level(net: Network, halves: str, samples: str) -> str:
    """The RMS of each mixture (B, 1, 1), its mean taken in two steps: one long float32 sum would lose digits."""
    graph = net.graph
    power = graph.op("Mul", halves, halves)
    for axis in (2, 1):
        power = graph.op("ReduceMean", power, graph.constant([axis]), keepdims=1)
    count = graph.op("Mul", graph.size(halves, 1), graph.constant([net.geometry.hop_samples]))  # zeros around included
    count, samples = (graph.op("Cast", n, to=FLOAT) for n in (count, samples))
    power = graph.op("Mul", power, graph.op("Div", count, samples))
    return graph.op("Sqrt", graph.op("Add", power, graph.constant(QUIETEST)))


def _compressed(net: Network, spectrum: str) -> str:
    """The root of each magnitude by bands, phases as they are: (B, N, 2F) -> (B, N, K, 2·bins)."""
    graph, g = net.graph, net.geometry
    parts = graph.reshape(spectrum, [0, 0, 2, g.bands, g.band_bins])
    power = graph.op("ReduceSum", graph.op("Mul", parts, parts), graph.constant([2]), keepdims=1)
    root = graph.op("Sqrt", graph.op("Sqrt", graph.op("Add", power, graph.constant(FLOOR))))
    parts = graph.transpose(graph.op("Div", parts, root), 0, 1, 3, 2, 4)
    return graph.reshape(parts, [0, 0, g.bands, 2 * g.band_bins])


def _by_band(net: Network, name: str, x: str) -> str:
    """A linear layer for each band: (B, N, K, inputs) -> (B, N, K, outputs)."""
    graph, bands = net.graph, net.geometry.bands
    inputs, outputs = graph.shape_of(f"{name}.weight")[1:]
    x = graph.reshape(graph.transpose(x, 2, 0, 1, 3), [bands, -1, inputs])
    y = graph.op("MatMul", x, graph.weight(f"{name}.weight"))
    y = graph.op("Add", y, graph.unsqueeze(graph.weight(f"{name}.bias"), 1))
    return graph.transpose(graph.reshape(y, bands, net.batch, net.frames, outputs), 1, 2, 0, 3)


def _time_attention(net: Network, name: str, x: str) -> str:
    graph, g = net.graph, net.geometry
    h = layer_norm(graph, f"{name}.norm", x, NORM_EPS)
    query, key, value = (
        graph.reshape(linear(graph, f"{name}.{part}", h), net.batch, net.frames, g.bands, g.heads, -1)
        for part in ("query", "key", "value")
    )  # (B, N, K, H, E)
    query = graph.reshape(graph.transpose(query, 0, 3, 1, 2, 4), net.batch, g.heads, net.frames, -1)  # (B, H, N, K·E)
    key = graph.reshape(graph.transpose(key, 0, 3, 2, 4, 1), net.batch, g.heads, -1, net.frames)  # (B, H, K·E, N)
    value = graph.reshape(graph.transpose(value, 0, 3, 1, 2, 4), net.batch, g.heads, net.frames, -1)
    query = graph.op("Mul", query, graph.constant(1 / math.sqrt(g.bands * g.query_features)))
    weights = graph.op("Softmax", graph.op("MatMul", query, key), axis=-1)  # (B, H, N, N)
    mixed = graph.reshape(graph.op("MatMul", weights, value), [0, 0, 0, g.bands, -1])  # (B, H, N, K, D/H)
    return linear(graph, f"{name}.out", graph.reshape(graph.transpose(mixed, 0, 2, 3, 1, 4), [-1, g.features]))


def _gated_convolution(net: Network, name: str, x: str) -> str:
    graph, g = net.graph, net.geometry
    h = layer_norm(graph, f"{name}.norm", x, NORM_EPS)
    gate = graph.reshape(linear(graph, f"{name}.gate", h), net.batch, net.frames, g.bands, g.hidden)
    receptive_field = [g.kernel_frames // 2, g.kernel_bands // 2]
    kernel = graph.weight(f"{name}.conv.weight"), graph.weight(f"{name}.conv.bias")
    gate = graph.op("Conv", graph.transpose(gate, 0, 3, 1, 2), *kernel, group=g.hidden, pads=receptive_field * 2)
    gate = graph.reshape(graph.transpose(gate, 0, 2, 3, 1), [-1, g.hidden])
    return linear(graph, f"{name}.out", graph.op("Mul", silu(graph, gate), linear(graph, f"{name}.value", h)))


def _band_mixing(net: Network, name: str, x: str) -> str:
    graph, g = net.graph, net.geometry
    h = silu(graph, linear(graph, f"{name}.squeeze", layer_norm(graph, f"{name}.norm", x, NORM_EPS)))
    frame = graph.reshape(h, [-1, g.bands * g.band_features])  # (B·N, K·squeezed)
    gate, value = (linear(graph, f"{name}.{part}", frame) for part in ("gate", "value"))
    mixed = linear(graph, f"{name}.back", graph.op("Mul", silu(graph, gate), value))
    return linear(graph, f"{name}.out", graph.reshape(mixed, [-1, g.band_features]))


def _filtered(net: Network, filters: str, spectrum: str) -> str:
    """Each bin is a sum over its neighbours in time, times a gate: (B, N, K, S·outputs·bins) -> (B, S, N, 2F)."""
    graph, g, bins = net.graph, net.geometry, net.geometry.hop_samples
    filters = graph.transpose(
        graph.reshape(filters, [0, 0, g.bands, g.sources, g.filter_size, g.band_bins]), 0, 3, 4, 1, 2, 5
    )
    filters = graph.reshape(filters, [0, 0, 0, 0, bins])  # (B, S, outputs, N, F)
    parts = filter_parts(graph, filters, g.taps)
    padded = graph.op("Pad", spectrum, graph.constant([0, g.taps // 2, 0] * 2))
    near = [graph.slice(padded, i, graph.op("Add", net.frames, graph.constant([i])), 1) for i in range(g.taps)]
    return filtered(graph, parts, near, bins)


def _overlapped(net: Network, frames: str, samples: str) -> str:
    """Frames (B, S, N, frame) that overlap by half, added up: (B, S, T)."""
    graph, hop = net.graph, net.geometry.hop_samples
    joined = graph.reshape(overlapped(graph, frames, hop), [0, 0, -1])  # (B, S, (N + 1)·hop)
    return graph.slice(joined, hop, graph.op("Add", samples, graph.constant([hop])), 2)
