"""The weights file and the graph of a RE-SepFormer: tensors, inputs and outputs, operators."""

from unbraid.models.operators import COMMON, TRANSFORMER
from unbraid.models.resepformer.config import ResepformerConfig
from unbraid.models.shapes import Shapes, affine, encoder, linear
from unbraid.models.signatures import Signature

GLOBAL_NORM_EPS = 2.0**-23  # the published one: float32's resolution
OPERATORS = COMMON | TRANSFORMER | {
    "ConvTranspose", "Cos", "DynamicQuantizeMatMul", "Mod", "PRelu", "Pad", "Relu", "Sin",
}  # fmt: skip


def tensor_shapes(g: ResepformerConfig) -> Shapes:
    """Name and shape of every weight."""
    d = g.features
    shapes: Shapes = {"encoder.weight": (d, 1, g.kernel_samples), "decoder.weight": (d, 1, g.kernel_samples)}
    shapes |= {"masknet.prelu.weight": (1,)} | linear("masknet.split", d * g.sources, d)
    names = [f"masknet.within.{i}" for i in range(g.blocks)] + [f"masknet.across.{i}" for i in range(g.blocks - 1)]
    for name in names:
        shapes |= encoder(f"{name}.transformer", g.layers, d, g.hidden) | affine(f"{name}.norm", d)
    return shapes


def signature(g: ResepformerConfig, part: str = "model") -> Signature:
    """A batch of mixtures in, sources out."""
    return Signature({"mixture": ["B", "T"]}, {"sources": ["B", g.sources, "T"]})
