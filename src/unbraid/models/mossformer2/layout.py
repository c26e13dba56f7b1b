"""The weights file and the graph of a MossFormer2: tensors, inputs and outputs, operators."""

from unbraid.models.mossformer2.config import MossFormer2Config
from unbraid.models.operators import COMMON, TRANSFORMER
from unbraid.models.shapes import Shapes, affine, linear
from unbraid.models.signatures import Signature

HEADS = ("near query", "far query", "near key", "far key")  # that are made of the same features
OUTER_NORM_EPS = 1e-6  # behind the layers
NORM_EPS = 1e-5  # of the norms within them
LEAST_SCALE = 1e-5  # root mean square of a frame, where it is divided by
OPERATORS = COMMON | TRANSFORMER | {
    "ConvTranspose", "Cos", "InstanceNormalization", "Max", "Mod", "Neg", "PRelu", "Pad",
    "QuickGelu", "ReduceL2", "Relu", "Sigmoid", "Sin", "Tanh",
}  # fmt: skip


def tensor_shapes(g: MossFormer2Config) -> Shapes:
    """Name and shape of every weight."""
    d, filters = g.features, (g.features, 1, g.kernel_samples)
    shapes: Shapes = {"encoder.weight": filters, "decoder.weight": filters}
    shapes |= affine("masknet.norm", d)
    shapes |= {"masknet.inlet.weight": (d, d), "masknet.outlet.weight": (d, d), "masknet.prelu.weight": (1,)}
    shapes |= {"masknet.position_rates": (d // 2,), "masknet.position_scale": (1,)}
    shapes |= {"masknet.rotary_rates": (g.rotated_features // 2,)}
    for i in range(g.layers):
        layer = f"masknet.layers.{i}"
        shapes |= _attention(g, f"{layer}.attention") | _memory(g, f"{layer}.memory")
    shapes |= affine("masknet.layers_norm", d) | affine("masknet.block_norm", d)
    shapes |= linear("masknet.split", d * g.sources, d)
    return shapes | linear("masknet.value", d, d) | linear("masknet.gate", d, d)


def _attention(g: MossFormer2Config, name: str) -> Shapes:
    d, q = g.features, g.key_features
    sizes = {"values": (2 * d, d), "gates": (2 * d, d), "keys": (q, d), "outlet": (d, 2 * d)}
    shapes: Shapes = {f"{name}.head_scales": (len(HEADS), q), f"{name}.head_offsets": (len(HEADS), q)}
    for part, (outputs, inputs) in sizes.items():
        shapes |= _projection(g, f"{name}.{part}", outputs, inputs)
    return shapes


def _memory(g: MossFormer2Config, name: str) -> Shapes:
    d, m = g.features, g.memory_features
    shapes = linear(f"{name}.inlet", m, d) | {f"{name}.prelu.weight": (1,)}
    for part in ("inlet_norm", "values_norm", "gates_norm", "outlet_norm"):
        shapes |= affine(f"{name}.{part}", m)
    shapes |= _projection(g, f"{name}.values", m, m) | _projection(g, f"{name}.gates", m, m)
    shapes |= linear(f"{name}.hidden", m, m) | {f"{name}.project.weight": (m, m)}
    for i in range(2):
        shapes |= {f"{name}.convs.{i}.conv.weight": (m, i + 1, g.memory_frames), f"{name}.convs.{i}.prelu.weight": (m,)}
        shapes |= affine(f"{name}.convs.{i}.norm", m)
    return shapes | linear(f"{name}.outlet", d, m)


def _projection(g: MossFormer2Config, name: str, outputs: int, inputs: int) -> Shapes:
    return linear(f"{name}.linear", outputs, inputs) | {f"{name}.conv.weight": (outputs, 1, g.kernel_frames)}


def signature(g: MossFormer2Config, part: str = "model") -> Signature:
    """A batch of mixtures in, sources out."""
    return Signature({"mixture": ["B", "T"]}, {"sources": ["B", g.sources, "T"]})
