"""The weights file and the graph of a Conv-TasNet: tensors, inputs and outputs, operators."""

from unbraid.models.conv_tasnet.config import ConvTasNetConfig
from unbraid.models.operators import COMMON
from unbraid.models.shapes import Shapes, affine, conv
from unbraid.models.signatures import Signature

NORM_EPS = 1e-8
OPERATORS = COMMON | {"ConvTranspose", "PRelu", "Pad", "ReduceMean", "Relu", "Sigmoid", "Sqrt", "Sub"}


def tensor_shapes(g: ConvTasNetConfig) -> Shapes:
    """Name and shape of every weight."""
    filters = (g.features, 1, g.kernel_samples)
    shapes: Shapes = {"encoder.weight": filters, "decoder.weight": filters}
    shapes |= affine("inlet.0", g.features) | conv("inlet.1", g.bottleneck, g.features, 1)
    for i in range(last := g.repeats * g.blocks):
        block = f"blocks.{i}"
        shapes |= conv(f"{block}.inside.0", g.hidden, g.bottleneck, 1) | {f"{block}.inside.1.weight": (1,)}
        shapes |= affine(f"{block}.inside.2", g.hidden) | conv(f"{block}.inside.3", g.hidden, 1, g.kernel_frames)
        shapes |= {f"{block}.inside.4.weight": (1,)} | affine(f"{block}.inside.5", g.hidden)
        shapes |= conv(f"{block}.skip", g.skip, g.hidden, 1)
        if i < last - 1:
            shapes |= conv(f"{block}.residual", g.bottleneck, g.hidden, 1)
    return shapes | {"outlet.0.weight": (1,)} | conv("outlet.1", g.sources * g.features, g.skip, 1)


def signature(g: ConvTasNetConfig, part: str = "model") -> Signature:
    """A batch of mixtures in, sources out."""
    return Signature({"mixture": ["B", "T"]}, {"sources": ["B", g.sources, "T"]})
