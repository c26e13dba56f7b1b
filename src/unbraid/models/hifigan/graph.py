"""HiFi-GAN as an ONNX graph: log_mel (B, N, F) -> waveform (B, N·hop); network.py has the equations."""

from unbraid.models.hifigan.config import ENDS_KERNEL, HifiganConfig
from unbraid.models.hifigan.layout import LAST_SLOPE, signature
from unbraid.models.onnx.builder import Graph, Tensors
from unbraid.models.onnx.layers import reflected


def build(geometry: HifiganConfig, tensors: Tensors, location: str, part: str = "model") -> bytes:
    """The graph of a geometry, pointing into a weights file that holds `tensors` (name: (dtype, shape))."""
    graph, g = Graph(tensors, location), geometry
    centred = graph.op("Sub", "log_mel", graph.weight("mean"))
    x = graph.transpose(graph.op("Div", centred, graph.weight("scale")), 0, 2, 1)
    h = _kept(graph, g, "inlet", x, ENDS_KERNEL)  # (B, C, N)
    for i, (kernel, stride) in enumerate(zip(g.kernels, g.strides, strict=True)):
        weights = (graph.weight(f"stages.{i}.up.{kind}") for kind in ("weight", "bias"))
        pads = [(kernel - stride) // 2] * 2
        h = graph.op("ConvTranspose", _leaky(graph, h, g.slope), *weights, strides=[stride], pads=pads)
        found = [_block(graph, g, f"stages.{i}.blocks.{j}", h, size) for j, size in enumerate(g.block_kernels)]
        h = found[0]
        for other in found[1:]:
            h = graph.op("Add", h, other)
        h = graph.op("Div", h, graph.constant(float(len(found))))
    samples = graph.op("Tanh", _kept(graph, g, "outlet", _leaky(graph, h, LAST_SLOPE), ENDS_KERNEL))  # (B, 1, N·hop)
    return graph.model(signature(g), {"waveform": graph.squeeze(samples, 1)})


def _block(graph: Graph, g: HifiganConfig, name: str, h: str, kernel: int) -> str:
    """(B, C, N) -> (B, C, N)."""
    for k, dilation in enumerate(g.dilations):
        y = _kept(graph, g, f"{name}.wide.{k}", _leaky(graph, h, g.slope), kernel, dilation)
        h = graph.op("Add", h, _kept(graph, g, f"{name}.near.{k}", _leaky(graph, y, g.slope), kernel))
    return h


def _leaky(graph: Graph, x: str, slope: float) -> str:
    return graph.op("LeakyRelu", x, alpha=float(slope))


def _kept(graph: Graph, g: HifiganConfig, name: str, x: str, kernel: int, dilation: int = 1) -> str:
    """A convolution that keeps the length."""
    margin = dilation * (kernel // 2)
    pads = [0, 0] if g.padding == "reflect" else [margin, margin]
    x = reflected(graph, x, margin) if g.padding == "reflect" and margin else x
    weights = graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias")
    return graph.op("Conv", x, *weights, dilations=[dilation], pads=pads)
