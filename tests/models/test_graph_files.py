"""Graphs hold no weights but point at them, and those that ship are the ones this code would write."""

import dataclasses
import gzip
import hashlib
import json
import math
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from engine_fakes import HTDEMUCS, MEL_ROFORMER, MOSS, MUSIC, SPEECH, TEXT, weights
from unbraid.errors import RuntimeUnavailable
from unbraid.hub import graphs
from unbraid.hub.graphs import find_graph
from unbraid.hub.spec import ModelSpec, parse_spec
from unbraid.models.audio_transformer.whisper import PUBLISHED as WHISPERS
from unbraid.models.config import Config
from unbraid.models.family import WEIGHTS_FILES, tensor_shapes
from unbraid.models.graph_files import graph_name, unpacked
from unbraid.models.quantize import quantize, quantized_signature
from unbraid.models.sepformer.config import SepFormerConfig
from unbraid.models.tensors import tensor_offsets, write_weights
from unbraid.models.unet.config import UNetConfig

onnx = pytest.importorskip("onnx")

from graph_files import unused  # noqa: E402
from unbraid.models.onnx.__main__ import PUBLISHED, dtypes_of, main  # noqa: E402
from unbraid.models.onnx.build import build_graph  # noqa: E402

SHIPPED = [
    (geometry, dtype, part) for geometry in PUBLISHED for dtype in dtypes_of(geometry) for part in geometry.graphs
]


def external(graph: bytes) -> dict[str, dict[str, str]]:
    """What each initializer that is not in the graph says of its place."""
    initializers = onnx.load_from_string(graph).graph.initializer
    return {
        proto.name: {entry.key: entry.value for entry in proto.external_data}
        for proto in initializers
        if proto.data_location == onnx.TensorProto.EXTERNAL
    }


def products(graph: bytes) -> list[str]:
    """The integer matrix products of a graph."""
    nodes = onnx.load_from_string(graph).graph.node
    return [node.input[1] for node in nodes if node.op_type in ("DynamicQuantizeMatMul", "MatMulNBits")]


@pytest.mark.parametrize(("geometry", "dtype", "part"), SHIPPED, ids=lambda value: str(value)[:24])
def test_shipped_graphs_are_what_the_code_writes_today(geometry: Config, dtype: str, part: str) -> None:
    name = graph_name(geometry, dtype, part)
    shipped = unpacked((resources.files("unbraid") / "assets" / "graphs" / name).read_bytes(), name)
    built = build_graph(geometry, dtype, part)
    assert hashlib.sha256(shipped).hexdigest() == hashlib.sha256(built).hexdigest(), (
        "run `python -m unbraid.models.onnx src/unbraid/assets/graphs`"
    )


def packaged() -> dict[Traversable, ModelSpec]:
    folders = (resources.files("unbraid") / "assets" / "models").iterdir()
    return {folder: parse_spec(json.loads((folder / "spec.json").read_text()), str(folder)) for folder in folders}


def packaged_int8() -> set[Config]:
    """The packaged models' geometries that have an int8 graph beside the published ones'."""
    return {spec.geometry for spec in packaged().values() if isinstance(spec.geometry, SepFormerConfig)}


def test_packaged_models_have_the_graphs_that_the_code_writes_today() -> None:
    graphs = resources.files("unbraid") / "assets" / "graphs"
    for geometry in packaged_int8():
        assert gzip.decompress((graphs / graph_name(geometry, "int8")).read_bytes()) == build_graph(geometry, "int8")
    for folder, spec in packaged().items():
        for part in (
            part for part in (*spec.geometry.graphs, *spec.geometry.optional_graphs) if f"{part}.onnx" in spec.files
        ):
            kept = (folder / f"{part}.onnx").read_bytes()
            assert kept in [build_graph(spec.geometry, dtype, part) for dtype in ("float32", "float16")], folder.name
        if "model.int8.onnx.gz" in spec.files:
            assert (folder / "model.int8.onnx.gz").read_bytes() == build_graph(spec.geometry, "int8"), folder.name


def test_no_other_graphs_are_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = resources.files("unbraid") / "assets" / "graphs"
    ours = {graph_name(geometry, "int8") for geometry in packaged_int8()}
    assert {file.name for file in folder.iterdir()} == {graph_name(*pair) for pair in SHIPPED} | ours
    monkeypatch.setattr("unbraid.models.onnx.__main__.build_graph", lambda geometry, dtype, part: b"a graph")
    main(tmp_path / "graphs")
    assert {file.name for file in (tmp_path / "graphs").iterdir()} == {graph_name(*pair) for pair in SHIPPED}


def test_names_of_graphs_tell_every_size() -> None:
    assert graph_name(SepFormerConfig(), "int8") == "sepformer-2-256-16-8-250-2-8-8-1024.int8.onnx.gz"
    name = "unet-2-2-16x32x64x128x256x512-leaky_relu-relu-sigmoid-own-0-False.float32.onnx.gz"
    assert graph_name(UNetConfig(), "float32") == name
    name = "audio_transformer-decoder-9xtext-11xtext-24-3-40-2-3-sinusoidal-False.float16.onnx.gz"
    assert graph_name(TEXT, "float16", "decoder") == name
    hop_alike = dataclasses.replace(MEL_ROFORMER, hop_samples=16, normalized=True, zero_dc=True)
    assert graph_name(hop_alike, "float32") == graph_name(MEL_ROFORMER, "float32")  # the transform is not in the graph
    assert build_graph(hop_alike, "float32") == build_graph(MEL_ROFORMER, "float32")
    for changed in ({"heads": 4}, {"chunk_frames": 100}, {"stride_samples": 4}):
        assert graph_name(dataclasses.replace(SepFormerConfig(), **changed), "int8") != graph_name(
            SepFormerConfig(), "int8"
        )


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
@pytest.mark.parametrize("geometry", [SPEECH, MOSS, MUSIC, MEL_ROFORMER], ids=["speech", "moss", "music", "roformer"])
def test_a_graph_points_at_every_tensor_where_the_file_has_it(tmp_path: Path, geometry: Config, dtype: str) -> None:
    if dtype == "int8" and not geometry.has_int8:
        pytest.skip("this family has no int8 copies")
    values = weights(geometry)
    tensors = quantize(values) if dtype == "int8" else {name: value.astype(dtype) for name, value in values.items()}
    path = tmp_path / WEIGHTS_FILES[dtype]
    write_weights(path, tensors)
    content, places = path.read_bytes(), external(build_graph(geometry, dtype))
    assert places.keys() == tensors.keys()
    for name, place in places.items():
        assert place["location"] == path.name
        start, length = int(place["offset"]), int(place["length"])
        assert content[start : start + length] == np.ascontiguousarray(tensors[name]).tobytes(), name
    found = safetensors.numpy.load_file(path)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor, strict=True)


@pytest.mark.parametrize(("geometry", "dtype", "part"), SHIPPED, ids=lambda value: str(value)[:24])
def test_shipped_graphs_point_where_the_file_has_it(geometry: Config, dtype: str, part: str) -> None:
    shapes = tensor_shapes(geometry)
    signature = quantized_signature(shapes) if dtype == "int8" else {n: (dtype, shape) for n, shape in shapes.items()}
    expected = {
        name: {"location": WEIGHTS_FILES[dtype], "offset": str(start), "length": str(size)}
        for name, (start, size) in tensor_offsets(signature).items()
    }
    found = external(find_graph(geometry, dtype, part))
    assert found == {name: expected[name] for name in found}
    assert found.keys() == expected.keys() or len(geometry.graphs) > 1
    assert sum(int(place["length"]) for place in expected.values()) == sum(
        math.prod(shape) * np.dtype(kind).itemsize for kind, shape in signature.values()
    )


def test_a_graph_uses_every_tensor_and_holds_none() -> None:
    shapes = tensor_shapes(SPEECH)
    graph = build_graph(SPEECH, "float16")
    assert unused(graph, {name: ("float16", shape) for name, shape in shapes.items()}) == []
    inside = [p for p in onnx.load_from_string(graph).graph.initializer if p.name not in shapes]
    assert sum(len(proto.raw_data) for proto in inside) < 2000


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_two_graphs_share_a_weights_file_and_use_all_of_it(dtype: str) -> None:
    shapes = tensor_shapes(TEXT)
    offsets = tensor_offsets({name: (dtype, shape) for name, shape in shapes.items()})
    places = [external(build_graph(TEXT, dtype, part)) for part in TEXT.graphs]
    assert places[0].keys() | places[1].keys() == shapes.keys()
    crossed = {f"decoder.layers.{i}.cross_attention.in_proj.{kind}" for i in range(3) for kind in ("weight", "bias")}
    assert places[0].keys() & places[1].keys() == crossed
    for name, place in (places[0] | places[1]).items():
        start, size = offsets[name]
        assert place == {"location": "model.safetensors", "offset": str(start), "length": str(size)}


def test_graphs_pass_the_checker(tmp_path: Path) -> None:
    for geometry in (SPEECH, MUSIC, HTDEMUCS, TEXT):  # RMS norms of RoFormers are known to the runtime only
        write_weights(tmp_path / "model.safetensors", weights(geometry))
        for part in geometry.graphs:
            (tmp_path / f"{part}.onnx").write_bytes(build_graph(geometry, "float32", part))
            onnx.checker.check_model(tmp_path / f"{part}.onnx")


@pytest.mark.parametrize("geometry", [SPEECH, SepFormerConfig()], ids=["tiny", "published"])
def test_an_int8_graph_multiplies_integers_in_every_linear_layer_of_every_transformer(
    geometry: SepFormerConfig,
) -> None:
    """Per layer: q, k, v, out, feed in, feed out."""
    assert len(products(find_graph(geometry, "int8"))) == 6 * geometry.layers * 2 * geometry.blocks
    assert products(find_graph(geometry, "float32")) == []


def test_an_int8_whisper_multiplies_integers_in_every_linear_layer() -> None:
    """Per layer of the encoder: q with k and v, out, feed in, feed out; of the decoder also q of the source, and out.

    The encoder gives keys and values of the source to each layer of the decoder, which ends in the logits.
    """
    whisper = WHISPERS["base"]
    layers = whisper.encoder_layers
    assert layers == whisper.decoder_layers
    assert len(products(find_graph(whisper, "int8", "encoder"))) == 4 * layers + 2 * layers
    assert len(products(find_graph(whisper, "int8", "decoder"))) == 6 * layers + 1


def test_an_unusual_network_without_onnx_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "unbraid.models.onnx.build", None)
    assert graphs.find_graph(SepFormerConfig(), "float32")  # shipped: needs nothing
    with pytest.raises(RuntimeUnavailable) as caught:
        graphs.find_graph(SPEECH, "float32")
    assert str(caught.value) == (
        "This network's sizes are not among the published ones, so its graph must be built: "
        "install the training extra (pip install 'unbraid[train]') and try again."
    )
