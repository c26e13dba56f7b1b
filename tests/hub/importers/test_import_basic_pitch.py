"""Basic Pitch's published file becomes a model folder whose activations are those of the published graph."""

import json
from pathlib import Path

import numpy as np
import pytest

from engine_fakes import peak_error
from note_fakes import noise_weights, window_audio, write_published
from unbraid.errors import ModelError
from unbraid.hub.folder import open_model_folder, write_model_folder
from unbraid.hub.importers import is_checkpoint, read_checkpoint
from unbraid.runtime import Engine, open_executor

pytest.importorskip("onnx")

EVERY = 8  # frames of the golden


def published(folder: Path, goldens: Path, weights: dict[str, np.ndarray]) -> Path:
    """A folder with the published file, of these weights."""
    folder.mkdir(exist_ok=True)
    shapes = json.loads((goldens / "basic_pitch" / "shapes.json").read_text())
    write_published(folder / "nmp.onnx", weights, shapes)
    return folder


@pytest.mark.parametrize("device", ["cpu", "torch"])
def test_activations_are_those_of_the_published_graph(device: str, tmp_path: Path, goldens: Path) -> None:
    if device == "torch":
        pytest.importorskip("torch")
    folder = published(tmp_path / "theirs", goldens, noise_weights())
    assert is_checkpoint(folder)
    checkpoint = read_checkpoint(folder, "notes")
    write_model_folder(tmp_path / "ours", checkpoint.spec, checkpoint.tensors)
    spec = open_model_folder(tmp_path / "ours")
    assert (spec.family, spec.task, spec.sample_rate, spec.licence) == ("basic_pitch", "notes", 22050, "Apache-2.0")
    executor = open_executor(spec, tmp_path / "ours", engine=Engine(device))
    found, golden = executor.run({"audio": window_audio()}), np.load(goldens / "basic_pitch" / "network.npz")
    for name in ("notes", "onsets"):
        assert peak_error(golden[name], found[name][0, ::EVERY]) <= 1e-3, name  # of decibels near the noise floor


def test_silence_has_no_activations_of_rounding(tmp_path: Path, goldens: Path) -> None:
    """In silence all levels are alike; the smallest differences must not be scaled up to 1."""
    checkpoint = read_checkpoint(published(tmp_path / "theirs", goldens, noise_weights()), "notes")
    write_model_folder(tmp_path / "ours", checkpoint.spec, checkpoint.tensors)
    executor = open_executor(open_model_folder(tmp_path / "ours"), tmp_path / "ours")
    found = executor.run({"audio": np.zeros((1, 43844), np.float32)})["notes"][0, 20:-20]
    assert np.ptp(found, axis=0).max() < 1e-2


def test_a_missing_tensor_is_named(tmp_path: Path, goldens: Path) -> None:
    weights = noise_weights()
    del weights["note.bias"]
    folder = published(tmp_path / "theirs", goldens, weights)
    with pytest.raises(ModelError) as caught:
        read_checkpoint(folder, "notes")
    told = f"{folder / 'nmp.onnx'} lacks the tensor note.bias of the published network, or has it in another shape."
    assert str(caught.value) == told


def test_a_tensor_of_another_shape_is_named(tmp_path: Path, goldens: Path) -> None:
    weights = noise_weights() | {"note_out.bias": np.zeros(2, np.float32)}
    folder = tmp_path / "theirs"
    folder.mkdir()
    write_published(folder / "nmp.onnx", weights, {})
    with pytest.raises(ModelError, match=r"lacks the tensor note_out.bias of the published network"):
        read_checkpoint(folder, "notes")


def test_weights_that_are_not_finite_are_refused(tmp_path: Path, goldens: Path) -> None:
    weights = noise_weights()
    weights["onset.bias"][3] = np.nan
    with pytest.raises(ModelError, match=r"holds NaN or infinity; the checkpoint is damaged"):
        read_checkpoint(published(tmp_path / "theirs", goldens, weights), "notes")


@pytest.mark.parametrize("content", [b"", b"\xff" * 99, b"<html></html>", b"\x3a\x02\x2a\x00"])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "nmp.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"nmp.onnx (is not an ONNX file, or is damaged|lacks the tensor)"):
        read_checkpoint(tmp_path, "notes")


def test_a_truncated_file_is_refused(tmp_path: Path, goldens: Path) -> None:
    path = published(tmp_path, goldens, noise_weights()) / "nmp.onnx"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ModelError, match=r"is not an ONNX file, or is damaged \(.*\); download it again"):
        read_checkpoint(tmp_path, "notes")


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "nmp.onnx").open("wb") as file:
        file.truncate(1 << 33)
    with pytest.raises(ModelError, match=r"nmp.onnx is not an ONNX file"):
        read_checkpoint(tmp_path, "notes")
