"""Sizes of a product of blocks that are not those of its weight, beyond which the runtime might read."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine_fakes import weights
from unbraid.errors import ModelError
from unbraid.hub.graph_check import check_graph
from unbraid.models.audio_transformer.whisper import whisper_config
from unbraid.models.family import WEIGHTS_FILES, signature
from unbraid.models.quantize import quantize
from unbraid.models.tensors import write_weights

onnx = pytest.importorskip("onnx")
from hostile_graphs import changed  # noqa: E402

from unbraid.models.onnx.build import build_graph  # noqa: E402

GEOMETRY = whisper_config(64, 4, (1, 1), symbols=99, steps=(50, 40))
SIZES = {"N": 65, "K": 96, "bits": 4, "block_size": 64}


def products(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type == "MatMulNBits"]


def sized(name: str, value: int) -> Callable[[onnx.ModelProto], None]:
    """Another size of the last product, that of the logits."""
    return lambda m: setattr(next(one for one in products(m)[-1].attribute if one.name == name), "i", value)


def zeros_of_its_own(m: onnx.ModelProto) -> None:
    products(m)[-1].input.extend([products(m)[-1].input[1]])


def computed(m: onnx.ModelProto) -> None:
    products(m)[-1].input[1] = m.graph.node[0].output[0]


def cut_otherwise(m: onnx.ModelProto) -> None:
    """Thirds of another axis."""
    taken = {node.input[1] for node in products(m)}
    split = next(node for node in m.graph.node if node.op_type == "Split" and node.output[0] in taken)
    next(one for one in split.attribute if one.name == "axis").i = 1


CHANGES = {name: sized(name, value) for name, value in SIZES.items()} | {
    "zero points": zeros_of_its_own, "a weight that is computed": computed, "thirds of another axis": cut_otherwise,
}  # fmt: skip


def check(folder: Path, graph: bytes) -> None:
    write_weights(folder / WEIGHTS_FILES["int8"], quantize(weights(GEOMETRY)))
    (folder / "decoder.int8.onnx").write_bytes(graph)
    expected = signature(GEOMETRY, "decoder")
    check_graph(folder / "decoder.int8.onnx", "audio_transformer", expected, WEIGHTS_FILES["int8"])


def test_its_own_graph_is_opened(tmp_path: Path) -> None:
    check(tmp_path, build_graph(GEOMETRY, "int8", "decoder"))


@pytest.mark.parametrize("kind", CHANGES)
def test_other_sizes_are_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ModelError, match="the sizes of a MatMulNBits are not those of its weight"):
        check(tmp_path, changed(build_graph(GEOMETRY, "int8", "decoder"), CHANGES[kind]))
