"""The weights file and the graph of a CAM++: tensors, inputs and outputs, operators."""

from unbraid.models.campplus.config import CampplusConfig
from unbraid.models.operators import COMMON
from unbraid.models.shapes import Shapes, batch_norm, conv, conv_norm, linear, residual
from unbraid.models.signatures import Signature

OPERATORS = COMMON | {
    "AveragePool", "BatchNormalization", "Expand", "Gemm", "ReduceMean", "ReduceSum", "Relu", "Sigmoid", "Sqrt",
    "Squeeze", "Sub",
}  # fmt: skip


def tensor_shapes(g: CampplusConfig) -> Shapes:
    """Name and shape of every weight."""
    shapes = conv_norm("front.inlet", g.planes, 1, 3, 3) | conv_norm("front.outlet", g.planes, g.planes, 3, 3)
    for i, blocks in enumerate(g.front_blocks):
        for j in range(blocks):
            shapes |= residual(f"front.stages.{i}.{j}", g.planes, g.planes, shortcut=j == 0)
    shapes |= conv_norm("inlet", g.width, g.planes * (g.bins // g.halvings), g.kernel)
    channels = g.width
    for i, layers in enumerate(g.layers):
        for j in range(layers):
            shapes |= _layer(g, f"stages.{i}.layers.{j}", channels + j * g.growth)
        channels = g.grown[i] // 2
        shapes |= batch_norm(f"stages.{i}.norm", g.grown[i])
        shapes |= {f"stages.{i}.halve.weight": (channels, g.grown[i], 1)}
    return shapes | batch_norm("norm", channels) | linear("embedding", g.features, 2 * channels)


def signature(g: CampplusConfig, part: str = "model") -> Signature:
    """A batch of log-mel spectrograms of one length in, an embedding of each out."""
    return Signature({"levels": ["B", "N", g.bins]}, {"embedding": ["B", g.features]})


def _layer(g: CampplusConfig, name: str, channels: int) -> Shapes:
    """A densely connected layer, of so many channels."""
    shapes = batch_norm(f"{name}.norm", channels) | conv_norm(f"{name}.inlet", g.bottleneck, channels, 1)
    shapes |= {f"{name}.local.weight": (g.growth, g.bottleneck, g.block_kernel)}
    return shapes | conv(f"{name}.squeeze", g.squeezed, g.bottleneck, 1) | conv(f"{name}.mask", g.growth, g.squeezed, 1)
