"""The networks as ONNX graphs without weights. Needs the `onnx` package (extra `train`).

python -m unbraid.graph FOLDER      # write the graphs that ship with the package
"""

from unbraid.geometry import AudioTransformerGeometry, Geometry, SepFormerGeometry
from unbraid.graph.audio_transformer import decoder_graph, encoder_graph
from unbraid.graph.sepformer import sepformer_graph
from unbraid.graph.unet import unet_graph
from unbraid.graphs import WEIGHTS_FILES
from unbraid.quantize import quantized_signature
from unbraid.weights import tensor_shapes


def build_graph(geometry: Geometry, dtype: str, part: str = "model") -> bytes:
    """A graph of a geometry (see `graphs.graph_parts`) whose weights file is in `dtype` (see `graphs.find_graph`)."""
    shapes = tensor_shapes(geometry)
    location = WEIGHTS_FILES[dtype]
    tensors = {name: (dtype, shape) for name, shape in shapes.items()}
    if isinstance(geometry, SepFormerGeometry):
        return sepformer_graph(geometry, quantized_signature(shapes) if dtype == "int8" else tensors, location)
    if isinstance(geometry, AudioTransformerGeometry):
        return (encoder_graph if part == "encoder" else decoder_graph)(geometry, tensors, location)
    return unet_graph(geometry, tensors, location)
