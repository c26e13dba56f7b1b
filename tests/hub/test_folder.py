"""A model folder is written whole or not at all, and read only if it is exactly what its spec says."""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest

from engine_fakes import SPEECH, music_spec, speech_spec, text_spec, weights, write_model
from unbraid import Separator
from unbraid.errors import ChecksumError, ModelError, ModelNotFound, SpecError
from unbraid.hub import folder
from unbraid.hub.folder import open_model_folder, sha256, write_model_folder
from unbraid.hub.spec import read_spec
from unbraid.models.tensors import read_weights, write_weights

pytest.importorskip("onnx")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model folder to be damaged."""
    write_model(tmp_path / "model", speech_spec())
    return tmp_path / "model"


def refused(path: Path, error: type[ModelError] = ModelError) -> str:
    with pytest.raises(error) as caught:
        open_model_folder(path)
    assert type(caught.value) is error
    return str(caught.value).replace(str(path), "FOLDER")


def refusal(path: Path, error: type[ModelError] = ModelError) -> str:
    message = refused(path, error)
    with pytest.raises(error) as again:  # the way users come
        Separator(path)
    assert str(again.value).replace(str(path), "FOLDER") == message
    return message


def rewrite(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """Other tensors, with a spec that vouches for the file."""
    write_weights(path / "model.safetensors", tensors)
    spec = read_spec(path)
    files = spec.files | {"model.safetensors": sha256(path / "model.safetensors")}
    (path / "spec.json").write_text(dataclasses.replace(spec, files=files).to_json())


def test_a_folder_holds_four_files_and_is_read_back(tmp_path: Path) -> None:
    spec = write_model(tmp_path / "sub" / "model", speech_spec())
    path = tmp_path / "sub" / "model"
    assert sorted(os.listdir(path)) == ["README.md", "model.onnx", "model.safetensors", "spec.json"]
    assert open_model_folder(path) == spec
    assert spec.files == {name: sha256(path / name) for name in ("model.safetensors", "model.onnx")}
    assert spec == dataclasses.replace(speech_spec(), files=spec.files)
    assert os.listdir(tmp_path / "sub") == ["model"]
    assert path.stat().st_mode & 0o755 == 0o755
    for name, value in weights(SPEECH).items():
        np.testing.assert_array_equal(read_weights(path / "model.safetensors")[name], value, strict=True)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """A model folder of two graphs and one to be looked at, to be damaged."""
    write_model(tmp_path / "text", text_spec())
    return tmp_path / "text"


def test_a_network_of_two_graphs_has_both_over_the_same_weights(text: Path) -> None:
    files = ["attention.onnx", "decoder.onnx", "encoder.onnx", "model.safetensors"]
    assert sorted(os.listdir(text)) == sorted(["README.md", *files, "spec.json"])
    assert sorted(open_model_folder(text).files) == files


@pytest.mark.parametrize("name", ["encoder.onnx", "decoder.onnx"])
def test_each_of_two_graphs_is_checked(text: Path, name: str) -> None:
    content = bytearray((text / name).read_bytes())
    content[-1] ^= 1
    (text / name).write_bytes(content)
    assert refused(text, ChecksumError).startswith(f"FOLDER: {name} is damaged (sha256 ")
    (text / name).unlink()
    assert refused(text) == f"FOLDER: {name} is missing; pull or import the model again."
    spec = json.loads((text / "spec.json").read_text())
    del spec["files"][name]
    (text / "spec.json").write_text(json.dumps(spec))
    assert refused(text) == f"FOLDER: spec.json does not name {name}."


def test_the_graph_to_be_looked_at_may_be_missing_but_not_damaged(text: Path) -> None:
    (text / "attention.onnx").write_bytes(b"")
    assert refused(text, ChecksumError).startswith("FOLDER: attention.onnx is damaged (sha256 ")
    (text / "attention.onnx").unlink()
    assert refused(text) == "FOLDER: attention.onnx is missing; pull or import the model again."
    spec = json.loads((text / "spec.json").read_text())
    del spec["files"]["attention.onnx"]
    (text / "spec.json").write_text(json.dumps(spec))
    assert sorted(open_model_folder(text).files) == ["decoder.onnx", "encoder.onnx", "model.safetensors"]


def test_the_same_model_is_the_same_bytes(tmp_path: Path) -> None:
    one, two = (write_model(tmp_path / name, music_spec()) for name in ("one", "two"))
    assert one == two


@pytest.mark.parametrize("step", ["write_weights", "find_graph", "write_texts"])
def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder, step, fail)
    with pytest.raises(OSError, match="No space left"):
        write_model(tmp_path / "model", speech_spec())
    assert os.listdir(tmp_path) == []


def test_an_existing_folder_is_refused_and_kept(model: Path) -> None:
    before = (model / "spec.json").read_bytes()
    with pytest.raises(ModelError) as caught:
        write_model(model, speech_spec(), seed=1)
    assert str(caught.value) == f"{model} exists; choose another place or remove it first."
    assert (model / "spec.json").read_bytes() == before
    assert os.listdir(model.parent) == ["model"]


def test_tensors_that_do_not_fit_are_not_written(tmp_path: Path) -> None:
    tensors = weights(SPEECH)
    name = "masknet.gate.bias"
    for changed, message in (
        ({n: v for n, v in tensors.items() if n != name}, f"tensor {name!r} is missing (1 of {len(tensors)} are)."),
        (tensors | {"more": np.zeros(1, np.float32)}, "tensor 'more' does not belong to this network (1 do not)."),
        (tensors | {name: np.zeros((12, 1), np.float32)}, f"tensor {name!r} has shape (12, 1), expected (12,)."),
        (tensors | {name: np.full(12, np.nan, np.float32)},
         f"tensor {name!r} holds NaN or infinity; the checkpoint is damaged."),
    ):  # fmt: skip
        with pytest.raises(ModelError) as caught:
            write_model_folder(tmp_path / "model", speech_spec(), changed)
        assert str(caught.value) == f"tiny-speech: {message}"
        assert os.listdir(tmp_path) == []


def test_a_weight_too_large_for_float16_is_refused(tmp_path: Path) -> None:
    tensors = weights(SPEECH)
    tensors["masknet.gate.bias"][3] = 1e5
    with pytest.raises(ModelError) as caught:
        write_model_folder(tmp_path / "model", speech_spec(), tensors, "float16")
    assert str(caught.value) == "tiny-speech: tensor 'masknet.gate.bias' does not fit float16; write float32."
    assert os.listdir(tmp_path) == []


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound) as caught:
        open_model_folder(tmp_path / "absent")
    assert str(caught.value) == f"{tmp_path / 'absent'} is not a model folder; see `unbraid models` for what is here."
    (tmp_path / "empty").mkdir()
    with pytest.raises(SpecError) as none:
        open_model_folder(tmp_path / "empty")
    assert str(none.value) == f"{tmp_path / 'empty'} is not a model folder: it has no spec.json."


@pytest.mark.parametrize("name", ["model.safetensors", "model.onnx"])
def test_a_missing_file(model: Path, name: str) -> None:
    (model / name).unlink()
    assert refusal(model) == f"FOLDER: {name} is missing; pull or import the model again."


@pytest.mark.parametrize("name", ["model.safetensors", "model.onnx"])
@pytest.mark.parametrize("place", [8, -1])
def test_a_flipped_byte(model: Path, name: str, place: int) -> None:
    expected = sha256(model / name)
    content = bytearray((model / name).read_bytes())
    content[place] ^= 1
    (model / name).write_bytes(content)
    assert refusal(model, ChecksumError) == (
        f"FOLDER: {name} is damaged (sha256 {sha256(model / name)[:12]}…, expected {expected[:12]}…); "
        "pull or import the model again."
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_named_though_the_hash_is_right(model: Path, value: float, dtype: type) -> None:
    tensors = {name: tensor.astype(dtype) for name, tensor in weights(SPEECH).items()}
    rewrite(model, tensors)
    open_model_folder(model)
    tensors["masknet.gate.bias"][-1] = value
    rewrite(model, tensors)
    assert refusal(model) == (
        "FOLDER: tensor 'masknet.gate.bias' of model.safetensors holds NaN or infinity; pull or import the model again."
    )


def test_a_file_that_was_cut_off(model: Path) -> None:
    path = model / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert "FOLDER: model.safetensors is damaged" in refusal(model, ChecksumError)


def test_a_spec_that_vouches_for_no_weights(model: Path) -> None:
    spec = json.loads((model / "spec.json").read_text())
    del spec["files"]["model.safetensors"]
    (model / "spec.json").write_text(json.dumps(spec))
    assert refusal(model) == "FOLDER: spec.json does not name model.safetensors."


def test_a_spec_with_an_unknown_key_or_of_another_format(model: Path) -> None:
    spec = json.loads((model / "spec.json").read_text())
    (model / "spec.json").write_text(json.dumps(spec | {"sources": 2}))
    assert refusal(model, SpecError).startswith("FOLDER/spec.json does not know 'sources'; did you mean ")
    (model / "spec.json").write_text(json.dumps(spec | {"format": 2}))
    assert refusal(model, SpecError) == "FOLDER/spec.json: format 2 is not 1; install a newer unbraid."


def test_tensors_that_do_not_fit_are_named_though_the_hash_is_right(model: Path) -> None:
    tensors = weights(SPEECH)
    name = "masknet.blocks.0.inter.layers.1.feed_in.weight"
    for changed, message in (
        ({n: v for n, v in tensors.items() if n != name}, f"tensor {name!r} is missing (1 of {len(tensors)} are)."),
        (tensors | {"more": np.zeros(1, np.float32)}, "tensor 'more' does not belong to this network (1 do not)."),
        (tensors | {name: tensors[name].T}, f"tensor {name!r} has shape (12, 20), expected (20, 12)."),
    ):
        rewrite(model, changed)
        assert refusal(model) == f"FOLDER/model.safetensors: {message}"
    (model / "model.safetensors").write_bytes(b"these are no tensors")
    spec = read_spec(model)
    files = spec.files | {"model.safetensors": sha256(model / "model.safetensors")}
    (model / "spec.json").write_text(dataclasses.replace(spec, files=files).to_json())
    assert refusal(model).startswith("FOLDER/model.safetensors cannot be read as safetensors: ")
