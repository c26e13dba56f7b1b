"""The result of an importer: weights under our names, and their spec."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from unbraid.errors import ModelError, quoted
from unbraid.hub.spec import ModelSpec
from unbraid.models.tensors import is_finite


@dataclass(frozen=True)
class Checkpoint:
    """A published checkpoint, read: the content of a model folder without its graph."""

    tensors: Mapping[str, np.ndarray]  # by name; our names and layouts (`models.family.tensor_shapes`), contiguous
    spec: ModelSpec  # no files yet
    files: Mapping[str, bytes] = field(default_factory=dict)  # of the model folder, besides weights and graphs
    dtype: str = "float32"  # of the tensors, in which the model folder keeps them; or float16


def size_of(tensors: Mapping[str, np.ndarray], name: str, axis: int, path: Path, network: str) -> int:
    """The size of an axis of a tensor that the sizes of a network are read from.

    Raises:
        ModelError: there is no such tensor, or it has no such axis, or nothing in it.
    """
    shape: tuple[int, ...] = tensors[name].shape if name in tensors else ()
    if len(shape) <= axis or not shape[axis]:
        raise ModelError(f"{path}: tensor {name!r} is missing or has no size; is this {network}?")
    return shape[axis]


def as_weight(tensor: np.ndarray, name: str, where: str, dtype: str = "float32") -> np.ndarray:
    """Widen (or narrow) a tensor to contiguous float32, or another type.

    Raises:
        ModelError: the tensor is not of floating point, or holds NaN or infinity.
    """
    if tensor.dtype.kind != "f":
        raise ModelError(f"{where}: tensor {quoted(name)} is {tensor.dtype}, expected a floating-point type.")
    with np.errstate(over="ignore"):  # a float64 too large for float32 becomes the infinity refused below
        weight = np.ascontiguousarray(tensor, dtype=dtype)
    if not is_finite(weight):
        raise ModelError(f"{where}: tensor {quoted(name)} holds NaN or infinity; the checkpoint is damaged.")
    return weight


def normed(g: np.ndarray, v: np.ndarray, axes: tuple[int, ...], what: str, path: Path) -> np.ndarray:
    """The float32 weight g v / |v| of a weight norm (Salimans and Kingma, arXiv 1602.07868), over axes of v.

    The length of a direction is a sum of many squares, taken in float64.

    Raises:
        ModelError: a direction has length 0; `what` names the tensor.
    """
    length = np.sqrt(np.square(v, dtype=np.float64).sum(axes, keepdims=True))
    if not length.all():
        raise ModelError(f"{path}: {what} has a direction of length 0; the checkpoint is damaged.")
    return np.ascontiguousarray(v * (g / length), dtype=np.float32)
