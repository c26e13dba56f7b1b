"""The graphs of a network: shipped with the package for known sizes, else built.

A graph holds no weights, so one file serves every model of its (geometry, dtype). Most networks are one graph, "model".
An autoregressive one has two, "encoder" and "decoder", over the same weights, and "post" as a third if it generates
spectrograms. An audio Transformer has one more for its attention weights. Building needs the `onnx` package.
"""

import dataclasses
import gzip
import itertools
from importlib import resources

from unbraid.errors import RuntimeUnavailable
from unbraid.hub.spec import family_of
from unbraid.models.audio_transformer.config import AudioTransformerConfig, Side, TextSide
from unbraid.models.family import Config

WEIGHTS_FILES = {"float32": "model.safetensors", "float16": "model.safetensors", "int8": "model.int8.safetensors"}
ATTENTION = "attention"  # who attends to whom


def graph_parts(geometry: Config) -> tuple[str, ...]:
    """The names of the graphs that a network runs on; in a model folder NAME.onnx."""
    if not isinstance(geometry, AudioTransformerConfig) or geometry.is_aligned:
        return ("model",)
    return ("encoder", "decoder") if isinstance(geometry.target, TextSide) else ("encoder", "decoder", "post")


def every_part(geometry: Config) -> tuple[str, ...]:
    """The same, and the graph that is only looked at, which folders of earlier releases lack (see `attention`)."""
    parts = graph_parts(geometry)
    return (*parts, ATTENTION) if isinstance(geometry, AudioTransformerConfig) else parts


def source_name(side: Side) -> str:
    """The name of a source in the graphs: symbols (B, N), log_mel (B, N·stride, F) or waveform."""
    return {"text": "symbols", "spectrogram": "log_mel", "waveform": "waveform", "wav2vec2": "waveform"}[side.kind]


def graph_name(geometry: Config, dtype: str, part: str = "model") -> str:
    """The file name of a shipped graph: family, sizes in the order of the dataclass, dtype of the weights."""
    family = family_of(geometry) if part == "model" else f"{family_of(geometry)}-{part}"
    values = dataclasses.astuple(geometry)
    return f"{family}-{'-'.join(map(_joined, values))}.{dtype}.onnx.gz"


def packed(graph: bytes) -> bytes:
    """A graph as it ships: node names and little else, so a tenth of its size."""
    return gzip.compress(graph, mtime=0)


def _joined(value: object) -> str:
    """A size, or several: 512 512 512 256 is 3of512x256, since paths on Windows are short."""
    if not isinstance(value, tuple):
        return str(value)
    runs = [(size, len(list(run))) for size, run in itertools.groupby(map(_joined, value))]
    return "x".join(size if count == 1 else f"{count}of{size}" for size, count in runs)


def find_graph(geometry: Config, dtype: str, part: str = "model") -> bytes:
    """A graph of a geometry whose weights file is in `dtype` (float32, float16; int8 for a SepFormer).

    Raises:
        RuntimeUnavailable: the geometry is not a shipped one and the `onnx` package is not installed.
    """
    shipped = resources.files("unbraid") / "assets" / "graphs" / graph_name(geometry, dtype, part)
    if shipped.is_file():
        return gzip.decompress(shipped.read_bytes())
    try:
        from unbraid.models.onnx.build import build_graph
    except ImportError:
        raise RuntimeUnavailable(
            "This network's sizes are not among the published ones, so its graph must be built: "
            "install the training extra (pip install 'unbraid[train]') and try again."
        ) from None
    return build_graph(geometry, dtype, part)
