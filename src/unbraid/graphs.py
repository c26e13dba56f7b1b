"""Where the graph of a network comes from: shipped with the package for known geometries, else built.

A graph holds no weights, so one file serves every model of its (geometry, dtype). Building needs the `onnx` package.
"""

import dataclasses
from importlib import resources

from unbraid.errors import RuntimeUnavailable
from unbraid.geometry import Geometry, SepFormerGeometry

WEIGHTS_FILES = {"float32": "model.safetensors", "float16": "model.safetensors", "int8": "model.int8.safetensors"}


def graph_name(geometry: Geometry, dtype: str) -> str:
    """The file name of a shipped graph: family, sizes in the order of the dataclass, dtype of the weights."""
    family = "sepformer" if isinstance(geometry, SepFormerGeometry) else "unet"
    values = dataclasses.astuple(geometry)
    sizes = ("x".join(map(str, value)) if isinstance(value, tuple) else str(value) for value in values)
    return f"{family}-{'-'.join(sizes)}.{dtype}.onnx"


def find_graph(geometry: Geometry, dtype: str) -> bytes:
    """The graph of a geometry whose weights file is in `dtype` (float32, float16 or int8).

    Raises:
        RuntimeUnavailable: the geometry is not a shipped one and the `onnx` package is not installed.
    """
    shipped = resources.files("unbraid") / "assets" / "graphs" / graph_name(geometry, dtype)
    if shipped.is_file():
        return shipped.read_bytes()
    try:
        from unbraid.graph import build_graph
    except ImportError:
        raise RuntimeUnavailable(
            "This network's sizes are not among the published ones, so its graph must be built: "
            "install the training extra (pip install 'unbraid[train]') and try again."
        ) from None
    return build_graph(geometry, dtype)
