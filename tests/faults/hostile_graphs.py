"""Graphs of a U-Net that are not its own: each differs in one thing. Some of them ONNX Runtime would open."""

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Change = Callable[[onnx.ModelProto], object]


def changed(graph: bytes, change: Change) -> bytes:
    """A graph with a change."""
    model = onnx.load_from_string(graph)
    change(model)
    return bytes(model.SerializeToString())


def node(kind: str, *inputs: str, domain: str = "", **attributes: object) -> Change:
    """One more node, whose output nobody needs."""
    return lambda m: m.graph.node.insert(
        0, helper.make_node(kind, list(inputs), [f"more_{kind}"], domain=domain, **attributes)
    )


def all_of(*changes: Change) -> Change:
    return lambda m: [change(m) for change in changes]


def constant(name: str, values: object, kind: type = np.int64) -> Change:
    return lambda m: m.graph.initializer.append(numpy_helper.from_array(np.array(values, kind), name))


def outside(m: onnx.ModelProto) -> TensorProto:
    """The first of the weights."""
    return next(proto for proto in m.graph.initializer if proto.external_data)


def place(key: str, value: str) -> Change:
    """Another place of the weights."""
    return lambda m: setattr(next(entry for entry in outside(m).external_data if entry.key == key), "value", value)


def loop(m: onnx.ModelProto) -> None:
    """A loop of 2^16 rounds."""
    count = helper.make_tensor_value_info("i", TensorProto.INT64, [])
    go, on = (helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("go", "on"))
    body = helper.make_graph([helper.make_node("Identity", ["go"], ["on"])], "body", [count, go], [on])
    constant("rounds", 2**16)(m)
    m.graph.node.insert(0, helper.make_node("Loop", ["rounds", ""], [], body=body))


def function(m: onnx.ModelProto) -> None:
    one = helper.make_node("Identity", ["x"], ["y"])
    m.functions.append(helper.make_function("mine", "Same", ["x"], ["y"], [one], [helper.make_opsetid("", 20)]))


def axis(value: onnx.ValueInfoProto, i: int, size: int) -> None:
    value.type.tensor_type.shape.dim[i].dim_value = size


def wide_constant(m: onnx.ModelProto) -> None:
    """A constant that is not in the weights."""
    m.graph.initializer.append(numpy_helper.from_array(np.zeros(2000, np.float32), "wide"))


def more_operators(m: onnx.ModelProto) -> None:
    m.opset_import.append(helper.make_opsetid("evil", 1))


def text_constant(m: onnx.ModelProto) -> None:
    m.graph.initializer.append(helper.make_tensor("t", TensorProto.STRING, [1], [b"x"]))


def many_nodes(m: onnx.ModelProto) -> None:
    m.graph.node.extend([helper.make_node("Relu", ["magnitude"], [f"r{i}"]) for i in range(9000)])


def shapeless(m: onnx.ModelProto) -> None:
    m.graph.output[0].type.tensor_type.ClearField("shape")


def typed(m: onnx.ModelProto) -> None:
    m.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE


def branch(m: onnx.ModelProto) -> None:
    m.graph.node[0].attribute.append(helper.make_attribute("then", m.graph))


OTHER_ENDS = "its inputs and outputs are not"
FOLDED = all_of(constant("n", [1 << 16]), constant("x", [1]), node("Reshape", "x", "n"))
SLICED = all_of(constant("n", [1 << 62]), node("Reshape", "magnitude", "n"))
CHANGES: dict[str, tuple[Change, str]] = {
    "a loop": (loop, "it has the operator 'Loop'"),
    "an operator of no network": (node("Det", "magnitude"), "it has the operator 'Det'"),
    "an operator of another network": (node("Gather", "magnitude", "magnitude"), "it has the operator 'Gather'"),
    "an operator of another domain": (node("Relu", "magnitude", domain="evil"), "it has the operator 'evil.Relu'"),
    "operators of another library": (more_operators, "of the operators 'evil'"),
    "operators of another time": (lambda m: setattr(m.opset_import[0], "version", 99), "it needs version 99"),
    "a function": (function, "the model has field 25"),
    "settings of its own": (lambda m: m.metadata_props.add(key="a", value="b"), "the model has field 14"),
    "another input": (lambda m: setattr(m.graph.input[0], "name", "noise"), OTHER_ENDS),
    "one more input": (lambda m: m.graph.input.append(m.graph.output[0]), OTHER_ENDS),
    "an input of another type": (typed, OTHER_ENDS),
    "an input of a fixed length": (lambda m: axis(m.graph.input[0], 2, 7), OTHER_ENDS),
    "another output": (lambda m: setattr(m.graph.output[0], "name", "noise"), OTHER_ENDS),
    "an output of other stems": (lambda m: axis(m.graph.output[0], 1, 7), OTHER_ENDS),
    "an output without a shape": (shapeless, OTHER_ENDS),
    "weights of another file": (place("location", "/etc/passwd"), "points to"),
    "weights above the folder": (place("location", "../model.safetensors"), "points to"),
    "weights at another place": (place("offset", "8"), "points to"),
    "weights without an end": (place("length", str(2**62)), "points to"),
    "weights of another type": (lambda m: setattr(outside(m), "data_type", 11), "is not a tensor of model.safetensors"),
    "weights of another shape": (lambda m: outside(m).dims.append(1), "is not a tensor of model.safetensors"),
    "weights inside": (wide_constant, "initializer 'wide' is not a small constant"),
    "a text as a constant": (text_constant, "an initializer has field 6"),
    "work on constants": (FOLDED, "it has a Reshape of constants"),
    "a number too large": (constant("n", [1 << 50]), "initializer 'n' holds a number that is too large"),
    "half a million zeros around": (constant("n", [1 << 19, 0]), "initializer 'n' holds a number that is too large"),
    "a shape too large": (constant("n", [1 << 13, -(1 << 13)]), "initializer 'n' holds a number that is too large"),
    "a number for slices": (SLICED, "has an input that only ends slices"),
    "an attribute too large": (node("Conv", "magnitude", "magnitude", pads=[1 << 40] * 4), "an attribute of Conv is"),
    "an attribute that is a graph": (branch, "an attribute has field 6"),
    "many nodes": (many_nodes, "nodes"),
    "nothing": (lambda m: m.Clear(), "there is no graph in it"),
}  # fmt: skip
