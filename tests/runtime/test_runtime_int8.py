"""The int8 copy: as good as promised, made once, filed under the weights and the graph it was made from."""

import dataclasses
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import whisper_folders
from engine_fakes import snr, speech_spec, write_model
from unbraid.errors import ModelError
from unbraid.hub.folder import sha256, write_model_folder
from unbraid.hub.importers import read_checkpoint
from unbraid.models.audio_transformer.config import as_audio_transformer
from unbraid.models.quantize import quantize
from unbraid.models.sepformer.config import SepFormerConfig
from unbraid.models.tensors import read_weights, write_weights
from unbraid.runtime import Engine, int8, open_executor
from unbraid.tasks.transcription.whisper.state import WindowState, encoded
from whisper_folders import STEPS, write_whisper

pytest.importorskip("onnx")

GRAPH = int8.graph_file("model")
FLOOR_DB = 30.0  # of this random network's output; trained ones are measured in their cards
WHISPER_FLOOR_DB = 27.0  # with one scale for each channel and token: 26.4
WIDE = SepFormerConfig(2, features=64, chunk_frames=50, blocks=1, layers=2, heads=4, hidden=128)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNBRAID_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "int8"


def mixture() -> dict[str, np.ndarray]:
    return {"mixture": np.random.default_rng(0).normal(0, 0.1, (2, 2777)).astype(np.float32)}


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_fidelity(tmp_path: Path, dtype: str) -> None:
    spec = dataclasses.replace(speech_spec(), geometry=WIDE)
    spec = write_model(tmp_path / "model", spec, dtype)
    full = open_executor(spec, tmp_path / "model", engine=Engine("cpu")).run(mixture())["sources"]
    small = open_executor(spec, tmp_path / "model", engine=Engine("cpu", precision="int8")).run(mixture())["sources"]
    assert not np.array_equal(full, small)
    assert snr(full, small) > FLOOR_DB


def test_fidelity_of_both_graphs_of_a_whisper(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in {"D": 64, "HEADS": 4, "HIDDEN": 96}.items():  # of whole blocks
        monkeypatch.setattr(whisper_folders, name, size)
    checkpoint = read_checkpoint(write_whisper(tmp_path / "published"), "mine")
    folder, log_mel = tmp_path / "model", np.random.default_rng(0).normal(size=(1, 2 * STEPS, 80)).astype(np.float32)
    spec = write_model_folder(folder, checkpoint.spec, checkpoint.tensors, files=checkpoint.files)
    found = {}
    for precision in ("float32", "int8"):
        engine = Engine("cpu", precision, threads=1)
        encoder, decoder = (open_executor(spec, folder, part, engine) for part in spec.geometry.graphs)
        memory = encoded(encoder, as_audio_transformer(spec.geometry), log_mel[0])
        state = WindowState(decoder, as_audio_transformer(spec.geometry), memory)
        found[precision] = memory["cross_values_1"], state.logits(np.array([[5, 6, 7]])), state.logits(np.array([[8]]))
    for full, small in zip(found["float32"], found["int8"], strict=True):
        assert not np.array_equal(full, small)
        assert snr(full, small) > WHISPER_FLOOR_DB
    (copy,) = cache.iterdir()  # both graphs share the weights
    assert sorted(os.listdir(copy)) == [
        "decoder.int8.onnx", "encoder.int8.onnx", "model.int8.safetensors", "sha256.json",
    ]  # fmt: skip


def test_a_copy_is_made_once_and_the_folder_is_left_alone(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    spec = write_model(folder, speech_spec())
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    path = int8.int8_graph(spec, folder)
    assert path.parent.parent == cache
    assert sorted(os.listdir(path.parent)) == ["model.int8.onnx", "model.int8.safetensors", "sha256.json"]
    assert len(os.listdir(cache)) == 1
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    monkeypatch.setattr(int8, "quantize", None)
    assert int8.int8_graph(spec, folder) == path


def test_other_weights_and_other_graphs_get_another_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (write_model(tmp_path / str(seed), speech_spec(), seed=seed) for seed in (0, 1))
    paths = {int8.int8_graph(one, tmp_path / "0"), int8.int8_graph(two, tmp_path / "1")}
    monkeypatch.setattr(int8, "find_graph", lambda geometry, dtype, part: b"a newer one")
    paths.add(int8.int8_graph(one, tmp_path / "0"))
    assert len(paths) == 3


@pytest.mark.parametrize("name", [int8.WEIGHTS, GRAPH, int8.SUMS])
def test_a_damaged_copy_is_made_again(tmp_path: Path, name: str) -> None:
    spec = write_model(tmp_path / "model", speech_spec())
    path = int8.int8_graph(spec, tmp_path / "model").parent / name
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    assert int8.int8_graph(spec, tmp_path / "model").parent == path.parent
    assert path.read_bytes() == whole


def test_a_shipped_copy_is_taken(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "model"
    spec = write_model(folder, speech_spec())
    write_weights(folder / int8.WEIGHTS, quantize(read_weights(folder / "model.safetensors")))
    shutil.copy(int8.int8_graph(spec, folder), folder / GRAPH)
    shutil.rmtree(cache)
    names = (GRAPH, int8.WEIGHTS)
    spec = dataclasses.replace(spec, files=spec.files | {name: sha256(folder / name) for name in names})
    assert int8.int8_graph(spec, folder) == folder / GRAPH
    assert open_executor(spec, folder, engine=Engine("cpu", precision="int8")).run(mixture())["sources"].shape == (
        2,
        2,
        2777,
    )
    assert not cache.exists()


def test_a_failure_leaves_nothing_in_the_cache(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = write_model(tmp_path / "model", speech_spec())

    def full(path: Path, tensors: dict[str, np.ndarray]) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(int8, "write_weights", full)
    with pytest.raises(ModelError, match="the int8 copy of tiny-speech, cannot be written: No space left on device"):
        int8.int8_graph(spec, tmp_path / "model")
    assert os.listdir(cache) == []
