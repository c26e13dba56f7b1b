"""The weights file and the graph of a ResNet of speakers: tensors, inputs and outputs, operators."""

from unbraid.models.operators import COMMON
from unbraid.models.shapes import Shapes, conv_norm, linear, residual
from unbraid.models.signatures import Signature
from unbraid.models.speaker_resnet.config import SpeakerResnetConfig

VARIANCE_EPS = 1e-7  # added to variances over time
OPERATORS = COMMON | {
    "BatchNormalization", "Gemm", "ReduceMean", "ReduceSum", "Relu", "Sqrt", "Squeeze", "Sub",
}  # fmt: skip


def tensor_shapes(g: SpeakerResnetConfig) -> Shapes:
    """Name and shape of every weight."""
    shapes, inputs = conv_norm("inlet", g.planes, 1, 3, 3), g.planes
    for i, blocks in enumerate(g.blocks):
        for j in range(blocks):
            outputs = g.planes * 2**i
            shapes |= residual(f"stages.{i}.{j}", outputs, inputs, shortcut=i > 0 and j == 0)
            inputs = outputs
    return shapes | linear("embedding", g.features, 2 * g.pooled)


def signature(g: SpeakerResnetConfig, part: str = "model") -> Signature:
    """A batch of log-mel spectrograms of one length in, an embedding of each out."""
    return Signature({"levels": ["B", "N", g.bins]}, {"embedding": ["B", g.features]})
