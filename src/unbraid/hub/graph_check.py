"""Validation of a model folder's graph against its network, before it is opened.

An ONNX file is a program: it can name other files, call any operator, loop, and reach beyond the weights. Ours have the
network's inputs and outputs, some operators, constants of a few numbers, and initializers that are the tensors of the
weights file (see `models.onnx.builder`); a file with anything else is refused. The runtime itself folds nodes whose
inputs are constants while it opens a graph; in ours these only widen, slice or transpose weights. Source:
github.com/onnx/onnx, onnx/onnx.proto (field numbers).
"""

import math
from dataclasses import dataclass
from pathlib import Path

from unbraid.errors import ModelError, quoted
from unbraid.files.bounded import read_bytes
from unbraid.files.protobuf import Value, fields, number
from unbraid.models.family import FAMILIES
from unbraid.models.signatures import Axes, Signature
from unbraid.models.tensor_table import Stored, tensor_table

MOST_GRAPH_BYTES = 32 << 20
MOST_CONSTANT_BYTES = 4096
NODES_PER_TENSOR, MORE_NODES = 12, 200  # times `Config.GRAPH_SCALE`
BYTES_PER_TENSOR, MORE_BYTES = 1024, 1 << 17  # twice what ours have, at least
LARGEST_ATTRIBUTE = 1 << 20  # strides, sizes
LARGEST_CONSTANT = 1 << 16  # a size
LARGEST_SHAPE, MOST_AXES = 1 << 22, 8  # the product of all sizes in one constant; with more numbers it is no shape
BEYOND = 1 << 62  # ends a slice at the end of its axis
OPSETS = {"": (20,), "com.microsoft": (1,)}
FLOAT, INT64 = 1, 7
TYPES = {"F32": FLOAT, "F16": 10, "I8": 3, "U8": 2}  # of safetensors: of ONNX
FOLDED = {"Cast", "Slice", "Split", "Transpose", "Unsqueeze"}  # of constants
OF_THE_RUNTIME = {
    "BiasGelu",
    "DynamicQuantizeMatMul",
    "MatMulNBits",
    "MultiHeadAttention",
    "QuickGelu",
    "RotaryEmbedding",
}  # in its own domain, com.microsoft


def check_graph(path: Path, family: str, expected: Signature, weights: str) -> None:
    """Refuse a graph file that is not of the network's kind; `weights` is the file beside it that it may point into.

    Raises:
        ModelError: it is something else, or cannot be read.
    """
    table = tensor_table(path.with_name(weights))
    operators = FAMILIES[family].load("layout").OPERATORS
    try:
        scale = FAMILIES[family].config_type().GRAPH_SCALE * len(table)
        data = read_bytes(path, MORE_BYTES + BYTES_PER_TENSOR * scale)
        _check_model(data, _Allowed(operators, expected, weights, table, MORE_NODES + NODES_PER_TENSOR * scale))
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, IndexError) as error:
        raise ModelError(
            f"{path} cannot be opened by ONNX Runtime: it is not the graph of this network ({error}); pull or import "
            "the model again."
        ) from None


@dataclass(frozen=True)
class _Allowed:
    """The permitted contents of a graph."""

    operators: set[str]
    signature: Signature
    weights: str  # file
    table: dict[str, Stored]
    nodes: int  # at most


def _check_model(data: bytes, allowed: _Allowed) -> None:
    model = _message(data, "the model", once=(1, 2, 3, 4, 5, 6, 7), many=(8,))
    for opset in _all(model, 8):
        found = _message(opset, "an opset", once=(1, 2))
        domain, version = _text(found, 1), number(dict(found), 2)
        if version not in OPSETS.get(domain, ()):
            raise ValueError(f"it needs version {version} of the operators {quoted(domain)}")
    graphs = _all(model, 7)
    if len(graphs) != 1:
        raise ValueError("there is no graph in it")
    graph = _message(graphs[0], "the graph", once=(2, 10), many=(1, 5, 11, 12))
    _check_values(_all(graph, 11), allowed.signature.inputs, allowed.signature.integers)
    _check_values(_all(graph, 12), allowed.signature.outputs, ())
    constants = dict(_initializer(proto, allowed) for proto in _all(graph, 5))
    nodes = _all(graph, 1)
    if len(nodes) > allowed.nodes:
        raise ValueError(f"it has {len(nodes)} nodes")
    shapes = {name: allowed.table[name].shape for name in constants if name in allowed.table}
    for data in nodes:
        node = _message(data, "a node", once=(3, 4, 6, 7), many=(1, 2, 5))
        _check_node(node, constants, allowed.operators)
        _check_blocks(node, shapes)


def _check_values(protos: list[bytes], expected: dict[str, Axes], integers: tuple[str, ...]) -> None:
    """Compare inputs or outputs with the expected ones."""
    found = {}
    for proto in protos:
        value = _message(proto, "a value", once=(1, 2))
        kind = _message(_one(value, 2), "a type", once=(1,))
        tensor = _message(_one(kind, 1), "a type", once=(1, 2))
        axes = [_axis(axis) for axis in _all(_message(_one(tensor, 2), "a shape", many=(1,)), 1)]
        found[_text(value, 1)] = (number(dict(tensor), 1), axes)
    wanted = {
        name: (INT64 if name in integers else FLOAT, [axis if isinstance(axis, int) else None for axis in axes])
        for name, axes in expected.items()
    }
    if len(protos) != len(found) or found != wanted:
        raise ValueError(f"its inputs and outputs are not {', '.join(expected)} with the axes that these have")


def _axis(proto: bytes) -> int | None:
    """The size of an axis; None where it varies."""
    axis = dict(_message(proto, "an axis", once=(1, 2)))
    return number(axis, 1) if 1 in axis else None


def _initializer(proto: bytes, allowed: _Allowed) -> tuple[str, bool]:
    """A constant's name, and whether it ends slices; it is a tensor of the weights file, or a few numbers."""
    tensor = _message(proto, "an initializer", once=(2, 8, 9, 14), many=(1, 13))
    name, kind, found = _text(tensor, 8), number(dict(tensor), 2), dict(tensor)
    shape = tuple(value for field, value in tensor if field == 1)
    if number(found, 14) == 1:  # external
        entries = [_message(entry, "a place", once=(1, 2)) for entry in _all(tensor, 13)]
        place = {_text(entry, 1): _text(entry, 2) for entry in entries}
        stored = allowed.table.get(name)
        if stored is None or 9 in found or (TYPES.get(stored.dtype), stored.shape) != (kind, shape):
            raise ValueError(f"initializer {quoted(name)} is not a tensor of {allowed.weights}")
        wanted = {"location": allowed.weights, "offset": str(stored.offset), "length": str(stored.size)}
        if len(entries) != len(place) or place != wanted:
            raise ValueError(f"initializer {quoted(name)} points to {quoted(place)}")
        return name, False
    raw = found.get(9, b"")
    if 13 in found or kind not in (FLOAT, INT64) or not isinstance(raw, bytes) or len(raw) > MOST_CONSTANT_BYTES:
        raise ValueError(f"initializer {quoted(name)} is not a small constant")
    values = [int.from_bytes(raw[i : i + 8], "little", signed=True) for i in range(0, len(raw), 8)]
    sizes = [abs(value) for value in values if value not in (0, BEYOND)] if kind == INT64 else []
    if max(sizes, default=0) > LARGEST_CONSTANT or (len(sizes) <= MOST_AXES and math.prod(sizes) > LARGEST_SHAPE):
        raise ValueError(f"initializer {quoted(name)} holds a number that is too large")
    return name, kind == INT64 and BEYOND in values


def _check_node(node: list[tuple[int, Value]], constants: dict[str, bool], operators: set[str]) -> None:
    """Refuse other operators, attributes that are not numbers, and computation on constants; records the constants."""
    kind, domain = _text(node, 4), _text(node, 7)
    if kind not in operators or domain != ("com.microsoft" if kind in OF_THE_RUNTIME else ""):
        raise ValueError(f"it has the operator {quoted(f'{domain}.{kind}' if domain else kind)}")
    for attribute in _all(node, 5):
        parts = _message(attribute, "an attribute", once=(1, 2, 3, 13, 20), many=(8,))
        for value in (value for field, value in parts if field in (3, 8)):
            if not isinstance(value, int) or LARGEST_ATTRIBUTE < value < 2**64 - LARGEST_ATTRIBUTE:
                raise ValueError(f"an attribute of {kind} is {quoted(value)}")
    inputs = [value.decode() for value in _all(node, 1) if value]
    if kind != "Slice" and any(constants.get(name) for name in inputs):
        raise ValueError(f"{kind} has an input that only ends slices")
    if all(name in constants for name in inputs):
        if kind not in FOLDED:
            raise ValueError(f"it has a {kind} of constants ({quoted(_text(node, 3))})")
        constants.update(dict.fromkeys((value.decode() for value in _all(node, 2)), False))


def _check_blocks(node: list[tuple[int, Value]], shapes: dict[str, tuple[int, ...]]) -> None:
    """Refuse a product of blocks whose sizes are not those of its weight: the runtime might read beyond the weight.

    `shapes` are those of the weights; those of equal parts, into which a weight is cut along its first axis, are added.
    """
    kind, inputs = _text(node, 4), [value.decode() for value in _all(node, 1)]
    if kind not in ("Split", "MatMulNBits"):
        return
    sizes = {_text(parts, 1): number(dict(parts), 3) for parts in map(list, map(fields, _all(node, 5)))}
    if kind == "Split":
        parts, (rows, *others) = [value.decode() for value in _all(node, 2)], shapes.get(inputs[0], (1,))
        if parts and len(inputs) == 1 and not sizes.get("axis") and rows % len(parts) == 0:
            shapes.update(dict.fromkeys(parts, (rows // len(parts), *others)))
        return
    outputs, features, bits, block = (sizes.get(name, 0) for name in ("N", "K", "bits", "block_size"))
    blocks = outputs, features // max(block, 1)
    found = [shapes.get(name) for name in inputs[1:3]]
    if found != [(*blocks, block), blocks] or blocks[1] * block != features or bits != 8 or any(inputs[3:5]):
        raise ValueError("the sizes of a MatMulNBits are not those of its weight")


# --- messages whose fields are known ---


def _message(
    data: bytes, what: str, *, once: tuple[int, ...] = (), many: tuple[int, ...] = ()
) -> list[tuple[int, Value]]:
    """The fields of a message, which has no others; parsers would merge a message that is there twice."""
    found = list(fields(data))
    seen: set[int] = set()
    for field, _ in found:
        if field not in (*once, *many) or (field in seen and field not in many):
            raise ValueError(f"{what} has field {field}, which it should not have or has twice")
        seen.add(field)
    return found


def _all(message: list[tuple[int, Value]], field: int) -> list[bytes]:
    """The values of a field that are bytes."""
    found = [value for name, value in message if name == field]
    if not all(isinstance(value, bytes) for value in found):
        raise ValueError(f"field {field} is a number")
    return [value for value in found if isinstance(value, bytes)]


def _one(message: list[tuple[int, Value]], field: int) -> bytes:
    return next(iter(_all(message, field)), b"")


def _text(message: list[tuple[int, Value]], field: int) -> str:
    return _one(message, field).decode("utf-8")
