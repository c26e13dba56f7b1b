"""The networks as ONNX graphs without weights. Needs the `onnx` package (extra `train`).

python -m unbraid.graph FOLDER      # write the graphs that ship with the package
"""

from unbraid.geometry import Geometry, SepFormerGeometry
from unbraid.graph.sepformer import sepformer_graph
from unbraid.graph.unet import unet_graph
from unbraid.graphs import WEIGHTS_FILES
from unbraid.quantize import quantized_signature
from unbraid.weights import tensor_shapes


def build_graph(geometry: Geometry, dtype: str) -> bytes:
    """The graph of a geometry whose weights file is in `dtype` (float32, float16; int8 for a SepFormer)."""
    shapes = tensor_shapes(geometry)
    location = WEIGHTS_FILES[dtype]
    tensors = {name: (dtype, shape) for name, shape in shapes.items()}
    if isinstance(geometry, SepFormerGeometry):
        return sepformer_graph(geometry, quantized_signature(shapes) if dtype == "int8" else tensors, location)
    return unet_graph(geometry, tensors, location)
