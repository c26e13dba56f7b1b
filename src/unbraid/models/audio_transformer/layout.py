"""The weights file and the graphs of an audio Transformer: tensors, inputs and outputs, operators."""

import itertools

from unbraid.models.audio_transformer.config import (
    ATTENTION,
    AudioTransformerConfig,
    PretrainedSide,
    Side,
    SpectrogramSide,
    TextSide,
    WaveSide,
    source_name,
)
from unbraid.models.operators import COMMON, SPEECH, TRANSFORMER
from unbraid.models.shapes import Shapes, affine, conv, decoder, encoder, linear
from unbraid.models.signatures import Axes, Signature
from unbraid.models.wav2vec2.layout import backbone_shapes

POST_LAYERS, POST_KERNEL = 3, 5  # of the post-net over written frames
LOUDEST = 5.0  # natural logarithm of an amplitude
QUIETEST = 1e-7  # power of a step
OPERATORS = COMMON | TRANSFORMER | SPEECH | {
    "ConvTranspose", "Cos", "Exp", "Gather", "Log", "MatMulNBits", "Min", "Mod", "Relu", "Sigmoid", "Sin", "Softmax",
    "Tanh", "Where",
}  # fmt: skip


def tensor_shapes(g: AudioTransformerConfig) -> Shapes:
    """Name and shape of every weight."""
    shapes = _front(g) | encoder("encoder", g.encoder_layers, g.features, g.hidden) | _back(g)
    if not g.is_aligned:
        shapes |= decoder("decoder", g.decoder_layers, g.features, g.hidden)
    if g.ctc and isinstance(g.target, TextSide):
        shapes |= linear("ctc", g.target.symbols, g.features)
    if g.positions == "learned":
        shapes["encoder.positions_table"] = (g.source_steps, g.features)
        shapes["decoder.positions_table"] = (g.target_steps, g.features)
    return shapes


def signature(g: AudioTransformerConfig, part: str = "model") -> Signature:
    """The signature of one of the graphs (see graph/model.py)."""
    source: dict[str, Axes] = {source_name(g.source): _side_axes(g.source), "lengths": ["B"]}
    read = ("symbols", "lengths")
    if part == "decoder":
        return _prompted_decoder(g) if g.takes_prompts else _decoder(g)
    if part == "post":
        assert isinstance(g.target, SpectrogramSide)
        return Signature({"log_mel": ["B", "N", g.target.bins]}, {"refined": ["B", "N", g.target.bins]})
    if part == ATTENTION:
        return _attention(g, source)
    if part == "model":
        name = "log_mel_out" if isinstance(g.target, SpectrogramSide) else "waveform_out"
        return Signature(source, {name: _side_axes(g.target)}, read)
    outputs: dict[str, Axes] = {name: _kept(g, "N") for name in ("cross_keys", "cross_values")}
    if g.ctc and isinstance(g.target, TextSide):
        outputs["ctc_logits"] = ["B", "N", g.target.symbols]
    return Signature(source, outputs, read)


def _decoder(g: AudioTransformerConfig) -> Signature:
    if isinstance(g.target, TextSide):
        written: dict[str, Axes] = {"symbols": ["B"]}
        follows: dict[str, Axes] = {"logits": ["B", g.target.symbols]}
    else:
        assert isinstance(g.target, SpectrogramSide)
        frames: Axes = ["B", g.target.stride * g.target.bins]
        written, follows = {"frames": frames}, {"new_frames": frames, "stop": ["B"]}
    past = {name: _kept(g, "n") for name in ("self_keys", "self_values")}
    cross = {name: _kept(g, "N") for name in ("cross_keys", "cross_values")}
    new = {f"new_{name}": _kept(g, "n + 1") for name in past}
    return Signature({**written, **past, **cross, "lengths": ["B"]}, {**follows, **new}, ("symbols", "lengths"))


def _prompted_decoder(g: AudioTransformerConfig) -> Signature:
    """See graph/prompted.py."""
    assert isinstance(g.target, TextSide)
    layers, width = range(g.decoder_layers), g.features // g.heads
    inputs: dict[str, Axes] = {"symbols": ["B", "M"], "lengths": ["I"]}
    outputs: dict[str, Axes] = {"logits": ["B", g.target.symbols], "alignment": ["I", "A", "R", "N"]}
    inputs |= {f"heads_{i}": [f"A{i}"] for i in layers}
    integers = tuple(inputs)
    for name in ("keys", "values"):
        inputs |= {f"self_{name}_{i}": ["B", g.heads, "n", width] for i in layers}
        inputs |= {f"cross_{name}_{i}": ["I", g.heads, "N", width] for i in layers}
        outputs |= {f"new_self_{name}_{i}": ["B", g.heads, "m", width] for i in layers}
    return Signature(inputs, outputs, integers)


def _attention(g: AudioTransformerConfig, source: dict[str, Axes]) -> Signature:
    inputs = dict(source)
    integers: tuple[str, ...] = ("symbols", "lengths")
    outputs: dict[str, Axes] = {"encoder_attention": ["L", g.heads, "N", "N"]}
    if not g.is_aligned:
        inputs["target"] = ["B", "M"]
        if isinstance(g.target, TextSide):
            integers = (*integers, "target")
        else:
            assert isinstance(g.target, SpectrogramSide)
            inputs["target"].append(g.target.stride * g.target.bins)
        outputs["decoder_attention"] = ["L", g.heads, "M", "M"]
        outputs["cross_attention"] = ["L", g.heads, "M", "N"]
    return Signature(inputs, outputs, integers)


def _kept(g: AudioTransformerConfig, steps: str) -> Axes:
    """The axes of keys or values of the decoder's layers."""
    return [g.decoder_layers, "B", g.heads, steps, g.features // g.heads]


def _side_axes(side: Side) -> Axes:
    """The axes of a source, or of an aligned target: B, N steps of so many frames or samples."""
    if isinstance(side, TextSide):
        return ["B", "N"]
    if isinstance(side, PretrainedSide):
        return ["B", "T"]
    steps = f"N * {side.stride}" if side.stride > 1 else "N"
    return ["B", steps, side.bins] if isinstance(side, SpectrogramSide) else ["B", steps]


def _front(g: AudioTransformerConfig) -> Shapes:
    side, features = g.source, g.features
    if isinstance(side, TextSide):
        return {"front.embedding.weight": (side.symbols, features)}
    if isinstance(side, PretrainedSide):
        backbone = {f"front.trunk.{name}": shape for name, shape in backbone_shapes(side.encoder).items()}
        return backbone | linear("front.project", features, side.encoder.features)
    shapes: Shapes = {}
    if isinstance(side, SpectrogramSide):
        for i, stride in enumerate(side.strides):
            shapes |= conv(f"front.convs.{i}", features, features if i else side.bins, stride + 2)
        return shapes
    for i, kernel in enumerate(side.kernels):
        shapes[f"front.convs.{i}.weight"] = (side.filters, side.filters if i else 1, kernel)
        shapes |= affine(f"front.norms.{i}", side.filters)
    return shapes | linear("front.project", features, side.filters + (not g.alters))  # one more tells the level


def _back(g: AudioTransformerConfig) -> Shapes:
    side, features = g.target, g.features
    if isinstance(side, TextSide):
        table: Shapes = {"back.embedding.weight": (side.symbols, features)}
        return table if g.tied else table | linear("back.symbols", side.symbols, features)
    if isinstance(side, WaveSide):
        if g.alters:
            return linear("back.mask", side.filters, features) | {
                "back.decoder.weight": (side.filters, 1, *side.kernels)
            }
        shapes = linear("back.amplitude", side.filters, features) | linear("back.phase", side.filters, features)
        return shapes | {"back.decoder.weight": (2 * side.filters, 1, *side.kernels)}
    assert isinstance(side, SpectrogramSide)
    width = side.stride * side.bins
    shapes = linear("back.frames", width, features)
    if g.is_aligned:
        return shapes
    shapes |= linear("back.prenet.0", features, width) | linear("back.prenet.1", features, features)
    channels = (side.bins, *(features for _ in range(POST_LAYERS - 1)), side.bins)
    for i, (inner, outer) in enumerate(itertools.pairwise(channels)):
        shapes |= conv(f"back.post.{i}", outer, inner, POST_KERNEL)
    return shapes | linear("back.stop", 1, features)
