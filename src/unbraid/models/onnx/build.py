"""The networks as ONNX graphs without weights. Needs the `onnx` package (extra `train`).

`python -m unbraid.models.onnx FOLDER` writes the graphs that ship with the package.
"""

from unbraid.models.config import Config
from unbraid.models.family import WEIGHTS_FILES, module_of, tensor_shapes
from unbraid.models.quantize import quantized_signature


def build_graph(geometry: Config, dtype: str, part: str = "model") -> bytes:
    """A graph of a network (see `Config.graphs`) whose weights file is in `dtype` (see `hub.graphs.find_graph`)."""
    shapes = tensor_shapes(geometry)
    tensors = {name: (dtype, shape) for name, shape in shapes.items()}
    if dtype == "int8":
        tensors = quantized_signature(shapes)
    return module_of(geometry, "graph").build(geometry, tensors, WEIGHTS_FILES[dtype], part)
