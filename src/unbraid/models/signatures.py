"""The inputs and outputs of a network's graphs: names, axes and types.

Graphs are built with these (`graph.py`). A graph in a model folder is compared with them before it is opened
(`hub.graph_check`), and so are its outputs (`check_outputs`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from unbraid.errors import ModelError
from unbraid.hub.graphs import ATTENTION, source_name
from unbraid.models.audio_transformer.config import (
    AudioTransformerConfig,
    PretrainedSide,
    Side,
    SpectrogramSide,
    TextSide,
)
from unbraid.models.band_split.config import BandSplitConfig
from unbraid.models.family import Config
from unbraid.models.sepformer.config import SepFormerConfig
from unbraid.models.wav2vec2.config import Wav2Vec2Config

Arrays = dict[str, np.ndarray]
Axes = list[str | int]  # a size, or the name of one that varies: N, or what follows from it as "N * 4" or "n + 1"


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs of a graph, by name; float32, but for the integers, which are int64."""

    inputs: dict[str, Axes]
    outputs: dict[str, Axes]
    integers: tuple[str, ...] = ()  # of the inputs


def signature(geometry: Config, part: str = "model") -> Signature:
    """The signature of one of a network's graphs (see `graphs.every_part`)."""
    if isinstance(geometry, AudioTransformerConfig):
        return _transformer(geometry, part)
    if isinstance(geometry, SepFormerConfig | BandSplitConfig):
        return Signature({"mixture": ["B", "T"]}, {"sources": ["B", geometry.sources, "T"]})
    if isinstance(geometry, Wav2Vec2Config):
        return Signature({"waveform": ["B", "T"]}, {"logits": ["B", "N", geometry.symbols]})
    stems: Axes = ["B", geometry.stems, geometry.channels, "N", "F"]
    return Signature({"magnitude": ["B", geometry.inputs, "N", "F"]}, {"magnitudes": stems})


def check_outputs(expected: Signature, inputs: Arrays, outputs: Arrays, name: str) -> None:
    """Compare what a graph returned with its signature, and look for NaN and infinity.

    Raises:
        ModelError: it is something else; `name` is the model's.
    """
    sizes = dict(_varying(expected, inputs))
    for key, axes in expected.outputs.items():
        value = outputs[key]
        if value.dtype != np.float32 or not _has_axes(value.shape, axes, sizes):
            raise ModelError(
                f"{name}: its graph returns {key} as {value.dtype} {value.shape}, which this network never does; "
                "pull or import the model again."
            )
        if not np.isfinite(value).all():
            raise ModelError(
                f"{name}: its network returns NaN or infinity in {key}; the model is damaged, or was never trained."
            )


def _varying(expected: Signature, inputs: Arrays) -> Iterator[tuple[str, int]]:
    """The sizes that vary, by the names of their axes, as far as the inputs tell: N from an axis "N * 4"."""
    for name, axes in expected.inputs.items():
        for axis, size in zip(axes, inputs[name].shape, strict=True):
            if isinstance(axis, str):
                symbol, times, plus = _terms(axis)
                yield symbol, (size - plus) // times


def _has_axes(shape: tuple[int, ...], axes: Axes, sizes: dict[str, int]) -> bool:
    """Whether a shape has these axes; one whose size no input tells may have any."""
    if len(shape) != len(axes):
        return False
    for size, axis in zip(shape, axes, strict=True):
        symbol, times, plus = _terms(axis) if isinstance(axis, str) else ("", 1, axis)
        if size != sizes.get(symbol, 0 if not symbol else (size - plus) // times) * times + plus:
            return False
    return True


def _terms(axis: str) -> tuple[str, int, int]:
    """The axis "N * 4" is N times 4 plus 0, "n + 1" n times 1 plus 1."""
    symbol, _, rest = axis.partition(" ")
    operator, _, number = rest.partition(" ")
    return (symbol, int(number), 0) if operator == "*" else (symbol, 1, int(number or 0))


def _transformer(g: AudioTransformerConfig, part: str) -> Signature:
    """The signatures of the graphs of `graph.audio_transformer`."""
    source: dict[str, Axes] = {source_name(g.source): _side_axes(g.source), "lengths": ["B"]}
    read = ("symbols", "lengths")
    if part == "decoder":
        return _decoder(g)
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
    """Keys or values of the decoder's layers."""
    return [g.decoder_layers, "B", g.heads, steps, g.features // g.heads]


def _side_axes(side: Side) -> Axes:
    """The shape of a source, or of a target aligned to one: B, N steps of frames or samples."""
    if isinstance(side, TextSide):
        return ["B", "N"]
    if isinstance(side, PretrainedSide):
        return ["B", "T"]
    steps = f"N * {side.stride}" if side.stride > 1 else "N"
    return ["B", steps, side.bins] if isinstance(side, SpectrogramSide) else ["B", steps]
