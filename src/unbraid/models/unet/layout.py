"""The weights file and the graph of a set of U-Nets: tensors, inputs and outputs, operators."""

from unbraid.models.operators import COMMON
from unbraid.models.shapes import Shapes, batch_norm, linear
from unbraid.models.signatures import Axes, Signature
from unbraid.models.unet.config import UNetConfig, across_width

NORM_EPS = 1e-3
OPERATORS = COMMON | {
    "BatchNormalization", "ConvTranspose", "Elu", "Exp", "LeakyRelu", "Neg", "Relu", "Softmax",
}  # fmt: skip


def tensor_shapes(g: UNetConfig) -> Shapes:
    """Name and shape of every weight."""
    shapes: Shapes = {}
    outputs = (*g.filters[-2::-1], g.planes)
    masks = g.channels * g.stems // g.nets
    for k in range(g.nets):
        for i, (inner, outer) in enumerate(zip((g.inputs, *g.filters[:-1]), g.filters, strict=True)):
            shapes |= {f"nets.{k}.down.{i}.weight": (outer, inner, 5, 5), f"nets.{k}.down.{i}.bias": (outer,)}
            if i < len(g.filters) - 1:
                shapes |= batch_norm(f"nets.{k}.down_norm.{i}", outer)
                shapes |= _across_bins(f"nets.{k}.down_across.{i}", outer, g.bins >> i + 1)
        for i, out in enumerate(outputs):
            inputs = g.filters[-1] if i == 0 else 2 * outputs[i - 1]
            shapes |= {f"nets.{k}.up.{i}.weight": (inputs, out, 5, 5), f"nets.{k}.up.{i}.bias": (out,)}
            shapes |= batch_norm(f"nets.{k}.up_norm.{i}", out)
            shapes |= _across_bins(f"nets.{k}.up_across.{i}", out, g.bins >> len(outputs) - 1 - i)
        shapes |= {f"nets.{k}.last.weight": (masks, g.planes, 4, 4), f"nets.{k}.last.bias": (masks,)}
    return shapes


def signature(g: UNetConfig, part: str = "model") -> Signature:
    """Magnitudes of the mixture in, of the stems out."""
    stems: Axes = ["B", g.stems, g.channels, "N", "F"]
    return Signature({"magnitude": ["B", g.inputs, "N", "F"]}, {"magnitudes": stems})


def _across_bins(name: str, planes: int, bins: int) -> Shapes:
    if not bins:
        return {}
    width = across_width(bins)
    shapes = {f"{name}.squeeze.weight": (width, bins)} | batch_norm(f"{name}.norm", planes)
    return shapes | linear(f"{name}.widen", bins, width)
