"""Where the graph of a network comes from: shipped with the package for known sizes, else built with `onnx`.

A graph holds no weights, so one file serves every model of its (sizes, dtype).
"""

from importlib import resources

from unbraid.errors import RuntimeUnavailable
from unbraid.models.config import Config
from unbraid.models.graph_files import graph_name, unpacked


def find_graph(geometry: Config, dtype: str, part: str = "model") -> bytes:
    """A graph of a geometry whose weights file is in `dtype` (float32, float16; int8 for a SepFormer).

    Raises:
        RuntimeUnavailable: the geometry is not a shipped one and the `onnx` package is not installed.
    """
    name = graph_name(geometry, dtype, part)
    shipped = resources.files("unbraid") / "assets" / "graphs" / name
    if shipped.is_file():
        return unpacked(shipped.read_bytes(), name)
    try:
        from unbraid.models.onnx.build import build_graph
    except ImportError:
        raise RuntimeUnavailable(
            "This network's sizes are not among the published ones, so its graph must be built: "
            "install the training extra (pip install 'unbraid[train]') and try again."
        ) from None
    return build_graph(geometry, dtype, part)
