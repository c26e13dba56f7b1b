"""The U-Nets as an ONNX graph: magnitude (B, inputs, N, F) -> magnitudes (B, stems, C, N, F).

The published padding, one before and two after at every stride of two, is an attribute of the convolutions here,
both ways: nothing is padded or cut by nodes of its own. Transposed convolutions are written as the plain ones they
are made of, which the runtime does at twice the speed (the whole network gains a fifth).
"""

from unbraid.models.onnx.builder import Graph, Tensors
from unbraid.models.unet.config import UNetConfig
from unbraid.models.unet.layout import NORM_EPS, signature

UNEVEN = [1, 1, 2, 2]  # before (frames, bins), after (frames, bins)


def build(geometry: UNetConfig, tensors: Tensors, location: str, part: str = "model") -> bytes:
    """The graph of a geometry, pointing into a weights file that holds `tensors` (name: (dtype, shape))."""
    graph = Graph(tensors, location)
    nets = [_net(graph, geometry, f"nets.{k}") for k in range(geometry.nets)]
    if geometry.trunk == "own":
        logits = graph.op("Concat", *(graph.unsqueeze(net, 1) for net in nets), axis=1)
    else:
        lengths = (graph.size("magnitude", axis) for axis in (2, 3))
        logits = graph.reshape(nets[0], [0, geometry.stems, geometry.channels], *lengths)
    heard = graph.slice("magnitude", 0, geometry.channels, 1) if geometry.side else "magnitude"  # (B, C, N, F)
    magnitude = graph.unsqueeze(heard, 1)
    if geometry.output == "softmax":
        magnitudes = graph.op("Mul", graph.op("Softmax", logits, axis=1), magnitude)
    else:  # the runtime's Sigmoid has no digits left below 1e-6, where ratios of stems are still heard
        odds = graph.op("Exp", graph.op("Neg", logits))
        magnitudes = graph.op("Div", magnitude, graph.op("Add", graph.constant(1.0), odds))
    return graph.model(signature(geometry), {"magnitudes": magnitudes})


def _net(graph: Graph, g: UNetConfig, name: str) -> str:
    """A network's mask logits (B, masks, N, F)."""
    x, skips = "magnitude", []
    for i in range(len(g.filters)):
        x = graph.op("Conv", x, *_kernel(graph, f"{name}.down.{i}"), strides=[2, 2], pads=UNEVEN)
        if i < len(g.filters) - 1:
            skips.append(x)
            x = _activate(graph, g.encoder_activation, _norm(graph, f"{name}.down_norm.{i}", x))
            x = _across(graph, f"{name}.down_across.{i}", x, g.encoder_activation)
    for i in range(len(g.filters)):
        if i < len(g.filters) - 1 or g.planes > 1:
            x = _up(graph, x, f"{name}.up.{i}")
        else:  # one channel: plain convolutions are done sixteen at a time
            x = graph.op("ConvTranspose", x, *_kernel(graph, f"{name}.up.{i}"), strides=[2, 2], pads=UNEVEN)
        x = _norm(graph, f"{name}.up_norm.{i}", _activate(graph, g.decoder_activation, x))
        x = _across(graph, f"{name}.up_across.{i}", x, g.decoder_activation)
        if skips:
            x = graph.op("Concat", skips.pop(), x, axis=1)
    return graph.op("Conv", x, *_kernel(graph, f"{name}.last"), pads=[3, 3, 3, 3], dilations=[2, 2])


def _up(graph: Graph, x: str, name: str) -> str:
    """A transposed 5×5 convolution of stride two, (B, D, N, F) -> (B, D', 2N, 2F), as four plain ones woven together.

    Its output at 2m + p takes input m + d through tap k = p + 1 - 2d: taps 3, 1 where p is even, 4, 2, 0 where odd.
    So each parity of (frame, bin) is a convolution of its own, of 2 or 3 taps an axis.
    """
    weight = graph.transpose(graph.weight(f"{name}.weight"), 1, 0, 2, 3)  # (D', D, 5, 5)
    axes, ends, steps = graph.constant([2, 3]), graph.constant([-6, -6]), graph.constant([-2, -2])
    rows = []
    for row in (0, 1):
        columns = []
        for column in (0, 1):
            taps = graph.op("Slice", weight, graph.constant([3 + row, 3 + column]), ends, axes, steps)
            phase = graph.op("Conv", x, taps, graph.weight(f"{name}.bias"), pads=[1, 1, row, column])  # (B, D', N, F)
            columns.append(graph.unsqueeze(phase, 4))
        rows.append(graph.reshape(graph.op("Concat", *columns, axis=4), [0, 0, 0, -1]))  # (B, D', N, 2F)
    shape = graph.vector([0, 0, -1], graph.size(rows[0], 3))
    return graph.reshape(graph.op("Concat", *rows, axis=3), shape)  # (B, D', 2N, 2F)


def _kernel(graph: Graph, name: str) -> tuple[str, str]:
    return graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias")


def _norm(graph: Graph, name: str, x: str) -> str:
    statistics = (graph.weight(f"{name}.{part}") for part in ("weight", "bias", "running_mean", "running_var"))
    return graph.op("BatchNormalization", x, *statistics, epsilon=NORM_EPS)


def _across(graph: Graph, name: str, x: str, activation: str) -> str:
    """x (B, D, N, F) plus its layer across all bins, if the network has one."""
    if not graph.has(f"{name}.squeeze.weight"):
        return x
    squeeze, widen = (graph.transpose(graph.weight(f"{name}.{part}.weight"), 1, 0) for part in ("squeeze", "widen"))
    middle = _activate(graph, activation, _norm(graph, f"{name}.norm", graph.op("MatMul", x, squeeze)))
    added = graph.op("Add", graph.op("MatMul", middle, widen), graph.weight(f"{name}.widen.bias"))
    return graph.op("Add", x, added)


def _activate(graph: Graph, kind: str, x: str) -> str:
    if kind == "leaky_relu":
        return graph.op("LeakyRelu", x, alpha=0.2)
    return graph.op({"relu": "Relu", "elu": "Elu"}[kind], x)
