"""The weights file and the graphs of a TIGER: tensors, inputs and outputs, operators."""

from itertools import accumulate, pairwise

from unbraid.models.operators import COMMON
from unbraid.models.shapes import Shapes, affine, conv, linear
from unbraid.models.signatures import Signature
from unbraid.models.tiger.config import TigerConfig

NORM_EPS = 1e-8  # of the norms in the paths
TOKEN_NORM_EPS = 1e-5  # of those over the features of one band in one frame
BAND_NORM_EPS = 2.0**-23  # of those of the bands' spectra
KERNEL = 5  # steps of the convolutions over bands or time
PATHS = ("bands", "time")
GATED = ("local", "gate", "shift")  # local · σ(gate) + shift: convolutions of features, and of coarser ones twice
OPERATORS = COMMON | {
    "And", "Equal", "Floor", "Gemm", "LayerNormalization", "Less", "Min", "Not", "Range", "ReduceMean",
    "Relu", "Sigmoid", "Softmax", "Split", "Sqrt", "Squeeze", "Sub",
}  # fmt: skip


def spans(g: TigerConfig) -> list[tuple[int, int]]:
    """The first bin of each band, and the one after its last."""
    return list(pairwise(accumulate(g.widths, initial=0)))


def prefix(g: TigerConfig, part: str) -> str:
    """What the names of the tensors of a graph begin with."""
    return f"networks.{g.graphs.index(part)}." if g.chosen else ""


def tensor_shapes(g: TigerConfig) -> Shapes:
    """Name and shape of every weight."""
    network = _ends(g)
    for path in PATHS:
        network |= _path(g, path)
    return {f"{prefix(g, part)}{name}": shape for part in g.graphs for name, shape in network.items()}


def _ends(g: TigerConfig) -> Shapes:
    """The tensors in front of the iterations, between them and behind them."""
    shapes: Shapes = {"again.weight": (g.features,), "again.bias": (g.features,), "again.slope": (1,)}
    shapes["masks.slope"] = (len(g.widths),)
    for k, width in enumerate(g.widths):
        shapes |= affine(f"inlet.{k}.norm", 2 * width) | conv(f"inlet.{k}.conv", g.features, 2 * width, 1)
        shapes |= conv(f"masks.convs.{k}", 4 * g.sources * width, g.features // g.sources, 1)
    return shapes


def _path(g: TigerConfig, path: str) -> Shapes:
    """The layers over bands, or over time."""
    hidden, scales = g.hidden, f"{path}.scales"
    shapes = affine(f"{path}.norm", g.features)
    shapes |= conv(f"{scales}.inlet.conv", hidden, g.features, 1) | affine(f"{scales}.inlet.norm", hidden)
    shapes |= {f"{scales}.slope": (1,)} | conv(f"{scales}.outlet", g.features, hidden, 1)
    for i in range(g.levels):
        shapes |= conv(f"{scales}.down.{i}.conv", hidden, 1, KERNEL) | affine(f"{scales}.down.{i}.norm", hidden)
    shapes |= conv(f"{scales}.mlp_middle", hidden, 1, KERNEL)
    for name in ("mlp_in", "mlp_out"):
        shapes |= _without_bias(f"{scales}.{name}", hidden, hidden, 1)
    for i in range(g.levels - 1):
        for part in GATED:
            shapes |= _without_bias(f"{scales}.fuse.{i}.{part}", hidden, 1, 1)
            shapes |= _without_bias(f"{scales}.up.{i}.{part}", hidden, 1, KERNEL)
    sizes = {"query": g.query_features, "key": g.query_features, "value": g.value_features}
    for part, size in sizes.items():
        name = f"{path}.attention.{part}"
        shapes |= linear(f"{name}.linear", g.heads * size, g.features)
        shapes |= {f"{name}.slope": (g.heads,), f"{name}.weight": (g.heads, size), f"{name}.bias": (g.heads, size)}
    out = f"{path}.attention.out"
    shapes |= linear(f"{out}.linear", g.features, g.features) | {f"{out}.slope": (1,)} | affine(out, g.features)
    return shapes


def _without_bias(name: str, outputs: int, inputs: int, kernel: int) -> Shapes:
    """A convolution without bias, and a norm."""
    return {f"{name}.conv.weight": (outputs, inputs, kernel)} | affine(f"{name}.norm", outputs)


def signature(g: TigerConfig, part: str = "model") -> Signature:
    """The spectrum of the mixture in, complex masks of its sources out: real parts, then imaginary ones."""
    outputs = 1 if g.chosen else g.sources
    return Signature({"spectrum": ["B", 2, g.bins, "N"]}, {"masks": ["B", outputs, 2, g.bins, "N"]})
