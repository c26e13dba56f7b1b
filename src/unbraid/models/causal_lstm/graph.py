"""The causal LSTM as an ONNX graph: hops (B, n·hop) and a state -> sources (B, S, n·hop), one hop late, and a state.

Between layers, features are a matrix (N·B, D) in the order of time, as ONNX's LSTM has them.
"""

import math
from dataclasses import dataclass

from unbraid.models.causal_lstm.config import CausalLSTMConfig
from unbraid.models.causal_lstm.layout import FLOOR, QUIETEST, level_weights, signature
from unbraid.models.onnx.builder import Graph, Tensors
from unbraid.models.onnx.layers import layer_norm, linear
from unbraid.models.onnx.spectrum import bases, filter_parts, filtered, frames_of, overlapped, silu

NORM_EPS = 1e-5


@dataclass(frozen=True)
class Network:
    """A graph in the making, and the sizes that its nodes need."""

    graph: Graph
    geometry: CausalLSTMConfig
    batch: str  # B, a tensor of one element
    frames: str  # N, the same


def build(geometry: CausalLSTMConfig, tensors: Tensors, location: str, part: str = "model") -> bytes:
    """The graph of a geometry, pointing into a weights file that holds `tensors` (name: (dtype, shape))."""
    g, graph = geometry, Graph(tensors, location)
    past = _past(graph, g)
    hops = graph.reshape("mixture", [0, -1, g.hop_samples])  # (B, N, hop)
    halves = graph.op("Concat", past["samples"], hops, axis=1)
    net = Network(graph, g, graph.size("mixture", 0), graph.size(hops, 1))
    frames = frames_of(graph, halves, net.frames)
    analysis, synthesis = bases(graph, halves, g.frame_samples)
    power = graph.op("ReduceMean", graph.op("Mul", frames, frames), graph.constant([2]), keepdims=0)
    powers = graph.op("Concat", past["powers"], power, axis=1)  # (B, L - 1 + N)
    spectrum = graph.op("MatMul", frames, analysis)  # (B, N, 2F)
    spectra = _behind(graph, past.get("spectra"), spectrum)
    features = _behind(graph, past.get("features"), _features(net, spectrum, powers))
    x = graph.transpose(graph.op("Concat", *_newest(net, features, g.kernel_frames), axis=2), 1, 0, 2)
    x = linear(graph, "inlet", graph.reshape(x, [-1, 3 * g.kernel_frames * g.hop_samples]))  # (N·B, D)
    recurrent = []
    for i in range(g.blocks):
        out, state = _recurrence(net, f"blocks.{i}.time", x, graph.slice(past["recurrent"], i, i + 1, 1))
        x = graph.op("Add", x, out)
        x = graph.op("Add", x, _feed_forward(graph, f"blocks.{i}.feed", x))
        recurrent.append(state)
    filters = linear(graph, "outlet", layer_norm(graph, "norm", x, NORM_EPS))
    filters = graph.reshape(filters, net.frames, net.batch, g.sources, g.filter_size, g.hop_samples)
    parts = filter_parts(graph, graph.transpose(filters, 1, 2, 3, 0, 4), g.taps)
    sources = filtered(graph, parts, _newest(net, spectra, g.taps), g.hop_samples)  # (B, S, N, 2F)
    made = overlapped(graph, graph.op("MatMul", sources, synthesis), g.hop_samples)  # (B, S, N + 1, hop)
    first = graph.op("Add", graph.slice(made, 0, 1, 2), past["tail"])
    done = graph.op("Concat", first, graph.slice(made, 1, net.frames, 2), axis=2)
    now = {
        "samples": halves,
        "powers": powers,
        "features": features,
        "spectra": spectra,
        "recurrent": graph.op("Concat", *recurrent, axis=1),
        "tail": graph.slice(made, net.frames, 2**62, 2),
    }
    kept = (_kept(graph, now[name], name, g.state_shapes[name]) for name in past)
    state = graph.op("Concat", *kept, axis=1)
    return graph.model(signature(g), {"sources": graph.reshape(done, [0, 0, -1]), "state_out": state})


def _past(graph: Graph, g: CausalLSTMConfig) -> dict[str, str]:
    """The parts of the state by name, without empty ones."""
    past, start = {}, 0
    for name, shape in g.state_shapes.items():
        if (end := start + math.prod(shape)) == start:
            continue
        past[name] = graph.reshape(graph.slice("state", start, end, 1), graph.size("state", 0), *shape)
        start = end
    return past


def _newest(net: Network, x: str, count: int) -> list[str]:
    """Of (B, count - 1 + N, …) the N frames at each delay, the longest first."""
    graph = net.graph
    return [graph.slice(x, i, graph.op("Add", net.frames, graph.constant([i])), 1) for i in range(count)]


def _behind(graph: Graph, past: str | None, x: str) -> str:
    """The frames (B, N, …) behind those of the state, if it has any."""
    return graph.op("Concat", past, x, axis=1) if past else x


def _kept(graph: Graph, x: str, name: str, shape: tuple[int, ...]) -> str:
    """A part of the next state (B, size): of frames (B, N, …) the last, of all else everything."""
    if name not in ("recurrent", "tail"):
        x = graph.slice(x, graph.op("Sub", graph.size(x, 1), graph.constant([shape[0]])), 2**62, 1)
    return graph.reshape(x, [0, math.prod(shape)])


def _features(net: Network, spectrum: str, powers: str) -> str:
    """The root of each magnitude, with its phase and without: (B, N, 2F), (B, L - 1 + N) -> (B, N, 3F)."""
    graph, g = net.graph, net.geometry
    kernel = graph.constant(level_weights(g.level_frames)[None, None])
    power = graph.transpose(graph.op("Conv", graph.unsqueeze(powers, 1), kernel), 0, 2, 1)  # (B, N, 1)
    level = graph.op("Sqrt", graph.op("Add", power, graph.constant(QUIETEST)))
    parts = graph.reshape(graph.op("Div", spectrum, level), [0, 0, 2, g.hop_samples])
    square = graph.op("ReduceSum", graph.op("Mul", parts, parts), graph.constant([2]), keepdims=1)
    root = graph.op("Sqrt", graph.op("Sqrt", graph.op("Add", square, graph.constant(FLOOR))))
    joined = graph.op("Concat", graph.op("Div", parts, root), root, axis=2)  # (B, N, 3, F)
    return graph.reshape(joined, [0, 0, 3 * g.hop_samples])


def _recurrence(net: Network, name: str, x: str, before: str) -> tuple[str, str]:
    """Tokens (N·B, D) and the state before (B, 1, 2, D) -> the outputs (N·B, D), and the state behind."""
    graph, d = net.graph, net.geometry.features
    h = graph.reshape(layer_norm(graph, f"{name}.norm", x, NORM_EPS), net.frames, net.batch, d)
    weights = [graph.unsqueeze(graph.weight(f"{name}.{part}"), 0) for part in ("weight_input", "weight_hidden", "bias")]
    state = graph.transpose(graph.squeeze(before, 1), 1, 0, 2)  # (2, B, D)
    hidden, cell = (graph.slice(state, i, i + 1, 0) for i in range(2))
    out = graph.op("LSTM", h, *weights, "", hidden, cell, outputs=3, hidden_size=d)  # (N, 1, B, D)
    behind = graph.transpose(graph.op("Concat", f"{out}.1", f"{out}.2", axis=0), 1, 0, 2)  # (B, 2, D)
    return graph.reshape(out, [-1, d]), graph.unsqueeze(behind, 1)


def _feed_forward(graph: Graph, name: str, x: str) -> str:
    h = layer_norm(graph, f"{name}.norm", x, NORM_EPS)
    gate, value = (linear(graph, f"{name}.{part}", h) for part in ("gate", "value"))
    return linear(graph, f"{name}.out", graph.op("Mul", silu(graph, gate), value))
