"""The weights file and the graph of an ECAPA-TDNN: tensors, inputs and outputs, operators."""

from unbraid.models.ecapa.config import EcapaConfig
from unbraid.models.operators import COMMON
from unbraid.models.shapes import Shapes, batch_norm, conv, linear
from unbraid.models.signatures import Signature

VARIANCE_EPS = 1e-12  # the least variance over time
OPERATORS = COMMON | {
    "BatchNormalization", "Gemm", "Max", "ReduceMean", "ReduceSum", "Relu", "Sigmoid", "Softmax", "Sqrt", "Squeeze",
    "Sub", "Tanh",
}  # fmt: skip


def tensor_shapes(g: EcapaConfig) -> Shapes:
    """Name and shape of every weight."""
    shapes = _layer("inlet", g.width, g.bins, g.kernel)
    group = g.width // g.scale
    for i in range(len(g.dilations)):
        shapes |= _layer(f"blocks.{i}.inlet", g.width, g.width, 1)
        for j in range(g.scale - 1):
            shapes |= _layer(f"blocks.{i}.groups.{j}", group, group, g.block_kernel)
        shapes |= _layer(f"blocks.{i}.outlet", g.width, g.width, 1)
        shapes |= conv(f"blocks.{i}.squeeze", g.squeezed, g.width, 1)
        shapes |= conv(f"blocks.{i}.excite", g.width, g.squeezed, 1)
    shapes |= _layer("merge", g.merged, g.width * len(g.dilations), 1)
    shapes |= _layer("attention.inlet", g.attention, 3 * g.merged, 1)
    shapes |= conv("attention.outlet", g.merged, g.attention, 1)
    return shapes | batch_norm("pooled_norm", 2 * g.merged) | linear("embedding", g.features, 2 * g.merged)


def signature(g: EcapaConfig, part: str = "model") -> Signature:
    """A batch of log-mel spectrograms of one length in, an embedding of each out."""
    return Signature({"levels": ["B", "N", g.bins]}, {"embedding": ["B", g.features]})


def _layer(name: str, outputs: int, inputs: int, kernel: int) -> Shapes:
    """A convolution and its batch norm."""
    return conv(f"{name}.conv", outputs, inputs, kernel) | batch_norm(f"{name}.norm", outputs)
