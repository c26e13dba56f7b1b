"""The weights file and the graph of a band-split Transformer: tensors, inputs and outputs, operators."""

from unbraid.models.band_split.config import BandSplitConfig
from unbraid.models.operators import COMMON, TRANSFORMER
from unbraid.models.shapes import Shapes, affine, linear
from unbraid.models.signatures import Signature

QUIETEST = 1e-10  # mean square of a mixture that counts as more than nothing
FLOOR = 1e-4  # power of a bin, where that of a sample is 1 on average, below which levels are no longer compressed
OPERATORS = COMMON | TRANSFORMER | {
    "Cos", "Mod", "Neg", "Pad", "ReduceSum", "Sigmoid", "Sin", "Softmax",
}  # fmt: skip


def tensor_shapes(g: BandSplitConfig) -> Shapes:
    """Name and shape of every weight."""
    d, frame = g.features, g.bands * g.band_features
    shapes = affine("norm", d)
    for name, inputs, outputs in (
        ("inlet", 2 * g.band_bins, d),
        ("outlet", d, g.sources * g.filter_size * g.band_bins),
    ):
        shapes |= {f"{name}.weight": (g.bands, inputs, outputs), f"{name}.bias": (g.bands, outputs)}
    for block in (f"blocks.{i}" for i in range(g.blocks)):
        for layer in ("time", "time_feed", "band", "band_feed"):
            shapes |= affine(f"{block}.{layer}.norm", d)
        for part in ("query", "key"):
            shapes |= linear(f"{block}.time.{part}", g.heads * g.query_features, d)
        shapes |= linear(f"{block}.time.value", d, d) | linear(f"{block}.time.out", d, d)
        shapes |= linear(f"{block}.band.squeeze", g.band_features, d) | linear(f"{block}.band.out", d, g.band_features)
        for part in ("gate", "value"):
            shapes |= linear(f"{block}.band.{part}", g.band_hidden, frame)
            shapes |= linear(f"{block}.time_feed.{part}", g.hidden, d) | linear(
                f"{block}.band_feed.{part}", g.hidden, d
            )
        shapes |= linear(f"{block}.band.back", frame, g.band_hidden)
        for feed in (f"{block}.time_feed", f"{block}.band_feed"):
            kernel = (g.hidden, 1, g.kernel_frames, g.kernel_bands)
            shapes |= {f"{feed}.conv.weight": kernel, f"{feed}.conv.bias": (g.hidden,)}
            shapes |= linear(f"{feed}.out", d, g.hidden)
    return shapes


def signature(g: BandSplitConfig, part: str = "model") -> Signature:
    """A batch of mixtures in, sources out."""
    return Signature({"mixture": ["B", "T"]}, {"sources": ["B", g.sources, "T"]})
