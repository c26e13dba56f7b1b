"""The networks as ONNX graphs without weights. Needs the `onnx` package (extra `train`).

`python -m unbraid.models.onnx FOLDER` writes the graphs that ship with the package.
"""

from unbraid.hub.graphs import ATTENTION, WEIGHTS_FILES
from unbraid.models.audio_transformer.config import AudioTransformerConfig
from unbraid.models.audio_transformer.graph.attention import attention_graph
from unbraid.models.audio_transformer.graph.model import audio_transformer_graph
from unbraid.models.band_split.config import BandSplitConfig
from unbraid.models.band_split.graph import band_split_graph
from unbraid.models.family import Config
from unbraid.models.quantize import quantized_signature
from unbraid.models.sepformer.config import SepFormerConfig
from unbraid.models.sepformer.graph import sepformer_graph
from unbraid.models.tensors import tensor_shapes
from unbraid.models.unet.graph import unet_graph
from unbraid.models.wav2vec2.config import Wav2Vec2Config
from unbraid.models.wav2vec2.graph import wav2vec2_graph


def build_graph(geometry: Config, dtype: str, part: str = "model") -> bytes:
    """A graph of a geometry (see `graphs.every_part`) whose weights file is in `dtype` (see `graphs.find_graph`)."""
    shapes = tensor_shapes(geometry)
    location = WEIGHTS_FILES[dtype]
    tensors = {name: (dtype, shape) for name, shape in shapes.items()}
    if isinstance(geometry, SepFormerConfig):
        return sepformer_graph(geometry, quantized_signature(shapes) if dtype == "int8" else tensors, location)
    if isinstance(geometry, BandSplitConfig):
        return band_split_graph(geometry, tensors, location)
    if isinstance(geometry, AudioTransformerConfig):
        if part == ATTENTION:
            return attention_graph(geometry, tensors, location)
        return audio_transformer_graph(geometry, part, tensors, location)
    if isinstance(geometry, Wav2Vec2Config):
        return wav2vec2_graph(geometry, tensors, location)
    return unet_graph(geometry, tensors, location)
