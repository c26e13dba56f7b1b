"""Every combination of sides: graphs and torch module are one network, and what pads an item is nothing to it."""

from pathlib import Path

import numpy as np
import pytest

from engine_fakes import peak_error, weights, write_model
from side_fakes import CONVERTERS, EVERY, SPEAKERS, WRITERS, items, side_spec
from unbraid.hub.graphs import find_graph
from unbraid.models.audio_transformer.config import AudioTransformerConfig, SpectrogramSide, TextSide
from unbraid.models.family import tensor_shapes
from unbraid.models.tensors import tensor_offsets, write_weights
from unbraid.runtime import Engine, Executor, open_executor
from unbraid.tasks.decoding.state import DecoderState, batch

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

TOLERANCE = 3e-5  # of the output's peak; the contract is 1e-4
DTYPES = ("float32", "float16")
LENGTHS = [5, 17, 1, 9]  # steps


def engine(folder: Path, geometry: AudioTransformerConfig, device: str) -> dict[str, Executor]:
    """Every graph of a written model, on one engine."""
    return {
        part: open_executor(side_spec(geometry), folder, graph=part, engine=Engine(device, threads=1))
        for part in geometry.graphs
    }


def engines(folder: Path, geometry: AudioTransformerConfig, dtype: str = "float32") -> list[dict[str, Executor]]:
    write_model(folder, side_spec(geometry), dtype)
    return [engine(folder, geometry, device) for device in ("cpu", "torch")]


def assert_equal(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray], tolerance: float = TOLERANCE) -> None:
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        assert ours[name].dtype == np.float32
        assert ours[name].shape == expected.shape
        assert peak_error(expected, ours[name]) <= tolerance, name


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", EVERY)
def test_what_reads_is_the_same_on_both_engines(tmp_path: Path, kind: str, dtype: str) -> None:
    """Encoders, and the whole network where it is aligned."""
    geometry = EVERY[kind]
    ours, theirs = engines(tmp_path / "model", geometry, dtype)
    part = geometry.graphs[0]
    for lengths in ([1], [23], LENGTHS):
        inputs = batch(items(geometry.source, lengths), geometry.source)
        assert_equal(ours[part].run(inputs), theirs[part].run(inputs))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", WRITERS | SPEAKERS)
def test_what_writes_is_the_same_on_both_engines(tmp_path: Path, kind: str, dtype: str) -> None:
    """Decoders, step by step, and post-nets."""
    geometry = EVERY[kind]
    both = engines(tmp_path / "model", geometry, dtype)
    read = items(geometry.source, LENGTHS)
    ours, theirs = (DecoderState(parts["encoder"], parts["decoder"], geometry, read) for parts in both)
    random = np.random.default_rng(1)
    for _ in range(7):
        if isinstance(geometry.target, TextSide):
            symbols = random.integers(1, geometry.target.symbols, len(LENGTHS)).tolist()
            assert_equal({"logits": ours.logits(symbols)}, {"logits": theirs.logits(symbols)})
        else:
            assert isinstance(geometry.target, SpectrogramSide)
            shape = (len(LENGTHS), geometry.target.stride * geometry.target.bins)
            frames = random.uniform(-1, 1, shape).astype(np.float32)
            found, expected = (dict(zip("fs", steps.frames(frames), strict=True)) for steps in (ours, theirs))
            assert_equal(found, expected)
    if isinstance(geometry.target, SpectrogramSide):
        log_mel = random.uniform(-1, 1, (2, 13, geometry.target.bins)).astype(np.float32)
        assert_equal(*({key: parts["post"].run({"log_mel": log_mel})[key] for key in ("refined",)} for parts in both))


@pytest.mark.parametrize("kind", CONVERTERS)
def test_padding_changes_nothing_of_what_is_converted(tmp_path: Path, kind: str) -> None:
    """Whatever it holds; each item comes out of a batch as it comes out alone."""
    geometry = CONVERTERS[kind]
    (ours, _), read = engines(tmp_path / "model", geometry), items(geometry.source, LENGTHS)
    inputs = batch(read, geometry.source)
    name = next(name for name in inputs if name != "lengths")
    for row, item in zip(inputs[name], read, strict=True):
        row[len(item) :] = 7.0
    (together,) = ours["model"].run(inputs).values()
    for found, item, steps in zip(together, read, LENGTHS, strict=True):
        (alone,) = ours["model"].run(batch([item], geometry.source)).values()
        assert alone.shape[:2] == (1, steps * geometry.target.stride)
        np.testing.assert_allclose(found[: alone.shape[1]], alone[0], atol=TOLERANCE * np.abs(alone).max())


@pytest.mark.parametrize("kind", WRITERS | SPEAKERS)
def test_padding_changes_nothing_of_what_is_written(tmp_path: Path, kind: str) -> None:
    geometry = EVERY[kind]
    (ours, _), read = engines(tmp_path / "model", geometry), items(geometry.source, LENGTHS)
    coders = ours["encoder"], ours["decoder"]
    for i, item in enumerate(read):
        together, alone = DecoderState(*coders, geometry, read), DecoderState(*coders, geometry, [item])
        together.keep([i])
        for _ in range(2):
            if isinstance(geometry.target, TextSide):
                found, expected = together.logits([4]), alone.logits([4])
            else:
                assert isinstance(geometry.target, SpectrogramSide)
                frames = np.full((1, geometry.target.stride * geometry.target.bins), 0.3, np.float32)
                found, expected = (np.hstack(s.frames(frames)[0]) for s in (together, alone))
            np.testing.assert_allclose(found, expected, atol=2e-5)
    if geometry.ctc:
        together_logits = ours["encoder"].run(batch(read, geometry.source))["ctc_logits"]
        for i, item in enumerate(read):
            alone_logits = ours["encoder"].run(batch([item], geometry.source))["ctc_logits"][0]
            np.testing.assert_allclose(together_logits[i, : LENGTHS[i]], alone_logits, atol=2e-5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", EVERY)
def test_graphs_point_at_all_of_the_file_and_pass_the_checker(tmp_path: Path, kind: str, dtype: str) -> None:
    geometry = EVERY[kind]
    tensors = {name: value.astype(dtype) for name, value in weights(geometry).items()}
    write_weights(tmp_path / "model.safetensors", tensors)
    content = (tmp_path / "model.safetensors").read_bytes()
    offsets = tensor_offsets({name: (dtype, shape) for name, shape in tensor_shapes(geometry).items()})
    used = set()
    for part in geometry.graphs:
        path = tmp_path / f"{part}.onnx"
        path.write_bytes(find_graph(geometry, dtype, part))
        onnx.checker.check_model(path)
        for proto in onnx.load(path, load_external_data=False).graph.initializer:
            if proto.data_location == onnx.TensorProto.EXTERNAL:
                place = {entry.key: entry.value for entry in proto.external_data}
                assert (int(place["offset"]), int(place["length"])) == offsets[proto.name]
                start, size = offsets[proto.name]
                assert content[start : start + size] == tensors[proto.name].tobytes()
                used.add(proto.name)
    assert used == tensors.keys()


def test_each_kind_of_network_has_its_graphs() -> None:
    assert {geometry.graphs for geometry in WRITERS.values()} == {("encoder", "decoder")}
    assert {geometry.graphs for geometry in SPEAKERS.values()} == {("encoder", "decoder", "post")}
    assert {geometry.graphs for geometry in CONVERTERS.values()} == {("model",)}
