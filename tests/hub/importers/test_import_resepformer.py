"""SpeechBrain's RE-SepFormer folders become our weights and spec; the network gives what SpeechBrain gives."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from published_writers import torch_save

from unbraid.errors import ModelError
from unbraid.hub.folder import write_model_folder
from unbraid.hub.importers import is_checkpoint, read_checkpoint
from unbraid.hub.importers.speechbrain_resepformer import published_names
from unbraid.hub.importers.torch_pickle import read_state_dict
from unbraid.hub.spec import Windows
from unbraid.models.resepformer.config import ResepformerConfig
from unbraid.runtime import Engine, open_executor

CONFIG = ResepformerConfig(2, 12, 16, 8, 16, 3, 2, 3, 20)


@pytest.fixture
def folder(goldens: Path, tmp_path: Path) -> Path:
    return shutil.copytree(goldens / "speechbrain_resepformer", tmp_path / "resepformer")


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_checkpoint(folder, "mine")
    return str(caught.value).replace(str(folder), "FOLDER")


def test_a_folder_becomes_weights_and_spec(folder: Path) -> None:
    assert is_checkpoint(folder)
    checkpoint = read_checkpoint(folder, "speechbrain/resepformer-some")
    spec = checkpoint.spec
    assert (spec.family, spec.geometry, spec.stems) == ("resepformer", CONFIG, ("voice1", "voice2"))
    assert (spec.sample_rate, spec.channels, spec.windows) == (8000, 1, Windows(12.0, 3.0))
    assert spec.licence == "Apache-2.0"
    assert spec.provenance == "A RE-SepFormer trained with SpeechBrain, imported from speechbrain/resepformer-some."
    published = read_state_dict(folder / "masknet.ckpt")
    assert published_names("masknet", CONFIG).keys() == published.keys()
    found = checkpoint.tensors["masknet.across.1.transformer.layers.0.attention.in_proj.bias"]
    theirs = published["model.mem_model.1.mdl.layers.0.self_att.att.in_proj_bias"]
    np.testing.assert_array_equal(found, theirs, strict=True)


@pytest.mark.parametrize("engine", ["cpu", "torch"])
def test_outputs_are_those_of_the_peer(goldens: Path, tmp_path: Path, engine: str) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    signals = safetensors.numpy.load_file(goldens / "speechbrain_resepformer" / "io.safetensors")
    checkpoint = read_checkpoint(goldens / "speechbrain_resepformer", "peer")
    spec = write_model_folder(tmp_path / "model", checkpoint.spec, checkpoint.tensors)
    run = open_executor(spec, tmp_path / "model", engine=Engine(engine, threads=1))
    (found,) = run.run({"mixture": signals["mixture"][None]})["sources"]
    assert np.abs(found - signals["sources"]).max() <= 1e-5 * np.abs(signals["sources"]).max()


def test_the_tables_of_positions_are_left_out(folder: Path) -> None:
    expected = read_checkpoint(folder, "mine").tensors
    published = read_state_dict(folder / "masknet.ckpt")
    tables = {f"model.{stack}_model.0.pos_enc.pe": np.zeros((1, 9, 12), np.float32) for stack in ("seg", "mem")}
    torch_save(folder / "masknet.ckpt", published | tables)
    assert read_checkpoint(folder, "mine").tensors.keys() == expected.keys()


SETTINGS = [
    ("mem_type: av", "mem_type: hc", "mem_type is 'hc'; a network that can be imported has 'av'."),
    ("causal: false", "causal: true", "causal is True; a network that can be imported has False."),
    ("use_skip: true", "use_skip: false", "use_skip is False; a network that can be imported has True."),
    ("nhead: 3", "nhead: 4", "nhead is 3; a network that can be imported has 4."),
    ("segment_size: 16", "segment_size: none", "segment_size is 'none', expected a whole number above zero."),
    ("stride: 8\n  bias", "stride: 4\n  bias", "stride is 4; a network that can be imported has 8."),
]


@pytest.mark.parametrize(("before", "after", "message"), SETTINGS)
def test_a_setting_that_cannot_be_met_is_named(folder: Path, before: str, after: str, message: str) -> None:
    path = folder / "hyperparams.yaml"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    assert refusal(folder) == f"FOLDER/hyperparams.yaml: {message}"


MISFITS: list[tuple[Callable[[dict[str, np.ndarray]], object], str]] = [
    (
        lambda t: t.pop("model.seg_model.1.norm.bias"),
        "tensor 'model.seg_model.1.norm.bias' is missing (1 of 143 are).",
    ),
    (
        lambda t: t.update({"model.output_fc.1.weight": np.zeros((24, 12), np.float32)}),
        "tensor 'model.output_fc.1.weight' has shape (24, 12), expected (24, 12, 1).",
    ),
    (
        lambda t: t.update({"model.mem_model.0.c_norm.weight": np.zeros(12, np.float32)}),
        "tensor 'model.mem_model.0.c_norm.weight' does not belong to this network (1 do not).",
    ),
]


@pytest.mark.parametrize(("damage", "message"), MISFITS)
def test_a_tensor_that_does_not_fit_is_named(
    folder: Path, damage: Callable[[dict[str, np.ndarray]], object], message: str
) -> None:
    tensors = dict(read_state_dict(folder / "masknet.ckpt"))
    damage(tensors)
    torch_save(folder / "masknet.ckpt", tensors)
    assert refusal(folder) == f"FOLDER/masknet.ckpt: {message}"


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "decoder.ckpt").unlink()
    files = "hyperparams.yaml, encoder.ckpt, masknet.ckpt and decoder.ckpt"
    assert refusal(folder) == f"FOLDER has no decoder.ckpt; a SpeechBrain RE-SepFormer is {files}."
