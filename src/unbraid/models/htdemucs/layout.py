"""The weights file and the graphs of a Hybrid Transformer Demucs: tensors, inputs and outputs, operators.

A layer of the waveform is one of the spectrogram with a single bin: both have features (B, C, F, N), and kernels over
bins and steps.
"""

from unbraid.models.htdemucs.config import KERNEL, HtdemucsConfig
from unbraid.models.operators import COMMON, TRANSFORMER
from unbraid.models.shapes import Shapes, affine, attention, feed_forward, linear
from unbraid.models.signatures import Signature

NORM_EPS = 1e-5  # of every norm
LEVEL_EPS = 1e-5  # added to the level of the input, which it is divided by
BRANCHES = ("spectral", "temporal")
RESIDUAL_KERNEL = 3  # steps
REWRITE_KERNELS = {"spectral": (3, 3), "temporal": (1, 3)}  # of decoders: bins, steps
OPERATORS = COMMON | TRANSFORMER | {
    "BiasGelu", "ConvTranspose", "Cos", "Gelu", "Sigmoid", "Sin",
}  # fmt: skip


def along(branch: str, size: int, other: int = 1) -> tuple[int, int]:
    """A size along the axis that a branch makes shorter from level to level, bins or steps: (bins, steps)."""
    return (size, other) if branch == "spectral" else (other, size)


def is_cross(layer: int) -> bool:
    """Whether a layer of the Transformer attends to the other branch."""
    return layer % 2 == 1


def prefix(g: HtdemucsConfig, part: str) -> str:
    """What the names of the tensors of a graph begin with."""
    return "" if g.networks == 1 else f"networks.{g.graphs.index(part)}."


def tensor_shapes(g: HtdemucsConfig) -> Shapes:
    """Name and shape of every weight."""
    network: Shapes = {"frequencies": (g.features, g.bins // 4, 1)}
    for branch in BRANCHES:
        network |= _branch(g, branch)
    return {f"{prefix(g, part)}{name}": shape for part in g.graphs for name, shape in network.items()}


def _branch(g: HtdemucsConfig, branch: str) -> Shapes:
    """The tensors of one of the two U-Nets, and its half of the Transformer between them."""
    parts = 2 if branch == "spectral" else 1
    kernel = along(branch, KERNEL)
    shapes: Shapes = {}
    inputs, outputs = g.channels * parts, g.channels * parts * g.network_stems
    for i, width in enumerate(g.widths):
        encoder, decoder = f"{branch}.encoder.{i}", f"{branch}.decoder.{g.levels - 1 - i}"
        shapes |= _conv(f"{encoder}.conv", width, inputs, *kernel) | _residuals(g, encoder, width)
        shapes |= _conv(f"{encoder}.rewrite", 2 * width, width, 1, 1)
        shapes |= _conv(f"{decoder}.rewrite", 2 * width, width, *REWRITE_KERNELS[branch])
        shapes |= _residuals(g, decoder, width) if g.decoder_residuals else {}
        shapes |= {f"{decoder}.conv.weight": (width, outputs, *kernel), f"{decoder}.conv.bias": (outputs,)}
        inputs = outputs = width
    if g.bottom:
        shapes |= linear(f"{branch}.inlet", g.bottom, inputs) | linear(f"{branch}.outlet", inputs, g.bottom)
    shapes |= affine(f"{branch}.norm", g.inner)
    for i in range(g.layers):
        layer = f"{branch}.layers.{i}"
        shapes |= affine(f"{layer}.attention_norm", g.inner) | attention(f"{layer}.attention", g.inner)
        shapes |= affine(f"{layer}.memory_norm", g.inner) if is_cross(i) else {}
        shapes |= feed_forward(layer, g.inner, g.hidden) | affine(f"{layer}.norm", g.inner)
    return shapes


def _residuals(g: HtdemucsConfig, level: str, width: int) -> Shapes:
    """The residual layers of an encoder or decoder."""
    shapes: Shapes = {}
    for i in range(g.residual_layers):
        name, inside = f"{level}.residuals.{i}", width // g.squeeze
        shapes |= _conv(f"{name}.squeeze", inside, width, 1, RESIDUAL_KERNEL) | affine(f"{name}.squeeze_norm", inside)
        shapes |= _conv(f"{name}.expand", 2 * width, inside, 1, 1) | affine(f"{name}.expand_norm", 2 * width)
    return shapes


def _conv(name: str, outputs: int, inputs: int, *kernel: int) -> Shapes:
    """A convolution over bins and steps."""
    return {f"{name}.weight": (outputs, inputs, *kernel), f"{name}.bias": (outputs,)}


def signature(g: HtdemucsConfig, part: str = "model") -> Signature:
    """The mixture twice in, and twice each stem out, whose waveform is the sum of the two.

    A spectrum has real and imaginary parts as channels: those of the left channel, then those of the right one.
    """
    outputs = g.channels * g.network_stems
    return Signature(
        {"mixture": ["B", g.channels, g.segment_samples], "spectrum": ["B", 2 * g.channels, g.bins, g.frames]},
        {"waves": ["B", outputs, g.segment_samples], "spectra": ["B", 2 * outputs, g.bins, g.frames]},
    )
