"""A Hybrid Transformer Demucs as an ONNX graph, which equals `network.py`.

Features are (B, C, F, N) in both branches. Every size but B is a constant. The norms of residual layers are written as
two means and one product for each feature: 96 features of 86 000 steps are too many for the operators that the runtime
has for them, which take the steps of an item in one thread.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unbraid.models.htdemucs.config import KERNEL, STRIDE, HtdemucsConfig
from unbraid.models.htdemucs.layout import (
    BRANCHES,
    LEVEL_EPS,
    NORM_EPS,
    RESIDUAL_KERNEL,
    REWRITE_KERNELS,
    along,
    is_cross,
    prefix,
    signature,
)
from unbraid.models.onnx.builder import CONTRIB, FLOAT, Graph, Tensors
from unbraid.models.onnx.layers import attention_out, feed_forward, layer_norm, linear, positions, product

PAD = (KERNEL - STRIDE) // 2
Size = tuple[int, int]  # bins and steps
Level = tuple[str, str, str]  # x with mean 0 and a level of 1, and the mean and the level that it had


@dataclass(frozen=True)
class Branch:
    """One of the two U-Nets in the making."""

    graph: Graph
    geometry: HtdemucsConfig
    kind: str
    name: str  # of its tensors

    @property
    def sizes(self) -> list[Size]:
        """Bins and steps in front of each level, and behind the last."""
        g = self.geometry
        if self.kind == "temporal":
            return [(1, length) for length in g.lengths]
        return [(g.bins // STRIDE**level, g.frames) for level in range(g.levels + 1)]

    @property
    def tokens(self) -> int:
        """Tokens of the Transformer."""
        return math.prod(self.sizes[-1])


def build(geometry: HtdemucsConfig, tensors: Tensors, location: str, part: str = "model") -> bytes:
    """The graph of a part, pointing into a weights file that holds `tensors` (name: (dtype, shape))."""
    g, graph, start = geometry, Graph(tensors, location), prefix(geometry, part)
    spectral, temporal = (Branch(graph, g, kind, f"{start}{kind}") for kind in BRANCHES)
    s, s_mean, s_level = _levelled(graph, "spectrum", 2 * g.channels * g.bins * g.frames)
    wave = graph.unsqueeze("mixture", 2)  # (B, C, 1, T)
    t, t_mean, t_level = _levelled(graph, wave, g.channels * g.segment_samples)
    s_levels = _down(spectral, s, graph.weight(f"{start}frequencies"))
    t_levels = _down(temporal, t, "")
    s, t = _tokens(spectral, s_levels[-1]), _tokens(temporal, t_levels[-1])
    for i in range(g.layers):
        s, t = _layer(spectral, temporal, i, s, t), _layer(temporal, spectral, i, t, s)
    s, t = _up(spectral, s, s_levels), _up(temporal, t, t_levels)
    s = graph.op("Add", graph.op("Mul", s, s_level), s_mean)
    t = graph.squeeze(graph.op("Add", graph.op("Mul", t, t_level), t_mean), 2)
    return graph.model(signature(g, part), {"waves": t, "spectra": s})


def _means(graph: Graph, x: str, *axes: int) -> str:
    """The mean over some axes, one after the other, which is more exact than one long sum."""
    for axis in axes:
        x = graph.op("ReduceMean", x, graph.constant([axis]), keepdims=1)
    return x


def _deviation(graph: Graph, x: str, axes: tuple[int, ...]) -> tuple[str, str, str]:
    """x minus its mean over some axes, that mean, and the variance."""
    mean = _means(graph, x, *axes)
    centred = graph.op("Sub", x, mean)
    return centred, mean, _means(graph, graph.op("Mul", centred, centred), *axes)


def _levelled(graph: Graph, x: str, numbers: int) -> Level:
    """x (B, C, F, N) with mean 0 and a level of 1, the root of the unbiased variance of all its numbers."""
    centred, mean, variance = _deviation(graph, x, (3, 2, 1))
    level = graph.op("Sqrt", graph.op("Mul", variance, graph.constant(numbers / (numbers - 1))))
    return graph.op("Div", centred, graph.op("Add", level, graph.constant(LEVEL_EPS))), mean, level


def _down(branch: Branch, x: str, frequencies: str) -> list[str]:
    """The features of each level."""
    graph = branch.graph
    levels: list[str] = []
    for i, ((_, steps), width) in enumerate(zip(branch.sizes, branch.geometry.widths, strict=False)):
        name = f"{branch.name}.encoder.{i}"
        missing = -steps % STRIDE if branch.kind == "temporal" else 0
        first, last = along(branch.kind, PAD, 0), along(branch.kind, PAD + missing, 0)
        x = _conv(graph, f"{name}.conv", x, pads=(*first, *last), strides=along(branch.kind, STRIDE))
        x = _residuals(graph, name, graph.op("Gelu", x), width, branch.geometry.residual_layers)
        x = _gated(graph, _conv(graph, f"{name}.rewrite", x))
        x = graph.op("Add", x, frequencies) if frequencies and not levels else x
        levels.append(x)
    return levels


def _up(branch: Branch, tokens: str, levels: list[str]) -> str:
    """Tokens (B·N·F, D) and the features of each level -> (B, outputs, F, N) of the input's size."""
    graph, g = branch.graph, branch.geometry
    bins, steps = branch.sizes[-1]
    x = linear(graph, f"{branch.name}.outlet", tokens) if g.bottom else tokens
    x = graph.transpose(graph.reshape(x, [-1, steps, bins, g.widths[-1]]), 0, 3, 2, 1)
    for i, skip in enumerate(reversed(levels)):
        name, level = f"{branch.name}.decoder.{i}", g.levels - 1 - i
        margin = [n // 2 for n in REWRITE_KERNELS[branch.kind]]
        x = _gated(graph, _conv(graph, f"{name}.rewrite", graph.op("Add", x, skip), pads=margin * 2))
        if g.decoder_residuals:
            x = _residuals(graph, name, x, g.widths[level], g.residual_layers)
        have, wanted = (branch.sizes[n][branch.kind == "temporal"] for n in (level + 1, level))
        surplus = (have - 1) * STRIDE + KERNEL - PAD - wanted
        x = graph.op(
            "ConvTranspose",
            x,
            graph.weight(f"{name}.conv.weight"),
            graph.weight(f"{name}.conv.bias"),
            pads=[*along(branch.kind, PAD, 0), *along(branch.kind, surplus, 0)],
            strides=list(along(branch.kind, STRIDE)),
        )
        x = graph.op("Gelu", x) if level else x
    return x


def _conv(
    graph: Graph, name: str, x: str, pads: Sequence[int] = (), strides: Size = (1, 1), dilations: Size = (1, 1)
) -> str:
    """A convolution; `pads` are bins and steps in front, then behind."""
    weights, around = (graph.weight(f"{name}.{part}") for part in ("weight", "bias")), list(pads) or [0] * 4
    return graph.op("Conv", x, *weights, pads=around, strides=list(strides), dilations=list(dilations))


def _gated(graph: Graph, x: str) -> str:
    """The first half of the features times the sigmoid of the second."""
    value = graph.op("Split", x, axis=1, num_outputs=2, outputs=2)
    return graph.op("Mul", value, graph.op("Sigmoid", f"{value}.1"))


def _residuals(graph: Graph, level: str, x: str, width: int, layers: int) -> str:
    """Residual layers with dilations 1, 2, 4, …"""
    for i in range(layers):
        name, dilation = f"{level}.residuals.{i}", 2**i
        margin = dilation * (RESIDUAL_KERNEL // 2)
        y = _conv(graph, f"{name}.squeeze", x, pads=(0, margin, 0, margin), dilations=(1, dilation))
        y = graph.op("Gelu", _norm(graph, f"{name}.squeeze_norm", y))
        y = _norm(graph, f"{name}.expand_norm", _conv(graph, f"{name}.expand", y))
        x = graph.op("Add", x, _gated(graph, y))
    return x


def _norm(graph: Graph, name: str, x: str) -> str:
    """(B, C, F, N) with mean 0 and variance 1 over features and steps of each bin, then an affine map."""
    centred, _, variance = _deviation(graph, x, (3, 1))
    level = graph.op("Sqrt", graph.op("Add", variance, graph.constant(NORM_EPS)))  # (B, 1, F, 1)
    weight, bias = (graph.unsqueeze(graph.weight(f"{name}.{part}"), 1, 2) for part in ("weight", "bias"))
    return graph.op("Add", graph.op("Mul", centred, graph.op("Div", weight, level)), bias)


def _tokens(branch: Branch, x: str) -> str:
    """Features (B, C, F, N) -> tokens (B·N·F, D) with their positions."""
    graph, g = branch.graph, branch.geometry
    bins, steps = branch.sizes[-1]
    y = graph.reshape(graph.transpose(x, 0, 3, 2, 1), [-1, g.widths[-1]])
    y = linear(graph, f"{branch.name}.inlet", y) if g.bottom else y
    y = layer_norm(graph, f"{branch.name}.norm", y, NORM_EPS)
    if branch.kind == "temporal":
        places = _positions_1d(graph, graph.size(x, 3), g.inner)  # (N, D)
        return graph.reshape(graph.op("Add", graph.reshape(y, [-1, steps, g.inner]), places), [-1, g.inner])
    half = g.inner // 2
    over_time = graph.unsqueeze(positions(graph, graph.size(x, 3), half), 1)  # (N, 1, D/2)
    over_bins = positions(graph, graph.size(x, 2), half)  # (F, D/2)
    y = graph.reshape(y, [-1, steps, bins, 2, half])
    first = graph.op("Add", graph.slice(y, 0, 1, axis=3), graph.unsqueeze(over_time, 1))  # (N, 1, 1, D/2)
    second = graph.op("Add", graph.slice(y, 1, 2, axis=3), graph.unsqueeze(over_bins, 1))  # (F, 1, D/2)
    return graph.reshape(graph.op("Concat", first, second, axis=3), [-1, g.inner])


def _positions_1d(graph: Graph, end: str, features: int) -> str:
    """(N, D): cosines, then sines."""
    half = features // 2
    periods = 10000 ** (np.arange(half, dtype=np.float32) / np.float32(half - 1))
    step = graph.unsqueeze(graph.op("Cast", graph.steps(end), to=FLOAT), 1)  # (N, 1)
    angle = graph.op("Div", step, graph.constant(periods.astype(np.float32)))
    return graph.op("Concat", graph.op("Cos", angle), graph.op("Sin", angle), axis=1)


def _layer(branch: Branch, other: Branch, number: int, x: str, memory: str) -> str:
    """A layer of the Transformer: tokens (B·M, D) of a branch and those (B·N, D) of the other one -> (B·M, D)."""
    graph, features, layer = branch.graph, branch.geometry.inner, f"{branch.name}.layers.{number}"
    h = layer_norm(graph, f"{layer}.attention_norm", x, NORM_EPS)
    asked, steps = h, branch.tokens
    if is_cross(number):
        asked, steps = layer_norm(graph, f"{layer}.memory_norm", memory, NORM_EPS), other.tokens
    inputs = ((h, branch.tokens), (asked, steps), (asked, steps))
    q, k, v = (
        graph.reshape(product(graph, f"{layer}.attention.in_proj", tokens, third=third), [-1, count, features])
        for third, (tokens, count) in enumerate(inputs)
    )
    bias = graph.weight(f"{layer}.attention.in_proj.bias")
    y = graph.op("MultiHeadAttention", q, k, v, bias, domain=CONTRIB, num_heads=branch.geometry.heads)
    x = attention_out(graph, f"{layer}.attention", x, y)
    x = feed_forward(graph, layer, x, "gelu", NORM_EPS)
    return _token_norm(graph, f"{layer}.norm", graph.reshape(x, [-1, branch.tokens, features]), features)


def _token_norm(graph: Graph, name: str, x: str, features: int) -> str:
    """Tokens (B, N, D) with mean 0 and variance 1 over all of an item, then an affine map: (B·N, D)."""
    centred, _, variance = _deviation(graph, x, (2, 1))
    level = graph.op("Sqrt", graph.op("Add", variance, graph.constant(NORM_EPS)))
    scaled = graph.op("Mul", centred, graph.op("Div", graph.weight(f"{name}.weight"), level))
    return graph.reshape(graph.op("Add", scaled, graph.weight(f"{name}.bias")), [-1, features])
