"""The Conv-TasNet as an ONNX graph: mixture (B, T) -> sources (B, sources, T).

Features stay in front of frames, (B, D, N), as its convolutions take them.
"""

from unbraid.models.conv_tasnet.config import ConvTasNetConfig
from unbraid.models.conv_tasnet.layout import NORM_EPS, signature
from unbraid.models.onnx.builder import Graph, Tensors


def build(geometry: ConvTasNetConfig, tensors: Tensors, location: str, part: str = "model") -> bytes:
    """The graph of a geometry, pointing into a weights file that holds `tensors` (name: (dtype, shape))."""
    g, graph = geometry, Graph(tensors, location)
    batch, samples = graph.size("mixture", 0), graph.size("mixture", 1)
    stride = [g.kernel_samples // 2]
    w = graph.op("Conv", graph.unsqueeze("mixture", 1), graph.weight("encoder.weight"), strides=stride)
    w = graph.op("Relu", w)  # (B, features, N)
    x = _conv(graph, "inlet.1", _global_norm(graph, "inlet.0", w))
    total = ""
    for i in range(g.repeats * g.blocks):
        inside = _inside(graph, g, f"blocks.{i}.inside", x, dilation=2 ** (i % g.blocks))  # (B, H, N)
        skip = _conv(graph, f"blocks.{i}.skip", inside)
        total = graph.op("Add", total, skip) if total else skip
        if i < g.repeats * g.blocks - 1:
            x = graph.op("Add", x, _conv(graph, f"blocks.{i}.residual", inside))
    total = graph.op("PRelu", total, graph.weight("outlet.0.weight"))
    masks = graph.op("Sigmoid", _conv(graph, "outlet.1", total))  # (B, sources·features, N)
    frames = graph.size(w, 2)
    masks = graph.reshape(masks, batch, g.sources, g.features, frames)
    masked = graph.reshape(graph.op("Mul", masks, graph.unsqueeze(w, 1)), -1, g.features, frames)
    x = graph.op("ConvTranspose", masked, graph.weight("decoder.weight"), strides=stride)  # (B·sources, 1, ≤ T)
    x = graph.op("Pad", x, graph.vector([0] * 5, graph.op("Sub", samples, graph.size(x, 2))))
    return graph.model(signature(g), {"sources": graph.reshape(x, batch, g.sources, samples)})


def _inside(graph: Graph, g: ConvTasNetConfig, name: str, x: str, dilation: int) -> str:
    """1×1 convolution up and dilated depthwise convolution, each with PReLU and norm: (B, D, N) -> (B, H, N)."""
    x = graph.op("PRelu", _conv(graph, f"{name}.0", x), graph.weight(f"{name}.1.weight"))
    x = _global_norm(graph, f"{name}.2", x)
    reach = dilation * (g.kernel_frames - 1) // 2
    weights = graph.weight(f"{name}.3.weight"), graph.weight(f"{name}.3.bias")
    x = graph.op("Conv", x, *weights, group=g.hidden, dilations=[dilation], pads=[reach, reach])
    x = graph.op("PRelu", x, graph.weight(f"{name}.4.weight"))
    return _global_norm(graph, f"{name}.5", x)


def _conv(graph: Graph, name: str, x: str) -> str:
    """A 1×1 convolution with its bias."""
    return graph.op("Conv", x, graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias"))


def _global_norm(graph: Graph, name: str, x: str) -> str:
    """Normalise each item of x (B, D, N) over features and frames, then scale and shift each feature (gLN)."""
    centred = graph.op("Sub", x, _global_mean(graph, x))
    power = _global_mean(graph, graph.op("Mul", centred, centred))
    deviation = graph.op("Sqrt", graph.op("Add", power, graph.constant(NORM_EPS)))
    weight, bias = (graph.unsqueeze(graph.weight(f"{name}.{part}"), 1) for part in ("weight", "bias"))  # (D, 1)
    return graph.op("Add", graph.op("Mul", graph.op("Div", centred, deviation), weight), bias)


def _global_mean(graph: Graph, x: str) -> str:
    """Mean over frames and features, one axis at a time: a single long float32 sum would lose digits."""
    for axis in (2, 1):
        x = graph.op("ReduceMean", x, graph.constant([axis]), keepdims=1)
    return x
