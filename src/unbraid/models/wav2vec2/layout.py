"""The weights file and the graph of a Wav2Vec2 or HuBERT: tensors, inputs and outputs, operators."""

from unbraid.models.operators import COMMON, SPEECH, TRANSFORMER
from unbraid.models.shapes import Shapes, affine, encoder, linear
from unbraid.models.signatures import Signature
from unbraid.models.wav2vec2.config import Wav2Vec2Config

NORM_EPS = 1e-5
VARIANCE_EPS = 1e-7  # of the waveform
OPERATORS = COMMON | TRANSFORMER | SPEECH


def front_shapes(g: Wav2Vec2Config) -> Shapes:
    """Name and shape of every weight of the convolutions over samples, the projection and the positions."""
    shapes: Shapes = {}
    for i, (inner, outer, kernel) in enumerate(zip((1, *g.filters[:-1]), g.filters, g.kernels, strict=True)):
        shapes[f"front.convolutions.{i}.weight"] = (outer, inner, kernel)
        if g.filter_bias:
            shapes[f"front.convolutions.{i}.bias"] = (outer,)
        if i == 0 or g.filter_norm == "layer":
            shapes |= affine(f"front.norms.{i}", outer)
    if g.project_norm:
        shapes |= affine("front.project_norm", g.filters[-1])
    shapes |= linear("front.project", g.features, g.filters[-1])
    shapes["encoder.position.weight"] = (g.features, g.features // g.position_groups, g.position_kernel)
    shapes["encoder.position.bias"] = (g.features,)
    return shapes


def backbone_shapes(g: Wav2Vec2Config) -> Shapes:
    """Name and shape of every weight of a Wav2Vec2 or HuBERT but those of its head."""
    return front_shapes(g) | encoder("encoder", g.layers, g.features, g.hidden)


def tensor_shapes(g: Wav2Vec2Config) -> Shapes:
    """Name and shape of every weight."""
    return backbone_shapes(g) | linear("symbols", g.symbols, g.features)


def signature(g: Wav2Vec2Config, part: str = "model") -> Signature:
    """A batch of waveforms in, logits of symbols out."""
    return Signature({"waveform": ["B", "T"]}, {"logits": ["B", "N", g.symbols]})
