"""Basic Pitch as an ONNX graph: audio (B, T) -> notes, onsets (B, N, P). It equals network.py, which has equations."""

import math

import numpy as np

from unbraid.models.basic_pitch.config import (
    BINS_PER_OCTAVE,
    BINS_PER_PITCH,
    HARMONIC_BINS,
    SMALLEST_POWER,
    SMALLEST_RANGE,
    BasicPitchConfig,
)
from unbraid.models.basic_pitch.layout import signature
from unbraid.models.onnx.builder import Graph, Tensors


def build(geometry: BasicPitchConfig, tensors: Tensors, location: str, part: str = "model") -> bytes:
    """The graph of a geometry, pointing into a weights file that holds `tensors` (name: (dtype, shape))."""
    graph, g = Graph(tensors, location), geometry
    x = _scaled(graph, graph.transpose(_power(graph, g), 0, 2, 1))  # (B, N, F)
    x = graph.op("Add", graph.op("Mul", x, graph.weight("norm.weight")), graph.weight("norm.bias"))
    h = _harmonics(graph, g, x)
    contour = _conv(graph, "contour_out", graph.op("Relu", _conv(graph, "contour", h)))
    note = graph.op("Relu", _conv(graph, "note", graph.op("Sigmoid", contour), BINS_PER_PITCH))
    notes = graph.op("Sigmoid", _conv(graph, "note_out", note))  # (B, 1, N, P)
    onset = graph.op("Concat", notes, graph.op("Relu", _conv(graph, "onset", h, BINS_PER_PITCH)), axis=1)
    onsets = graph.op("Sigmoid", _conv(graph, "onset_out", onset))
    return graph.model(signature(g), {"notes": graph.squeeze(notes, 1), "onsets": graph.squeeze(onsets, 1)})


def _power(graph: Graph, g: BasicPitchConfig) -> str:
    """The power of constant-Q bins (B, F, N)."""
    x, octaves, half = graph.unsqueeze("audio", 1), list[str](), g.kernel_samples // 2
    for i, length in enumerate(g.lengths):
        if i:
            x = graph.op("Conv", x, graph.weight("cqt.lowpass"), strides=[2], pads=[half - 1] * 2)
        before = graph.op("Gather", x, graph.constant(np.arange(half, 0, -1)), axis=2)
        after = graph.op("Gather", x, graph.constant(np.arange(length - 2, length - 2 - half, -1)), axis=2)
        around = graph.op("Concat", before, x, after, axis=2)  # reflected at the ends
        parts = (
            graph.op("Conv", around, graph.weight(f"cqt.{part}"), strides=[g.hop_samples >> i])
            for part in ("real", "imaginary")
        )
        octaves.append(graph.op("Add", *(graph.op("Mul", part, part) for part in parts)))
    joined = graph.op("Concat", *octaves[::-1], axis=1) if len(octaves) > 1 else octaves[0]
    count = g.octaves * BINS_PER_OCTAVE
    kept = graph.slice(joined, count - g.bins, count, axis=1)
    scale = graph.weight("cqt.scale")
    return graph.op("Mul", graph.op("Mul", kept, scale), scale)


def _scaled(graph: Graph, power: str) -> str:
    """Power (B, N, F) -> decibels between 0 and 1 over the window."""
    levels = graph.op("Log", graph.op("Add", power, graph.constant(SMALLEST_POWER)))
    levels = graph.op("Mul", levels, graph.constant(10 / math.log(10)))
    axes = graph.constant([1, 2])
    above = graph.op("Sub", levels, graph.op("ReduceMin", levels, axes, keepdims=1))
    most = graph.op("Max", graph.op("ReduceMax", above, axes, keepdims=1), graph.constant(SMALLEST_RANGE))
    return graph.op("Div", above, most)


def _harmonics(graph: Graph, g: BasicPitchConfig, x: str) -> str:
    """Bins (B, N, F) -> copies shifted by each harmonic (B, harmonics, N, 3 P)."""
    kept, lowest = BINS_PER_PITCH * g.pitches, -HARMONIC_BINS[0]
    beyond = max(0, kept + HARMONIC_BINS[-1] - g.bins)
    padded = graph.op("Pad", graph.unsqueeze(x, 1), graph.constant([0, 0, 0, lowest, 0, 0, 0, beyond]))
    starts = (lowest + shift for shift in HARMONIC_BINS)
    return graph.op("Concat", *(graph.slice(padded, start, start + kept, axis=3) for start in starts), axis=1)


def _conv(graph: Graph, name: str, x: str, stride: int = 1) -> str:
    """A convolution over frames and bins that keeps both, or with a stride every third bin, from its middle on."""
    frames, bins = graph.shape_of(f"{name}.weight")[2:]
    pads = [frames // 2, (bins - stride) // 2] * 2
    weights = (graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias"))
    return graph.op("Conv", x, *weights, strides=[1, stride], pads=pads)
