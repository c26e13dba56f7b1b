"""What the graphs of model folders point at."""

import onnx

from unbraid.models.onnx.builder import Tensors


def unused(graph: bytes, tensors: Tensors) -> list[str]:
    """Names of the tensors that no initializer of the graph points at."""
    used = {proto.name for proto in onnx.load_from_string(graph).graph.initializer}
    return sorted(tensors.keys() - used)
