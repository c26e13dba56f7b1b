"""The weights file and the graph of an x-vector network: tensors, inputs and outputs, operators."""

from unbraid.models.operators import COMMON
from unbraid.models.shapes import Shapes, batch_norm, conv, linear
from unbraid.models.signatures import Signature
from unbraid.models.xvector.config import XvectorConfig

SLOPE = 0.01  # of the leaky ReLUs
OPERATORS = COMMON | {"BatchNormalization", "Gemm", "LeakyRelu", "ReduceMean", "ReduceSum", "Sqrt", "Squeeze", "Sub"}


def tensor_shapes(g: XvectorConfig) -> Shapes:
    """Name and shape of every weight."""
    shapes: Shapes = linear("embedding", g.features, 2 * g.widths[-1])
    sizes = zip((g.bins, *g.widths[:-1]), g.widths, g.kernels, strict=True)
    for i, (inner, outer, kernel) in enumerate(sizes):
        shapes |= conv(f"layers.{i}.conv", outer, inner, kernel) | batch_norm(f"layers.{i}.norm", outer)
    return shapes


def signature(g: XvectorConfig, part: str = "model") -> Signature:
    """A batch of log-mel spectrograms of one length in, an embedding of each out."""
    return Signature({"levels": ["B", "N", g.bins]}, {"embedding": ["B", g.features]})
