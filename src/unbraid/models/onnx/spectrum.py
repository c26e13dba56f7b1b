"""A short-time spectrum of frames that overlap by half, as ONNX nodes; equals `models.layers.spectrum`."""

import math

import numpy as np

from unbraid.models.onnx.builder import FLOAT, Graph


def frames_of(graph: Graph, halves: str, last: str) -> str:
    """Each hop with the one after it: (B, N + 1, hop) -> (B, N, 2·hop); `last` is N, a tensor of one element."""
    return graph.op("Concat", graph.slice(halves, 0, last, 1), graph.slice(halves, 1, 2**62, 1), axis=2)


def bases(graph: Graph, halves: str, size: int) -> tuple[str, str]:
    """Frames times the first (frame, 2F) are spectra, and spectra times the second (2F, frame) are frames.

    Counted from the width of the halves (B, N + 1, hop), so that no node has constants alone, which `graph_check`
    refuses.
    """
    bins = np.arange(size // 2)
    end = graph.op("Mul", graph.size(halves, 2), graph.constant([2]))
    samples = graph.unsqueeze(graph.steps(end), 1)  # (frame, 1)
    turns = graph.op("Mod", graph.op("Mul", samples, graph.constant(bins)), graph.constant([size]))
    angle = graph.op("Mul", graph.op("Cast", turns, to=FLOAT), graph.constant(2 * math.pi / size))  # (frame, F)
    parts = graph.op("Concat", graph.op("Cos", angle), graph.op("Neg", graph.op("Sin", angle)), axis=1)
    half_turns = graph.op("Mul", graph.op("Cast", samples, to=FLOAT), graph.constant(math.pi / size))
    analysis = graph.op("Mul", parts, graph.op("Sin", half_turns))  # the root of a Hann window
    weight = np.where(bins == 0, 1 / size, 2 / size)
    both = graph.constant(np.concatenate((weight, weight))[:, None])
    return analysis, graph.op("Mul", graph.transpose(analysis, 1, 0), both)


def overlapped(graph: Graph, frames: str, hop: int) -> str:
    """Frames (B, S, N, 2·hop) that overlap by half, added up: (B, S, N + 1, hop)."""
    first, second = (graph.slice(frames, i * hop, (i + 1) * hop, 3) for i in range(2))
    first = graph.op("Pad", first, graph.constant([0, 0, 0, 0, 0, 0, 1, 0]))
    second = graph.op("Pad", second, graph.constant([0, 0, 1, 0, 0, 0, 0, 0]))
    return graph.op("Add", first, second)


def filter_parts(graph: Graph, filters: str, taps: int) -> tuple[str, str, str]:
    """The gates (B, S, N, F), real and imaginary parts (B, S, taps, N, F) of filters (B, S, 1 + 2·taps, N, F)."""
    gate = graph.op("Sigmoid", graph.squeeze(graph.slice(filters, 0, 1, 2), 2))
    real, imaginary = (graph.slice(filters, 1 + i * taps, 1 + (i + 1) * taps, 2) for i in range(2))
    return gate, real, imaginary


def filtered(graph: Graph, parts: tuple[str, str, str], near: list[str], bins: int) -> str:
    """Each bin as a sum over neighbouring frames (B, N, 2F), one for each tap, times a gate: (B, S, N, 2F)."""
    gate, real, imaginary = parts
    stacked = graph.op("Concat", *(graph.unsqueeze(n, 1, 2) for n in near), axis=2)
    x, y = (graph.slice(stacked, i * bins, (i + 1) * bins, 4) for i in range(2))  # (B, 1, taps, N, F)
    products = (
        graph.op("Sub", graph.op("Mul", real, x), graph.op("Mul", imaginary, y)),
        graph.op("Add", graph.op("Mul", real, y), graph.op("Mul", imaginary, x)),
    )
    sums = (graph.op("ReduceSum", product, graph.constant([2]), keepdims=0) for product in products)
    return graph.op("Concat", *(graph.op("Mul", part, gate) for part in sums), axis=3)


def silu(graph: Graph, x: str) -> str:
    """x · sigmoid(x)."""
    return graph.op("Mul", x, graph.op("Sigmoid", x))
