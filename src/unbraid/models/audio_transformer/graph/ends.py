"""The front ends and back ends of an audio Transformer as ONNX nodes.

They equal the torch modules `network.text_ends`, `spectrogram_ends`, `wave_ends` and `pretrained_front`, which have the
equations. Lengths (B,) are in steps; padding is set to zero before every convolution, so that it has no influence.
"""

import math
from dataclasses import dataclass

import numpy as np

from unbraid.models.audio_transformer.config import (
    AudioTransformerConfig,
    PretrainedSide,
    SpectrogramSide,
    TextSide,
    WaveSide,
    source_name,
)
from unbraid.models.audio_transformer.layout import LOUDEST, POST_KERNEL, POST_LAYERS, QUIETEST, signature
from unbraid.models.onnx.builder import FLOAT, Graph
from unbraid.models.onnx.layers import inside, layer_norm, linear
from unbraid.models.quantize import ZERO
from unbraid.models.wav2vec2.graph import Backbone, backbone_tokens


@dataclass(frozen=True)
class Source:
    """The output of a front end."""

    tokens: str  # (B·N, D)
    batch: str  # B, a tensor of one element
    steps: str  # N, the same
    found: str | None = None  # w (B, E, N'), of a waveform's first convolution


def read(graph: Graph, geometry: AudioTransformerConfig) -> Source:
    """The features of the graph's source."""
    side, name = geometry.source, source_name(geometry.source)
    if isinstance(side, TextSide):
        batch, steps = graph.size(name, 0), graph.size(name, 1)
        return Source(embedded(graph, geometry, "front", graph.reshape(name, [-1])), batch, steps)
    if isinstance(side, PretrainedSide):
        tokens, shape = backbone_tokens(Backbone(graph, side.encoder, "front.trunk.", "lengths"), name)
        batch, steps = (graph.slice(shape, axis, axis + 1, axis=0) for axis in range(2))
        return Source(linear(graph, "front.project", tokens), batch, steps)
    if isinstance(side, SpectrogramSide):
        found, x = None, _read_spectrogram(graph, side, geometry.activation)  # (B, D, N)
    else:
        found = _analysed(graph, side)
        x = _read_waveform(graph, side, found)  # (B, E, N)
    tokens = graph.reshape(graph.transpose(x, 0, 2, 1), [-1, _width(geometry)])
    if isinstance(side, WaveSide):
        tokens = layer_norm(graph, f"front.norms.{len(side.strides) - 1}", tokens)
        if not geometry.alters and found:
            tokens = graph.op("Concat", tokens, _level(graph, side, found), axis=1)
        tokens = linear(graph, "front.project", tokens)
    return Source(tokens, graph.size(x, 0), graph.size(x, 2), found)


def embedded(graph: Graph, geometry: AudioTransformerConfig, side: str, symbols: str) -> str:
    """Symbols (M,) -> their rows of the table, times √D unless it is tied to the output: tokens (M, D)."""
    table = f"{side}.embedding.weight"
    if graph.has(f"{table}.scale"):
        blocks = graph.op("Cast", graph.op("Gather", graph.weight(table), symbols, axis=0), to=FLOAT)
        blocks = graph.op("Sub", blocks, graph.constant(float(ZERO)))  # (M, blocks, BLOCK)
        scale = graph.op("Gather", graph.weight(f"{table}.scale"), symbols, axis=0)  # (M, blocks)
        return graph.reshape(graph.op("Mul", blocks, graph.unsqueeze(scale, 2)), [-1, geometry.features])
    rows = graph.op("Gather", graph.weight(table), symbols, axis=0)
    return rows if geometry.tied else graph.op("Mul", rows, graph.constant(math.sqrt(geometry.features)))


def prenet(graph: Graph, frames: str) -> str:
    """The frames (B, r·F) that the decoder has written last, through the pre-net: tokens (B, D)."""
    for i in range(2):
        frames = graph.op("Relu", linear(graph, f"back.prenet.{i}", frames))
    return frames


def converted(graph: Graph, geometry: AudioTransformerConfig, source: Source, memory: str) -> str:
    """Aligned: log-mel (B, N·stride, F) or samples (B, N·stride), from the encoder's features (B·N, D)."""
    side = geometry.target
    if isinstance(side, SpectrogramSide):
        frames = graph.reshape(linear(graph, "back.frames", memory), source.batch, [-1, side.bins])
        return graph.op("Add", source_name(geometry.source), frames) if geometry.alters else frames
    assert isinstance(side, WaveSide)
    if geometry.alters:
        assert source.found
        masks = _channels(graph, source, graph.op("Sigmoid", linear(graph, "back.mask", memory)), side.filters)
        filters = graph.op("Mul", source.found, masks)  # (B, E, N)
    else:
        loudest = graph.constant(LOUDEST)
        amplitude = graph.op("Exp", graph.op("Min", linear(graph, "back.amplitude", memory), loudest))
        phase = graph.reshape(linear(graph, "back.phase", memory), source.batch, [-1, side.filters])
        phase = graph.reshape(graph.op("Add", phase, _turns(graph, side, source.steps)), [-1, side.filters])
        parts = [graph.op("Mul", amplitude, graph.op(kind, phase)) for kind in ("Cos", "Sin")]
        filters = _channels(graph, source, graph.op("Concat", *parts, axis=1), 2 * side.filters)
    (kernel,), (stride,) = side.kernels, side.strides
    pads = [(kernel - stride) // 2] * 2
    filters, weight = inside(graph, filters, "lengths"), graph.weight("back.decoder.weight")
    samples = graph.op("ConvTranspose", filters, weight, strides=[stride], pads=pads)  # (B, 1, N·stride)
    return graph.squeeze(samples, 1)


def post_graph(graph: Graph, geometry: AudioTransformerConfig) -> bytes:
    """The post-net: log_mel (B, N, F) -> refined (B, N, F)."""
    x = graph.transpose("log_mel", 0, 2, 1)
    for i in range(POST_LAYERS):
        x = _conv(graph, f"back.post.{i}", graph.op("Tanh", x) if i else x, 1, POST_KERNEL // 2)
    refined = graph.op("Add", "log_mel", graph.transpose(x, 0, 2, 1))
    return graph.model(signature(geometry, "post"), {"refined": refined})


def _width(geometry: AudioTransformerConfig) -> int:
    """Channels that come out of a front's convolutions."""
    return geometry.source.filters if isinstance(geometry.source, WaveSide) else geometry.features


def _read_spectrogram(graph: Graph, side: SpectrogramSide, activation: str) -> str:
    """Features (B, D, N) of log-mel (B, N·stride, F)."""
    left = side.stride  # frames in a step, from here on
    x = inside(graph, graph.transpose("log_mel", 0, 2, 1), "lengths", left)
    for i, stride in enumerate(side.strides):
        left //= stride
        x = _conv(graph, f"front.convs.{i}", graph.op("Relu", x) if i and activation == "relu" else x, stride, 1)
        x = inside(graph, graph.op("Gelu", x) if activation == "gelu" else x, "lengths", left)
    return x


def _analysed(graph: Graph, side: WaveSide) -> str:
    """The filter outputs of a waveform (B, N·stride): w (B, E, N')."""
    x = inside(graph, graph.unsqueeze("waveform", 1), "lengths", side.stride)
    pads = (side.kernels[0] - side.strides[0]) // 2
    return graph.op("Relu", _conv(graph, "front.convs.0", x, side.strides[0], pads))


def _read_waveform(graph: Graph, side: WaveSide, x: str) -> str:
    """The further convolutions over filter outputs: (B, E, N)."""
    left = side.stride // side.strides[0]  # steps of the convolution before in a step, from here on
    if len(side.strides) == 1:
        return inside(graph, x, "lengths")
    for i, (kernel, stride) in enumerate(zip(side.kernels[1:], side.strides[1:], strict=True), 1):
        normed = layer_norm(graph, f"front.norms.{i - 1}", graph.transpose(x, 0, 2, 1))
        x = inside(graph, graph.transpose(normed, 0, 2, 1), "lengths", left)
        x = graph.op("Relu", _conv(graph, f"front.convs.{i}", x, stride, (kernel - stride) // 2))
        left //= stride
    return x


def _level(graph: Graph, side: WaveSide, found: str) -> str:
    """log10 of the power of the filter outputs (B, E, N') at each step: tokens (B·N, 1)."""
    left = side.stride // side.strides[0]
    found = inside(graph, found, "lengths", left)
    power = graph.op("ReduceMean", graph.op("Mul", found, found), graph.constant([1]), keepdims=0)  # (B, N')
    power = graph.op("ReduceMean", graph.reshape(power, [-1, left]), graph.constant([1]), keepdims=1)  # (B·N, 1)
    logarithm = graph.op("Log", graph.op("Add", power, graph.constant(QUIETEST)))
    return graph.op("Mul", logarithm, graph.constant(1 / math.log(10)))


def _turns(graph: Graph, side: WaveSide, steps: str) -> str:
    """By how much the tone of each filter has turned at each step: (N, E)."""
    period = 2 * max(1, side.filters - 1)
    samples = graph.op("Mul", graph.unsqueeze(graph.steps(steps), 1), graph.constant([side.stride]))
    places = graph.op("Mul", samples, graph.constant(np.arange(side.filters)))
    places = graph.op("Cast", graph.op("Mod", places, graph.constant([period])), to=FLOAT)
    return graph.op("Mul", places, graph.constant(2 * math.pi / period))


def _conv(graph: Graph, name: str, x: str, stride: int, pads: int) -> str:
    bias = [graph.weight(f"{name}.bias")] if graph.has(f"{name}.bias") else []
    return graph.op("Conv", x, graph.weight(f"{name}.weight"), *bias, strides=[stride], pads=[pads, pads])


def _channels(graph: Graph, source: Source, x: str, width: int) -> str:
    """Tokens (B·N, E) as (B, E, N)."""
    return graph.transpose(graph.reshape(x, source.batch, [-1, width]), 0, 2, 1)
