"""The ONNX graphs of the audio Transformer."""

from unbraid.models.audio_transformer.config import ATTENTION, AudioTransformerConfig
from unbraid.models.audio_transformer.graph.attention import attention_graph
from unbraid.models.audio_transformer.graph.model import audio_transformer_graph
from unbraid.models.audio_transformer.graph.prompted import prompted_graph
from unbraid.models.onnx.builder import Tensors


def build(geometry: AudioTransformerConfig, tensors: Tensors, location: str, part: str = "model") -> bytes:
    """A graph of a network: "model", or "encoder", "decoder", "post", or "attention"."""
    if part == ATTENTION:
        return attention_graph(geometry, tensors, location)
    if part == "decoder" and geometry.takes_prompts:
        return prompted_graph(geometry, tensors, location)
    return audio_transformer_graph(geometry, part, tensors, location)
