"""The weights of a model: the tensors of a network, and their file.

`model.safetensors` is written with its tensors in name order and nothing else in the header, so that every offset is a
constant of (geometry, dtype): an ONNX graph can point into the file (see docs/design.md, A model is a folder).
"""

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from unbraid.errors import ModelError, quoted, shortened
from unbraid.models.audio_transformer.config import (
    AudioTransformerConfig,
    PretrainedSide,
    SpectrogramSide,
    TextSide,
    WaveSide,
)
from unbraid.models.band_split.config import BandSplitConfig
from unbraid.models.family import Config
from unbraid.models.sepformer.config import SepFormerConfig
from unbraid.models.tensor_table import tensor_table
from unbraid.models.unet.config import UNetConfig, across_width
from unbraid.models.wav2vec2.config import Wav2Vec2Config

DTYPES = {"float32": "F32", "float16": "F16", "int8": "I8", "uint8": "U8"}  # NumPy's names: safetensors' names
Shapes = dict[str, tuple[int, ...]]
POST_LAYERS, POST_KERNEL = 3, 5  # of the post-net over written frames, see `models.spectrogram_ends`


def tensor_shapes(geometry: Config) -> Shapes:
    """Name and shape of every weight of a network: those of its torch module's parameters and buffers."""
    if isinstance(geometry, AudioTransformerConfig):
        shapes = _audio_transformer(geometry)
    elif isinstance(geometry, Wav2Vec2Config):
        shapes = backbone_shapes(geometry) | _linear("symbols", geometry.symbols, geometry.features)
    elif isinstance(geometry, BandSplitConfig):
        shapes = _band_split(geometry)
    else:
        shapes = _sepformer(geometry) if isinstance(geometry, SepFormerConfig) else _unets(geometry)
    return dict(sorted(shapes.items()))


def _affine(name: str, size: int) -> Shapes:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


def _linear(name: str, outputs: int, inputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _attention(name: str, features: int) -> Shapes:
    return _linear(f"{name}.in_proj", 3 * features, features) | _linear(f"{name}.out_proj", features, features)


def _feed_forward(layer: str, features: int, hidden: int) -> Shapes:
    shapes = _affine(f"{layer}.feed_norm", features)
    return shapes | _linear(f"{layer}.feed_in", hidden, features) | _linear(f"{layer}.feed_out", features, hidden)


def _encoder(name: str, layers: int, g: SepFormerConfig | AudioTransformerConfig | Wav2Vec2Config) -> Shapes:
    shapes = _affine(f"{name}.norm", g.features)
    for i in range(layers):
        layer = f"{name}.layers.{i}"
        shapes |= _affine(f"{layer}.attention_norm", g.features) | _attention(f"{layer}.attention", g.features)
        shapes |= _feed_forward(layer, g.features, g.hidden)
    return shapes


def _decoder(name: str, layers: int, g: AudioTransformerConfig) -> Shapes:
    shapes = _affine(f"{name}.norm", g.features)
    for i in range(layers):
        layer = f"{name}.layers.{i}"
        for kind in ("self", "cross"):
            shapes |= _affine(f"{layer}.{kind}_norm", g.features) | _attention(f"{layer}.{kind}_attention", g.features)
        shapes |= _feed_forward(layer, g.features, g.hidden)
    return shapes


def _conv(name: str, outputs: int, inputs: int, kernel: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs, kernel), f"{name}.bias": (outputs,)}


def _front(g: AudioTransformerConfig) -> Shapes:
    side, features = g.source, g.features
    if isinstance(side, TextSide):
        return {"front.embedding.weight": (side.symbols, features)}
    if isinstance(side, PretrainedSide):
        trunk = {f"front.trunk.{name}": shape for name, shape in backbone_shapes(side.encoder).items()}
        return trunk | _linear("front.project", features, side.encoder.features)
    shapes: Shapes = {}
    if isinstance(side, SpectrogramSide):
        for i, stride in enumerate(side.strides):
            shapes |= _conv(f"front.convs.{i}", features, features if i else side.bins, stride + 2)
        return shapes
    for i, kernel in enumerate(side.kernels):
        shapes[f"front.convs.{i}.weight"] = (side.filters, side.filters if i else 1, kernel)
        shapes |= _affine(f"front.norms.{i}", side.filters)
    return shapes | _linear("front.project", features, side.filters + (not g.alters))  # one more tells the level


def _back(g: AudioTransformerConfig) -> Shapes:
    side, features = g.target, g.features
    if isinstance(side, TextSide):
        return {"back.embedding.weight": (side.symbols, features)} | _linear("back.symbols", side.symbols, features)
    if isinstance(side, WaveSide):
        if g.alters:
            return _linear("back.mask", side.filters, features) | {
                "back.decoder.weight": (side.filters, 1, *side.kernels)
            }
        shapes = _linear("back.amplitude", side.filters, features) | _linear("back.phase", side.filters, features)
        return shapes | {"back.decoder.weight": (2 * side.filters, 1, *side.kernels)}
    assert isinstance(side, SpectrogramSide)
    width = side.stride * side.bins
    shapes = _linear("back.frames", width, features)
    if g.is_aligned:
        return shapes
    shapes |= _linear("back.prenet.0", features, width) | _linear("back.prenet.1", features, features)
    channels = (side.bins, *(features for _ in range(POST_LAYERS - 1)), side.bins)
    for i, (inner, outer) in enumerate(itertools.pairwise(channels)):
        shapes |= _conv(f"back.post.{i}", outer, inner, POST_KERNEL)
    return shapes | _linear("back.stop", 1, features)


def _audio_transformer(g: AudioTransformerConfig) -> Shapes:
    shapes = _front(g) | _encoder("encoder", g.encoder_layers, g) | _back(g)
    if not g.is_aligned:
        shapes |= _decoder("decoder", g.decoder_layers, g)
    if g.ctc and isinstance(g.target, TextSide):
        shapes |= _linear("ctc", g.target.symbols, g.features)
    return shapes


def backbone_shapes(g: Wav2Vec2Config) -> Shapes:
    """Name and shape of every weight of a Wav2Vec2 or HuBERT but those of its head."""
    shapes: Shapes = {}
    for i, (inner, outer, kernel) in enumerate(zip((1, *g.filters[:-1]), g.filters, g.kernels, strict=True)):
        shapes[f"front.convolutions.{i}.weight"] = (outer, inner, kernel)
        if g.filter_bias:
            shapes[f"front.convolutions.{i}.bias"] = (outer,)
        if i == 0 or g.filter_norm == "layer":
            shapes |= _affine(f"front.norms.{i}", outer)
    if g.project_norm:
        shapes |= _affine("front.project_norm", g.filters[-1])
    shapes |= _linear("front.project", g.features, g.filters[-1])
    shapes["encoder.position.weight"] = (g.features, g.features // g.position_groups, g.position_kernel)
    shapes["encoder.position.bias"] = (g.features,)
    return shapes | _encoder("encoder", g.layers, g)


def _sepformer(g: SepFormerConfig) -> Shapes:
    d = g.features
    shapes: Shapes = {"encoder.weight": (d, 1, g.kernel_samples), "decoder.weight": (d, 1, g.kernel_samples)}
    shapes |= _affine("masknet.norm", d)
    shapes |= {"masknet.inlet.weight": (d, d), "masknet.outlet.weight": (d, d), "masknet.prelu.weight": (1,)}
    shapes |= _linear("masknet.split", d * g.sources, d)
    shapes |= _linear("masknet.value", d, d) | _linear("masknet.gate", d, d)
    for i in range(g.blocks):
        for half in ("intra", "inter"):
            shapes |= _encoder(f"masknet.blocks.{i}.{half}", g.layers, g)
            shapes |= _affine(f"masknet.blocks.{i}.{half}_norm", d)
    return shapes


def _band_split(g: BandSplitConfig) -> Shapes:
    d, frame = g.features, g.bands * g.band_features
    shapes = _affine("norm", d)
    for name, inputs, outputs in (
        ("inlet", 2 * g.band_bins, d),
        ("outlet", d, g.sources * g.outputs * g.band_bins),
    ):
        shapes |= {f"{name}.weight": (g.bands, inputs, outputs), f"{name}.bias": (g.bands, outputs)}
    for block in (f"blocks.{i}" for i in range(g.blocks)):
        for layer in ("time", "time_feed", "band", "band_feed"):
            shapes |= _affine(f"{block}.{layer}.norm", d)
        for part in ("query", "key"):
            shapes |= _linear(f"{block}.time.{part}", g.heads * g.query_features, d)
        shapes |= _linear(f"{block}.time.value", d, d) | _linear(f"{block}.time.out", d, d)
        shapes |= _linear(f"{block}.band.squeeze", g.band_features, d) | _linear(
            f"{block}.band.out", d, g.band_features
        )
        for part in ("gate", "value"):
            shapes |= _linear(f"{block}.band.{part}", g.band_hidden, frame)
            shapes |= _linear(f"{block}.time_feed.{part}", g.hidden, d) | _linear(
                f"{block}.band_feed.{part}", g.hidden, d
            )
        shapes |= _linear(f"{block}.band.back", frame, g.band_hidden)
        for feed in (f"{block}.time_feed", f"{block}.band_feed"):
            kernel = (g.hidden, 1, g.kernel_frames, g.kernel_bands)
            shapes |= {f"{feed}.conv.weight": kernel, f"{feed}.conv.bias": (g.hidden,)}
            shapes |= _linear(f"{feed}.out", d, g.hidden)
    return shapes


def _batch_norm(name: str, size: int) -> Shapes:
    return _affine(name, size) | {f"{name}.running_mean": (size,), f"{name}.running_var": (size,)}


def _across_bins(name: str, planes: int, bins: int) -> Shapes:
    if not bins:
        return {}
    width = across_width(bins)
    shapes = {f"{name}.squeeze.weight": (width, bins)} | _batch_norm(f"{name}.norm", planes)
    return shapes | _linear(f"{name}.widen", bins, width)


def _unets(g: UNetConfig) -> Shapes:
    shapes: Shapes = {}
    outputs = (*g.filters[-2::-1], g.planes)
    masks = g.channels * g.stems // g.nets
    for k in range(g.nets):
        for i, (inner, outer) in enumerate(zip((g.inputs, *g.filters[:-1]), g.filters, strict=True)):
            shapes |= {f"nets.{k}.down.{i}.weight": (outer, inner, 5, 5), f"nets.{k}.down.{i}.bias": (outer,)}
            if i < len(g.filters) - 1:
                shapes |= _batch_norm(f"nets.{k}.down_norm.{i}", outer)
                shapes |= _across_bins(f"nets.{k}.down_across.{i}", outer, g.bins >> i + 1)
        for i, out in enumerate(outputs):
            inputs = g.filters[-1] if i == 0 else 2 * outputs[i - 1]
            shapes |= {f"nets.{k}.up.{i}.weight": (inputs, out, 5, 5), f"nets.{k}.up.{i}.bias": (out,)}
            shapes |= _batch_norm(f"nets.{k}.up_norm.{i}", out)
            shapes |= _across_bins(f"nets.{k}.up_across.{i}", out, g.bins >> len(outputs) - 1 - i)
        shapes |= {f"nets.{k}.last.weight": (masks, g.planes, 4, 4), f"nets.{k}.last.bias": (masks,)}
    return shapes


def check_tensors(found: Shapes, geometry: Config, where: str) -> None:
    """Compare names and shapes both ways.

    Raises:
        ModelError: a tensor is missing, is unexpected or has another shape; the first of each is named.
    """
    compare_shapes(found, tensor_shapes(geometry), where)


def compare_shapes(found: Shapes, expected: Shapes, where: str) -> None:
    """Compare names and shapes both ways, as `check_tensors` does, with any list of tensors."""
    if missing := sorted(expected.keys() - found.keys()):
        raise ModelError(f"{where}: tensor {quoted(missing[0])} is missing ({len(missing)} of {len(expected)} are).")
    if extra := sorted(found.keys() - expected.keys()):
        raise ModelError(f"{where}: tensor {quoted(extra[0])} does not belong to this network ({len(extra)} do not).")
    for name, shape in expected.items():
        if found[name] != shape:
            raise ModelError(f"{where}: tensor {quoted(name)} has shape {quoted(found[name])}, expected {shape}.")


def is_finite(tensor: np.ndarray) -> bool:
    """Whether a tensor holds neither NaN nor infinity."""
    if tensor.dtype == np.float16:  # NumPy is slow with these; all bits of the exponent say the same, 5 times faster
        return bool((tensor.view(np.uint16) & 0x7C00).max(initial=0) < 0x7C00)
    return bool(np.isfinite(tensor).all())


def write_weights(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """Write tensors in name order, in the safetensors format, with nothing but tensors in the header."""
    names = sorted(tensors)
    header = json.dumps(_header({name: (str(tensors[name].dtype), tensors[name].shape) for name in names}))
    text = header.encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in names:
            file.write(np.ascontiguousarray(tensors[name]).tobytes())


def tensor_offsets(tensors: dict[str, tuple[str, tuple[int, ...]]]) -> dict[str, tuple[int, int]]:
    """The position of each tensor in a file of `write_weights`: {name: (dtype, shape)} -> {name: (offset, bytes)}."""
    header = _header({name: tensors[name] for name in sorted(tensors)})
    length = len(json.dumps(header).encode())
    start = 8 + length + (-length % 8)
    return {name: (start + (span := entry["data_offsets"])[0], span[1] - span[0]) for name, entry in header.items()}


def _header(tensors: dict[str, tuple[str, tuple[int, ...]]]) -> dict[str, dict[str, Any]]:
    header, end = {}, 0
    for name, (dtype, shape) in tensors.items():
        start, end = end, end + math.prod(shape) * np.dtype(dtype).itemsize
        header[name] = {"dtype": DTYPES[dtype], "shape": list(shape), "data_offsets": [start, end]}
    return header


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Read every tensor.

    Raises:
        ModelError: the file is missing or is not a safetensors file.
    """
    tensor_table(path)
    try:
        return safetensors.numpy.load_file(path)
    except (OSError, safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} cannot be read as safetensors: {shortened(str(error))}.") from None
