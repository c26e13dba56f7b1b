"""The weights file and the graph of a RoFormer: tensors, inputs and outputs, operators."""

from itertools import pairwise

from unbraid.models.operators import COMMON
from unbraid.models.roformer.config import RoformerConfig
from unbraid.models.shapes import Shapes, linear
from unbraid.models.signatures import Signature

SMALLEST = 1e-12  # length of a vector that norms divide by, at least
OPERATORS = COMMON | {
    "BiasGelu", "Cos", "DynamicQuantizeMatMul", "Gemm", "MultiHeadAttention", "Range", "RotaryEmbedding", "Sigmoid",
    "SimplifiedLayerNormalization", "Sin", "Split", "Squeeze", "Tanh",
}  # fmt: skip


def tensor_shapes(g: RoformerConfig) -> Shapes:
    """Name and shape of every weight."""
    shapes: Shapes = {f"rotary.{axis}": (g.head_features // 2,) for axis in ("time", "bands")}
    for k, (first, end) in enumerate(g.spans):
        size = (end - first) * g.bin_numbers
        shapes |= {f"inlet.{k}.norm.weight": (size,)} | linear(f"inlet.{k}.linear", g.features, size)
        for s in range(g.stems):
            widths = (g.features, *[g.mask_hidden] * g.mask_layers, 2 * size)
            for i, (inputs, outputs) in enumerate(pairwise(widths)):
                shapes |= linear(f"masks.{s}.{k}.{i}", outputs, inputs)
    for i in range(g.blocks):
        for axis, layers in (("time", g.time_layers), ("bands", g.band_layers)):
            for j in range(layers):
                shapes |= _layer(g, f"blocks.{i}.{axis}.layers.{j}")
            if g.block_norm:
                shapes[f"blocks.{i}.{axis}.norm.weight"] = (g.features,)
    return shapes | ({"norm.weight": (g.features,)} if g.final_norm else {})


def _layer(g: RoformerConfig, layer: str) -> Shapes:
    """One layer of a Transformer."""
    shapes: Shapes = {
        f"{layer}.attention_norm.weight": (g.features,),
        f"{layer}.attention.in_proj.weight": (3 * g.inner, g.features),
        f"{layer}.attention.out_proj.weight": (g.features, g.inner),
        f"{layer}.feed_norm.weight": (g.features,),
    }
    shapes |= linear(f"{layer}.attention.gate", g.heads, g.features)
    return shapes | linear(f"{layer}.feed_in", g.hidden, g.features) | linear(f"{layer}.feed_out", g.features, g.hidden)


def signature(g: RoformerConfig, part: str = "model") -> Signature:
    """The spectrum of the mixture in, complex masks of the stems out: bins, then channels, then the two parts."""
    return Signature(
        {"spectrum": ["B", "N", g.spectrum_size]},
        {"masks": ["B", g.stems, "N", g.spectrum_size]},
    )
