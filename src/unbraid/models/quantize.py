"""int8 copies of the weights of SepFormers, RoFormers and Whispers, made in NumPy.

Symmetric: w ≈ scale · round(w / scale), scale = max|w| / 127. Only the linear layers of the Transformers are quantised,
those that estimate a RoFormer's masks, and a Whisper's table of tokens, which is also its last layer; they are 97 % of
the multiply-adds. There are two forms, one for each of ONNX Runtime's products:

    channels   one scale for each output: int8 (inputs, outputs), scales (outputs,)
    blocks     one scale for each `BLOCK` inputs of an output: uint8 (outputs, blocks, BLOCK), 128 more than the rounded
               values, scales (outputs, blocks)

Whispers have blocks. Their activations are rounded block by block, too, each token for itself, so that a loud feature
costs only those next to it. A weight whose inputs are no whole blocks stays float32; no published one is such.
"""

import re
from collections.abc import Mapping

import numpy as np

from unbraid.models.shapes import Shapes
from unbraid.models.tensors import LazyTensors, shapes_of

METHOD = "symmetric, per output channel or block, 2"  # changes whenever the same weights would give another copy
LINEAR = re.compile(
    r"(\.layers\.\d+\.((self_|cross_)?attention\.(in|out)_proj|feed_(in|out))|^masks\.\d+\.\d+\.\d+|^back\.embedding)"
    r"\.weight$"
)
IN_BLOCKS = re.compile(r"^((encoder|decoder)\.layers|back\.embedding)\.")  # of the audio Transformer
BLOCK = 32
ZERO = 128  # the number that stands for 0 in a block


def quantize(tensors: Mapping[str, np.ndarray]) -> LazyTensors:
    """float32 or float16 tensors -> the tensors of model.int8.safetensors: integers with scales, float32 elsewhere.

    They are computed one at a time, when they are asked for.
    """
    signature = quantized_signature(shapes_of(tensors))

    def quantized(name: str) -> np.ndarray:
        weight = name if name in tensors else name.removesuffix(".scale")
        value, kind = tensors[weight].astype(np.float32), signature[weight][0]
        if kind == "float32":
            return value
        if kind == "uint8":
            value = value.reshape(signature[weight][1])  # (outputs, blocks, BLOCK)
        scale = np.maximum(np.abs(value).max(-1), np.finfo(np.float32).tiny) / 127  # (outputs,) or (outputs, blocks)
        if name != weight:
            return scale
        small = np.round(value / scale[..., None])
        return (small + ZERO).astype(np.uint8) if kind == "uint8" else small.astype(np.int8).T

    return LazyTensors(signature, quantized)


def quantized_signature(shapes: Shapes) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Names, dtypes and shapes of the result of `quantize` for a geometry's tensors."""
    signature: dict[str, tuple[str, tuple[int, ...]]] = {}
    for name, shape in shapes.items():
        if not LINEAR.search(name) or (IN_BLOCKS.match(name) and shape[1] % BLOCK):
            signature[name] = ("float32", shape)
        elif IN_BLOCKS.match(name):
            blocks = shape[1] // BLOCK
            signature[name] = ("uint8", (shape[0], blocks, BLOCK))
            signature[f"{name}.scale"] = ("float32", (shape[0], blocks))
        else:
            signature[name] = ("int8", shape[::-1])
            signature[f"{name}.scale"] = ("float32", shape[:1])
    return signature
