"""The inputs and outputs of a network's graphs: names, axes and types.

Graphs are built with these (`graph.py`). A graph in a model folder is compared with them before it is opened
(`hub.graph_check`), and so are its outputs (`check_outputs`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from unbraid.errors import ModelError

Arrays = dict[str, np.ndarray]
Axes = list[str | int]  # a size, or the name of one that varies: N, or what follows from it as "N * 4" or "n + 1"


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs of a graph, by name; float32, but for the integers, which are int64."""

    inputs: dict[str, Axes]
    outputs: dict[str, Axes]
    integers: tuple[str, ...] = ()  # of the inputs


def check_outputs(expected: Signature, inputs: Arrays, outputs: Arrays, name: str) -> None:
    """Compare what a graph returned with its signature, and look for NaN and infinity.

    Raises:
        ModelError: it is something else; `name` is the model's.
    """
    sizes = dict(_varying(expected, inputs))
    for key, axes in expected.outputs.items():
        value = outputs[key]
        if value.dtype != np.float32 or not _has_axes(value.shape, axes, sizes):
            raise ModelError(
                f"{name}: its graph returns {key} as {value.dtype} {value.shape}, which this network never does; "
                "pull or import the model again."
            )
        if not np.isfinite(value).all():
            raise ModelError(
                f"{name}: its network returns NaN or infinity in {key}; the model is damaged, or was never trained."
            )


def _varying(expected: Signature, inputs: Arrays) -> Iterator[tuple[str, int]]:
    """The sizes that vary, by the names of their axes, as far as the inputs tell: N from an axis "N * 4"."""
    for name, axes in expected.inputs.items():
        for axis, size in zip(axes, inputs[name].shape, strict=True):
            if isinstance(axis, str):
                symbol, times, plus = _terms(axis)
                yield symbol, (size - plus) // times


def _has_axes(shape: tuple[int, ...], axes: Axes, sizes: dict[str, int]) -> bool:
    """Whether a shape has these axes; one whose size no input tells may have any."""
    if len(shape) != len(axes):
        return False
    for size, axis in zip(shape, axes, strict=True):
        symbol, times, plus = _terms(axis) if isinstance(axis, str) else ("", 1, axis)
        if size != sizes.get(symbol, 0 if not symbol else (size - plus) // times) * times + plus:
            return False
    return True


def axis_size(axis: str | int, sizes: dict[str, int]) -> int:
    """The size of an axis, given the sizes that vary."""
    symbol, times, plus = _terms(axis) if isinstance(axis, str) else ("", 1, axis)
    return sizes.get(symbol, 0) * times + plus


def _terms(axis: str) -> tuple[str, int, int]:
    """The axis "N * 4" is N times 4 plus 0, "n + 1" n times 1 plus 1."""
    symbol, _, rest = axis.partition(" ")
    operator, _, number = rest.partition(" ")
    return (symbol, int(number), 0) if operator == "*" else (symbol, 1, int(number or 0))
