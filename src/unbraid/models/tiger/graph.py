"""A TIGER as an ONNX graph: spectrum (B, 2, F, N) -> masks (B, S, 2, F, N).

Features are images (B, D, K, N) of bands and frames; the layers over bands and those over time are the same nodes along
another axis. Convolutions of each feature alone are fast on large images, and slow on many short rows, which is why
norms are written out as means. Sizes of all resolutions follow from the input, so that each table of steps that are
averaged or repeated is a few nodes, once for all iterations.
"""

from dataclasses import dataclass, field

import numpy as np

from unbraid.models.onnx.builder import FLOAT, Graph, Tensors
from unbraid.models.onnx.layers import linear
from unbraid.models.tiger.config import TigerConfig
from unbraid.models.tiger.layout import (
    BAND_NORM_EPS,
    GATED,
    NORM_EPS,
    TOKEN_NORM_EPS,
    prefix,
    signature,
    spans,
)

AXES = {"bands": 2, "time": 3}
TOKENS = {"bands": (0, 2, 3, 1), "time": (0, 3, 2, 1)}  # the order of an image's axes as tokens, the attended one first


@dataclass(frozen=True)
class Network:
    """A graph in the making, and the sizes that its nodes need."""

    graph: Graph
    geometry: TigerConfig
    before: str  # what the names of its tensors begin with
    batch: str  # B, a tensor of one element
    frames: str  # N, the same
    tables: dict[tuple[str, ...], str] = field(default_factory=dict)  # nodes that all iterations share

    def weight(self, name: str) -> str:
        """A tensor of this network."""
        return self.graph.weight(self.before + name)

    def spread(self, name: str) -> str:
        """A number for each feature (C,), as (C, 1, 1), for images."""
        key = ("spread", name)
        if key not in self.tables:
            self.tables[key] = self.graph.unsqueeze(self.weight(name), 1, 2)
        return self.tables[key]


@dataclass(frozen=True)
class Steps:
    """The layers over bands, or over time: their axis of images, and the steps of each resolution, finest first."""

    path: str
    axis: int
    counts: tuple[str, ...]  # tensors of one element


def build(geometry: TigerConfig, tensors: Tensors, location: str, part: str = "model") -> bytes:
    """The graph of a part, pointing into a weights file that holds `tensors` (name: (dtype, shape))."""
    g, graph = geometry, Graph(tensors, location)
    net = Network(graph, g, prefix(g, part), graph.size("spectrum", 0), graph.size("spectrum", 3))
    first = _inlet(net)  # (B, D, K, N)
    bands, time = (_steps(net, path, axis, graph.size(first, axis)) for path, axis in AXES.items())
    x = _path(net, time, _path(net, bands, first))
    for _ in range(g.iterations - 1):
        x = _path(net, time, _path(net, bands, _again(net, graph.op("Add", first, x))))
    source = g.chosen[g.graphs.index(part)] if g.chosen else None
    return graph.model(signature(g, part), {"masks": _masks(net, x, source)})


def _steps(net: Network, path: str, axis: int, finest: str) -> Steps:
    """Each further resolution has half as many steps, rounded up."""
    graph, counts = net.graph, [finest]
    for _ in range(net.geometry.levels - 1):
        more = graph.op("Add", counts[-1], graph.constant([1]))
        counts.append(graph.op("Div", more, graph.constant([2])))
    return Steps(path, axis, tuple(counts))


def _inlet(net: Network) -> str:
    """The features of each band: (B, 2, F, N) -> (B, D, K, N)."""
    graph, bands = net.graph, []
    for k, (first, end) in enumerate(spans(net.geometry)):
        band = graph.reshape(graph.slice("spectrum", first, end, axis=2), [0, 2 * (end - first), 1, -1])
        band = _norm(net, f"inlet.{k}.norm", band, 3, BAND_NORM_EPS)
        bands.append(_conv(net, f"inlet.{k}.conv", band, 3))
    return graph.op("Concat", *bands, axis=2) if len(bands) > 1 else bands[0]


def _again(net: Network, x: str) -> str:
    """The input of a further iteration: (B, D, K, N) -> the same."""
    x = net.graph.op("Mul", x, net.spread("again.weight"))
    x = net.graph.op("Add", x, net.spread("again.bias"))
    return _activated(net, x, net.weight("again.slope"))


def _path(net: Network, steps: Steps, x: str) -> str:
    """The layers over bands, or over time: (B, D, K, N) -> the same."""
    graph, order = net.graph, TOKENS[steps.path]
    y = _scales(net, steps, x)
    y = _attention(net, f"{steps.path}.attention", graph.transpose(y, *order))  # (B, K, N, D) or (B, N, K, D)
    y = _token_norm(net, f"{steps.path}.norm", y)
    return graph.op("Add", graph.transpose(y, *(order.index(axis) for axis in range(4))), x)


def _scales(net: Network, steps: Steps, x: str) -> str:
    """The convolutional network at several resolutions: (B, D, K, N) -> the same."""
    graph, g, name = net.graph, net.geometry, f"{steps.path}.scales"
    y = _conv_norm(net, f"{name}.inlet", x, steps)
    y = _activated(net, y, net.weight(f"{name}.slope"))
    levels: list[str] = []
    for i in range(g.levels):
        y = _conv_norm(net, f"{name}.down.{i}", y, steps, stride=1 + (i > 0))
        levels.append(y)
    for i, level in enumerate(levels[:-1]):
        y = graph.op("Add", y, _moved(net, level, steps, _averages(net, steps, i)))
    last = g.levels - 1
    y = _conv_norm(net, f"{name}.mlp_in", y, steps)
    y = graph.op("Relu", _conv(net, f"{name}.mlp_middle", y, steps.axis))
    y = _conv_norm(net, f"{name}.mlp_out", y, steps)
    fused = [_gated(net, f"{name}.fuse.{i}", (levels[i], i), (y, last), steps) for i in range(last)]
    other = fused[-2], last - 2  # as published: the coarsest that is left gets a finer one
    for i in reversed(range(last)):
        other = _gated(net, f"{name}.up.{i}", (fused[i], i), other, steps), i
    return graph.op("Add", _conv(net, f"{name}.outlet", other[0], steps.axis), x)


def _gated(net: Network, name: str, x: tuple[str, int], other: tuple[str, int], steps: Steps) -> str:
    """x scaled and shifted by features of another resolution; both with the number of theirs."""
    graph = net.graph
    local, gate, shift = (
        _conv_norm(net, f"{name}.{part}", x[0] if part == "local" else other[0], steps) for part in GATED
    )
    gate = _resampled(net, graph.op("Sigmoid", gate), steps, other[1], x[1])
    shift = _resampled(net, shift, steps, other[1], x[1])
    return graph.op("Add", graph.op("Mul", local, gate), shift)


def _resampled(net: Network, x: str, steps: Steps, of: int, to: int) -> str:
    """Steps of one resolution, repeated or left out for another one."""
    graph, axis = net.graph, steps.axis
    if of != to + 1:
        return _moved(net, x, steps, _nearest(net, steps, of, to))
    column = graph.unsqueeze(x, axis + 1)
    twice = graph.op("Concat", column, column, axis=axis + 1)  # (B, H, K, 2, N) or (B, H, K, N, 2)
    twice = graph.reshape(twice, [0, 0, -1], net.frames) if axis == 2 else graph.reshape(twice, [0, 0, 0, -1])
    return graph.slice(twice, 0, steps.counts[to], axis=axis)


def _moved(net: Network, x: str, steps: Steps, table: str) -> str:
    """Steps of one resolution times a table (L, L'), steps of another one."""
    if steps.axis == 3:
        return net.graph.op("MatMul", x, table)
    return net.graph.op("MatMul", net.graph.transpose(table, 1, 0), x)


def _averages(net: Network, steps: Steps, level: int) -> str:
    """A table (L, L') whose columns average the steps of a resolution for each of the coarsest.

    Step i of L' covers those from ⌊i L / L'⌋ to before ⌈(i + 1) L / L'⌉.
    """
    key = ("averages", steps.path, str(level))
    if key not in net.tables:
        graph, many, few = net.graph, steps.counts[level], steps.counts[-1]
        i = graph.steps(few)  # (L',)
        first = graph.op("Div", graph.op("Mul", i, many), few)
        end = graph.op("Mul", graph.op("Add", i, graph.constant([1])), many)
        end = graph.op("Div", graph.op("Sub", graph.op("Add", end, few), graph.constant([1])), few)
        place = graph.unsqueeze(graph.steps(many), 1)  # (L, 1)
        inside = graph.op("And", graph.op("Less", place, end), graph.op("Not", graph.op("Less", place, first)))
        count = graph.op("Cast", graph.op("Sub", end, first), to=FLOAT)
        net.tables[key] = graph.op("Div", graph.op("Cast", inside, to=FLOAT), count)
    return net.tables[key]


def _nearest(net: Network, steps: Steps, of: int, to: int) -> str:
    """A table (L, L') with a 1 where step j of L' is step ⌊j L / L'⌋ of L, with the rounding of torch."""
    key = ("nearest", steps.path, f"{of} {to}")
    if key not in net.tables:
        graph = net.graph
        source, target = (graph.op("Cast", steps.counts[level], to=FLOAT) for level in (of, to))
        j = graph.op("Cast", graph.steps(steps.counts[to]), to=FLOAT)
        place = graph.op("Floor", graph.op("Mul", j, graph.op("Div", source, target)))
        place = graph.op("Min", place, graph.op("Sub", source, graph.constant(1.0)))  # (L',)
        row = graph.unsqueeze(graph.op("Cast", graph.steps(steps.counts[of]), to=FLOAT), 1)  # (L, 1)
        net.tables[key] = graph.op("Cast", graph.op("Equal", row, place), to=FLOAT)
    return net.tables[key]


def _conv_norm(net: Network, name: str, x: str, steps: Steps, stride: int = 1) -> str:
    """A convolution over steps, and a norm over all features and steps."""
    return _norm(net, f"{name}.norm", _conv(net, f"{name}.conv", x, steps.axis, stride), steps.axis, NORM_EPS)


def _conv(net: Network, name: str, x: str, axis: int, stride: int = 1) -> str:
    """A convolution along an axis of images, of each feature alone where the kernel has one input."""
    graph, weight = net.graph, net.weight(f"{name}.weight")
    outputs, inputs, kernel = graph.shape_of(f"{net.before}{name}.weight")
    if (inputs, kernel) == (1, 1):
        return graph.op("Mul", x, weight)
    terms = [net.weight(f"{name}.bias")] if graph.has(f"{net.before}{name}.bias") else []
    weight = graph.unsqueeze(weight, 5 - axis)  # (outputs, inputs, kernel, 1) or (outputs, inputs, 1, kernel)
    pad = kernel // 2
    strides, pads = ([stride, 1], [pad, 0]) if axis == 2 else ([1, stride], [0, pad])
    group = outputs if inputs == 1 else 1
    return graph.op("Conv", x, weight, *terms, strides=strides, pads=pads * 2, group=group)


def _norm(net: Network, name: str, x: str, axis: int, eps: float) -> str:
    """A norm over all features and the steps along an axis of images."""
    graph = net.graph
    x = graph.op("Sub", x, _mean(net, x, axis))
    power = _mean(net, graph.op("Mul", x, x), axis)
    level = graph.op("Sqrt", graph.op("Add", power, graph.constant(eps)))
    x = graph.op("Mul", x, graph.op("Div", net.spread(f"{name}.weight"), level))
    return graph.op("Add", x, net.spread(f"{name}.bias"))


def _mean(net: Network, x: str, axis: int) -> str:
    """The mean over all features and the steps along an axis; one after the other, which the runtime does faster."""
    for along in (axis, 1):
        x = net.graph.op("ReduceMean", x, net.graph.constant([along]), keepdims=1)
    return x


def _token_norm(net: Network, name: str, x: str) -> str:
    """A norm over the features of each token."""
    terms = net.weight(f"{name}.weight"), net.weight(f"{name}.bias")
    return net.graph.op("LayerNormalization", x, *terms, epsilon=TOKEN_NORM_EPS)


def _activated(net: Network, x: str, slope: str) -> str:
    """x, below zero times a slope; the runtime's own PRelu takes three times as long."""
    graph = net.graph
    above = graph.op("Relu", x)
    return graph.op("Add", above, graph.op("Mul", graph.op("Sub", x, above), slope))


def _attention(net: Network, name: str, x: str) -> str:
    """Attention of each of the I to all, plus the tokens (B, I, O, D) themselves."""
    graph, g = net.graph, net.geometry
    tokens = graph.reshape(x, [-1, g.features])
    inner, outer = graph.size(x, 1), graph.size(x, 2)
    query, key, value = (
        _heads(net, f"{name}.{part}", tokens, (inner, outer), size)
        for part, size in (("query", g.query_features), ("key", g.query_features), ("value", g.value_features))
    )  # (B, H, I, O·E)
    size = graph.op("Cast", graph.size(query, 3), to=FLOAT)
    query = graph.op("Div", query, graph.op("Sqrt", size))
    weights = graph.op("Softmax", graph.op("MatMul", query, graph.transpose(key, 0, 1, 3, 2)), axis=-1)
    y = graph.reshape(graph.op("MatMul", weights, value), [0, 0, 0], outer, g.value_features)  # (B, H, I, O, E)
    y = graph.reshape(graph.transpose(y, 0, 2, 3, 1, 4), [-1, g.features])
    y = linear(graph, f"{net.before}{name}.out.linear", y)
    y = _token_norm(net, f"{name}.out", _activated(net, y, net.weight(f"{name}.out.slope")))
    return graph.op("Add", graph.reshape(y, net.batch, inner, outer, g.features), x)


def _heads(net: Network, name: str, tokens: str, sizes: tuple[str, str], size: int) -> str:
    """Queries, keys or values of all heads from tokens (B·I·O, D): (B, H, I, O·E)."""
    graph, heads = net.graph, net.geometry.heads
    y = graph.reshape(linear(graph, f"{net.before}{name}.linear", tokens), net.batch, *sizes, heads, size)
    y = _activated(net, y, graph.unsqueeze(net.weight(f"{name}.slope"), 1))
    y = graph.op("LayerNormalization", y, graph.constant(np.ones(size)), epsilon=TOKEN_NORM_EPS)
    y = graph.op("Add", graph.op("Mul", y, net.weight(f"{name}.weight")), net.weight(f"{name}.bias"))
    return graph.reshape(graph.transpose(y, 0, 3, 1, 2, 4), net.batch, heads, sizes[0], [-1])


def _masks(net: Network, x: str, source: int | None) -> str:
    """Masks (B, S, 2, F, N) of all sources, or of one, from features (B, D, K, N)."""
    graph, g, bands = net.graph, net.geometry, []
    x = _activated(net, x, graph.unsqueeze(net.weight("masks.slope"), 1))
    split = graph.op("Split", x, axis=2, num_outputs=len(g.widths), outputs=len(g.widths))
    for k, width in enumerate(g.widths):
        name = f"masks.convs.{k}"
        weight = graph.unsqueeze(net.weight(f"{name}.weight"), 3)
        band = f"{split}.{k}" if k else split  # (B, D, 1, N)
        band = graph.op("Conv", band, weight, net.weight(f"{name}.bias"), group=g.sources)
        bands.append(graph.reshape(band, net.batch, 2, 2, g.sources, width, net.frames))
    both = graph.op("Concat", *bands, axis=4) if len(bands) > 1 else bands[0]  # (B, 2, 2, S, F, N)
    value, gate = (graph.squeeze(graph.slice(both, i, i + 1, axis=1), 1) for i in range(2))
    masks = graph.op("Mul", value, graph.op("Sigmoid", gate))  # (B, 2, S, F, N)
    mean = graph.op("ReduceMean", masks, graph.constant([2]), keepdims=1)
    if source is not None:
        masks = graph.slice(masks, source, source + 1, axis=2)
    one = graph.unsqueeze(graph.constant(np.array([1 / g.sources, 0.0])), 1, 2, 3)
    return graph.transpose(graph.op("Add", graph.op("Sub", masks, mean), one), 0, 2, 1, 3, 4)
