"""The weights file and the graphs of a SpeechT5: tensors, inputs and outputs, operators."""

import itertools

from unbraid.models.shapes import Shapes, conv, decoder, encoder, linear
from unbraid.models.signatures import Axes, Signature
from unbraid.models.speecht5.config import SpeechT5Config
from unbraid.models.wav2vec2.layout import OPERATORS as WAV2VEC2
from unbraid.models.wav2vec2.layout import front_shapes

PRENET_LAYERS = 2
SPEAKER_EPS = 1e-12  # the least length of a speaker's features
FIRST_PLACE = 2  # of the steps of a waveform and of a text that is written
OPERATORS = WAV2VEC2 | {"Cos", "Gather", "Max", "Min", "Relu", "Sin", "Tanh"}


def tensor_shapes(g: SpeechT5Config) -> Shapes:
    """Name and shape of every weight; the batch norms of the post-net are worked out."""
    if g.source == "waveform":
        shapes = front_shapes(g.front)
    else:
        shapes = {"front.embedding.weight": (g.symbols, g.features), "front.scale": (1,)}
    shapes |= encoder("encoder", g.encoder_layers, g.features, g.hidden)
    shapes["encoder.distances.weight"] = (2 * g.relative_steps, g.features // g.heads)
    layers = decoder("decoder", g.decoder_layers, g.features, g.hidden)
    shapes |= {name: shape for name, shape in layers.items() if not name.startswith("decoder.norm.")}
    return shapes | ({"symbols.weight": (g.symbols, g.features)} if g.target == "text" else _spectrogram_shapes(g))


def _spectrogram_shapes(g: SpeechT5Config) -> Shapes:
    """The weights around a decoder that writes spectrograms: its pre-net, its last layers and its post-net."""
    shapes: Shapes = {"prenet.scale": (1,)}
    for i in range(PRENET_LAYERS):
        shapes |= linear(f"prenet.layers.{i}", g.prenet, g.prenet if i else g.bins)
    shapes |= linear("prenet.project", g.features, g.prenet)
    shapes |= linear("prenet.speaker", g.features, g.features + g.speaker)
    shapes |= linear("frames", g.stride * g.bins, g.features) | linear("stop", g.stride, g.features)
    widths = (g.bins, *(g.post_width for _ in range(g.post_layers - 1)), g.bins)
    for i, (inner, outer) in enumerate(itertools.pairwise(widths)):
        shapes |= conv(f"post.{i}", outer, inner, g.post_kernel)
    return shapes


def signature(g: SpeechT5Config, part: str = "encoder") -> Signature:
    """The signature of one of the graphs (see graph.py)."""
    cross = {name: _kept(g, "N") for name in ("cross_keys", "cross_values")}
    if part == "encoder":
        if g.source == "waveform":
            return Signature({"waveform": ["B", "T"]}, cross)
        return Signature({"symbols": ["B", "N"]}, cross, ("symbols",))
    if part == "post":
        return Signature({"log_mel": ["B", "N", g.bins]}, {"refined": ["B", "N", g.bins]})
    past = {name: _kept(g, "n") for name in ("self_keys", "self_values")}
    new = {f"new_{name}": _kept(g, "n + 1") for name in past}
    if g.target == "text":
        logits: dict[str, Axes] = {"logits": ["B", g.symbols]}
        cross = {name: _kept(g, "N", "I") for name in cross}
        return Signature({"symbols": ["B"], **past, **cross}, {**logits, **new}, ("symbols",))
    written: dict[str, Axes] = {
        "frame": ["B", g.bins],
        "kept": ["B", PRENET_LAYERS * g.prenet],
        "speaker": ["B", g.speaker],
    }
    follows: dict[str, Axes] = {"new_frames": ["B", g.stride * g.bins], "stop": ["B", g.stride]}
    return Signature({**written, **past, **cross}, {**follows, **new})


def _kept(g: SpeechT5Config, steps: str, batch: str = "B") -> Axes:
    """The axes of keys or values of the decoder's layers."""
    return [g.decoder_layers, batch, g.heads, steps, g.features // g.heads]
