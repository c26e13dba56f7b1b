"""int8 copies of the weights of SepFormers, RoFormers and Whispers, made in NumPy.

Symmetric, one scale per output channel: w ≈ scale · round(w / scale), scale = max|w| / 127. Only the linear layers
of the Transformers are quantised, those that estimate a RoFormer's masks, and a Whisper's table of tokens, which is
also its last layer; they are 97 % of the multiply-adds. Weights are stored transposed, (inputs, outputs), as ONNX
Runtime's integer product expects them.
"""

import re
from collections.abc import Mapping

import numpy as np

from unbraid.models.shapes import Shapes
from unbraid.models.tensors import LazyTensors, shapes_of

METHOD = "symmetric, per output channel, 1"  # changes whenever the same weights would give another copy
LINEAR = re.compile(
    r"(\.layers\.\d+\.((self_|cross_)?attention\.(in|out)_proj|feed_(in|out))|^masks\.\d+\.\d+\.\d+|^back\.embedding)"
    r"\.weight$"
)


def quantize(tensors: Mapping[str, np.ndarray]) -> LazyTensors:
    """float32 or float16 tensors -> the tensors of model.int8.safetensors: int8 with scales, float32 elsewhere.

    They are computed one at a time, when they are asked for.
    """

    def quantized(name: str) -> np.ndarray:
        value = tensors[name.removesuffix(".scale")].astype(np.float32)
        if name in tensors and not LINEAR.search(name):
            return value
        scale = np.maximum(np.abs(value).max(1), np.finfo(np.float32).tiny) / 127  # (outputs,)
        return np.round(value / scale[:, None]).astype(np.int8).T if name in tensors else scale

    return LazyTensors(quantized_signature(shapes_of(tensors)), quantized)


def quantized_signature(shapes: Shapes) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Names, dtypes and shapes of the result of `quantize` for a geometry's tensors."""
    signature: dict[str, tuple[str, tuple[int, ...]]] = {}
    for name, shape in shapes.items():
        if LINEAR.search(name):
            signature[name] = ("int8", shape[::-1])
            signature[f"{name}.scale"] = ("float32", shape[:1])
        else:
            signature[name] = ("float32", shape)
    return signature
