"""The weights file and the graph of a HiFi-GAN: tensors, inputs and outputs, operators."""

from unbraid.models.hifigan.config import ENDS_KERNEL, HifiganConfig
from unbraid.models.operators import COMMON
from unbraid.models.shapes import Shapes, conv
from unbraid.models.signatures import Signature

LAST_SLOPE = 0.01  # of the leaky ReLU before the last convolution
OPERATORS = COMMON | {"ConvTranspose", "LeakyRelu", "Squeeze", "Sub", "Tanh"}


def tensor_shapes(g: HifiganConfig) -> Shapes:
    """Name and shape of every weight; weight norms are worked out."""
    shapes: Shapes = {"mean": (g.bins,), "scale": (g.bins,)} | conv("inlet", g.width, g.bins, ENDS_KERNEL)
    for i, kernel in enumerate(g.kernels):
        wide, narrow = g.width >> i, g.width >> (i + 1)
        shapes |= {f"stages.{i}.up.weight": (wide, narrow, kernel), f"stages.{i}.up.bias": (narrow,)}
        for j, size in enumerate(g.block_kernels):
            for k in range(len(g.dilations)):
                for part in ("wide", "near"):
                    shapes |= conv(f"stages.{i}.blocks.{j}.{part}.{k}", narrow, narrow, size)
    return shapes | conv("outlet", 1, g.width >> len(g.strides), ENDS_KERNEL)


def signature(g: HifiganConfig, part: str = "model") -> Signature:
    """A batch of log-mel spectrograms of one length in, a waveform of each out."""
    return Signature({"log_mel": ["B", "N", g.bins]}, {"waveform": ["B", f"N * {g.hop_samples}"]})
