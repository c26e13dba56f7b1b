"""The weights file and the graph of a SepFormer: tensors, inputs and outputs, operators."""

from unbraid.models.operators import COMMON, TRANSFORMER
from unbraid.models.sepformer.config import SepFormerConfig
from unbraid.models.shapes import Shapes, affine, encoder, linear
from unbraid.models.signatures import Signature

OPERATORS = COMMON | TRANSFORMER | {
    "ConvTranspose", "Cos", "DynamicQuantizeMatMul", "Mod", "PRelu", "Pad", "Relu", "Sigmoid", "Sin", "Tanh",
}  # fmt: skip


def tensor_shapes(g: SepFormerConfig) -> Shapes:
    """Name and shape of every weight."""
    d = g.features
    shapes: Shapes = {"encoder.weight": (d, 1, g.kernel_samples), "decoder.weight": (d, 1, g.kernel_samples)}
    shapes |= affine("masknet.norm", d)
    shapes |= {"masknet.inlet.weight": (d, d), "masknet.outlet.weight": (d, d), "masknet.prelu.weight": (1,)}
    shapes |= linear("masknet.split", d * g.sources, d)
    shapes |= linear("masknet.value", d, d) | linear("masknet.gate", d, d)
    for i in range(g.blocks):
        for half in ("intra", "inter"):
            shapes |= encoder(f"masknet.blocks.{i}.{half}", g.layers, g.features, g.hidden)
            shapes |= affine(f"masknet.blocks.{i}.{half}_norm", d)
    return shapes


def signature(g: SepFormerConfig, part: str = "model") -> Signature:
    """A batch of mixtures in, sources out."""
    return Signature({"mixture": ["B", "T"]}, {"sources": ["B", g.sources, "T"]})
