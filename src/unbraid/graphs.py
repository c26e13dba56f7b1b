"""Where the graphs of a network come from: shipped with the package for known geometries, else built.

A graph holds no weights, so one file serves every model of its (geometry, dtype). Most networks are one graph, "model";
one that writes symbol by symbol is two, "encoder" and "decoder", over the same weights. Building needs the `onnx`
package.
"""

import dataclasses
from importlib import resources

from unbraid.errors import RuntimeUnavailable
from unbraid.geometry import Geometry
from unbraid.spec import family_of

WEIGHTS_FILES = {"float32": "model.safetensors", "float16": "model.safetensors", "int8": "model.int8.safetensors"}


def graph_parts(geometry: Geometry) -> tuple[str, ...]:
    """The names of a network's graphs; in a model folder NAME.onnx."""
    return ("encoder", "decoder") if family_of(geometry) == "audio_transformer" else ("model",)


def graph_name(geometry: Geometry, dtype: str, part: str = "model") -> str:
    """The file name of a shipped graph: family, sizes in the order of the dataclass, dtype of the weights."""
    family = family_of(geometry) if part == "model" else f"{family_of(geometry)}-{part}"
    values = dataclasses.astuple(geometry)
    sizes = ("x".join(map(str, value)) if isinstance(value, tuple) else str(value) for value in values)
    return f"{family}-{'-'.join(sizes)}.{dtype}.onnx"


def find_graph(geometry: Geometry, dtype: str, part: str = "model") -> bytes:
    """A graph of a geometry whose weights file is in `dtype` (float32, float16; int8 for a SepFormer).

    Raises:
        RuntimeUnavailable: the geometry is not a shipped one and the `onnx` package is not installed.
    """
    shipped = resources.files("unbraid") / "assets" / "graphs" / graph_name(geometry, dtype, part)
    if shipped.is_file():
        return shipped.read_bytes()
    try:
        from unbraid.graph import build_graph
    except ImportError:
        raise RuntimeUnavailable(
            "This network's sizes are not among the published ones, so its graph must be built: "
            "install the training extra (pip install 'unbraid[train]') and try again."
        ) from None
    return build_graph(geometry, dtype, part)
