"""int8 copies of the weights of SepFormers and RoFormers, made in NumPy.

Symmetric, one scale per output channel: w ≈ scale · round(w / scale), scale = max|w| / 127. Only the linear layers
of the Transformers are quantised, and those that estimate a RoFormer's masks; they are 97 % of the multiply-adds.
Weights are stored transposed, (inputs, outputs), as ONNX Runtime's integer product expects them.
"""

import re

import numpy as np

from unbraid.models.shapes import Shapes

METHOD = "symmetric, per output channel, 1"  # changes whenever the same weights would give another copy
LINEAR = re.compile(r"(\.layers\.\d+\.(attention\.(in|out)_proj|feed_(in|out))|^masks\.\d+\.\d+\.\d+)\.weight$")


def quantize(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """float32 or float16 tensors -> the tensors of model.int8.safetensors: int8 with scales, float32 elsewhere."""
    out = {}
    for name, value in tensors.items():
        value = value.astype(np.float32)
        if LINEAR.search(name):
            scale = np.maximum(np.abs(value).max(1), np.finfo(np.float32).tiny) / 127  # (outputs,)
            out[name] = np.round(value / scale[:, None]).astype(np.int8).T
            out[f"{name}.scale"] = scale
        else:
            out[name] = value
    return out


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
