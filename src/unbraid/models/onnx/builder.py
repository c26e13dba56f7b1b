"""A graph without weights: ONNX nodes whose initializers point into a safetensors file.

The graphs are written here, node by node, rather than traced from the torch modules. Traced graphs are several
times larger, with folded and renamed weights, and miss the runtime's fused operators, which are worth a third of
the time; a test compares the two descriptions of each network. Needs the `onnx` package, which the run side
never imports.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from unbraid.models.signatures import Signature
from unbraid.models.tensors import tensor_offsets

OPSET = 20
CONTRIB = "com.microsoft"  # operators of ONNX Runtime itself
TYPES = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "int8": TensorProto.INT8,
    "uint8": TensorProto.UINT8,
}
FLOAT, INT32 = TensorProto.FLOAT, TensorProto.INT32
Attribute = int | float | list[int]
Tensors = dict[str, tuple[str, tuple[int, ...]]]  # name: (dtype, shape)


class Graph:
    """Collects nodes; every method that adds one returns the name of its (first) output."""

    def __init__(self, tensors: Tensors, location: str):
        """`tensors` is everything in the weights file `location`, whose offsets follow from it."""
        self._tensors = tensors
        self._offsets = tensor_offsets(tensors)
        self._location = location
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, TensorProto] = {}
        self._loaded: dict[str, str] = {}
        self._constants: dict[tuple[object, ...], str] = {}

    def op(self, kind: str, *inputs: str, domain: str = "", outputs: int = 1, **attributes: Attribute) -> str:
        """Add a node; with several outputs they are called NAME, NAME.1, NAME.2, …"""
        name = f"{kind}_{len(self._nodes)}"
        names = [name] + [f"{name}.{i}" for i in range(1, outputs)]
        self._nodes.append(helper.make_node(kind, inputs, names, name, None, domain, None, **attributes))
        return name

    def constant(self, values: np.ndarray | np.integer | list[int] | float) -> str:
        """A small constant inside the graph: int64 for ints, float32 for floats."""
        array = np.asarray(values)
        array = array.astype(np.int64 if array.dtype.kind == "i" else np.float32)
        key = (array.shape, array.dtype.str, array.tobytes())
        if key not in self._constants:
            self._constants[key] = name = f"constant_{len(self._constants)}"
            self._initializers[name] = numpy_helper.from_array(array, name)
        return self._constants[key]

    def weight(self, name: str) -> str:
        """A tensor of the weights file; float16 is widened by a Cast, which the runtime folds when it loads."""
        if name not in self._loaded:
            dtype, shape = self._tensors[name]
            offset, size = self._offsets[name]
            proto = TensorProto(name=name, data_type=TYPES[dtype], dims=shape)
            proto.data_location = TensorProto.EXTERNAL
            for key, value in (("location", self._location), ("offset", offset), ("length", size)):
                proto.external_data.add(key=key, value=str(value))
            self._initializers[name] = proto
            self._loaded[name] = self.op("Cast", name, to=TensorProto.FLOAT) if dtype == "float16" else name
        return self._loaded[name]

    def split_weight(self, name: str, axis: int, parts: int) -> str:
        """A weight cut into equal parts along `axis`; the parts are called NAME, NAME.1, NAME.2, …"""
        key = f"{name} in {parts}"
        if key not in self._loaded:
            self._loaded[key] = self.op("Split", self.weight(name), axis=axis, num_outputs=parts, outputs=parts)
        return self._loaded[key]

    def has(self, name: str) -> bool:
        """Whether the weights file holds a tensor of that name."""
        return name in self._tensors

    def shape_of(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor of the weights file."""
        return self._tensors[name][1]

    def vector(self, *values: int | list[int] | str) -> str:
        """Integers (n,): numbers, lists of them, and tensors, one behind the other."""
        lists = [[v] if isinstance(v, int) else v for v in values]
        if all(isinstance(v, list) for v in lists):
            return self.constant([size for v in lists if isinstance(v, list) for size in v])
        parts = [v if isinstance(v, str) else self.constant(v) for v in lists]
        return parts[0] if len(parts) == 1 else self.op("Concat", *parts, axis=0)

    def reshape(self, x: str, *sizes: int | list[int] | str) -> str:
        """Reshape to sizes as `vector` takes them; ONNX's 0 keeps an axis, -1 infers one."""
        return self.op("Reshape", x, self.vector(*sizes))

    def transpose(self, x: str, *order: int) -> str:
        """Put the axes in this order."""
        return self.op("Transpose", x, perm=list(order))

    def unsqueeze(self, x: str, *axes: int) -> str:
        """Insert axes of length one."""
        return self.op("Unsqueeze", x, self.constant(list(axes)))

    def squeeze(self, x: str, axis: int) -> str:
        """Drop an axis of length one."""
        return self.op("Squeeze", x, self.constant([axis]))

    def steps(self, end: str, first: str | None = None) -> str:
        """The numbers (N,) from `first` (none: 0) to before `end`, tensors of one element."""
        stop = self.squeeze(end, 0)
        start = self.squeeze(first, 0) if first else self.constant(np.int64(0))
        return self.op("Range", start, stop, self.constant(np.int64(1)))

    def size(self, x: str, axis: int) -> str:
        """The length of one axis, as a tensor of one element."""
        return self.op("Shape", x, start=axis, end=axis + 1)

    def slice(self, x: str, start: int | str, end: int | str, axis: int) -> str:
        """x[start:end] along `axis`; a bound is a number or the name of a tensor of one element."""
        first, last = (self.constant([b]) if isinstance(b, int) else b for b in (start, end))
        return self.op("Slice", x, first, last, self.constant([axis]))

    def model(self, signature: Signature, nodes: dict[str, str]) -> bytes:
        """The finished model, with the node of each output that the signature names."""
        for name in signature.outputs:
            self._nodes.append(helper.make_node("Identity", [nodes[name]], [name], name))
        graph = helper.make_graph(
            self._nodes,
            "unbraid",
            [
                helper.make_tensor_value_info(n, TensorProto.INT64 if n in signature.integers else TensorProto.FLOAT, s)
                for n, s in signature.inputs.items()
            ],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in signature.outputs.items()],
            list(self._initializers.values()),
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=10, producer_name="unbraid")
        return bytes(model.SerializeToString(deterministic=True))
