"""SpeechBrain's ECAPA-TDNN folders become our weights and spec; the embedding is the one that SpeechBrain computes."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from published_writers import torch_save

from unbraid.dsp.filterbank import centred_levels
from unbraid.errors import ModelError
from unbraid.hub.importers import read_checkpoint
from unbraid.hub.importers.speechbrain_ecapa import published_names, published_shapes
from unbraid.hub.spec import Mel
from unbraid.models.ecapa.config import EcapaConfig

SMALL = EcapaConfig(
    bins=24, width=16, scale=4, squeezed=10, merged=40, attention=6, features=12, filterbank="speechbrain"
)


@pytest.fixture
def folder(goldens: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(goldens / "speechbrain_ecapa", tmp_path / "ecapa"))


def test_a_folder_becomes_weights_and_spec(folder: Path) -> None:
    checkpoint = read_checkpoint(folder, "mine")
    spec = checkpoint.spec
    assert (spec.family, spec.task, spec.geometry, spec.sample_rate) == ("ecapa", "speaker embedding", SMALL, 16000)
    assert spec.mel == Mel(400, 160, 24)
    assert (spec.licence, spec.provenance) == (
        "as stated by its publisher",
        "An ECAPA-TDNN trained with SpeechBrain, imported from ecapa.",
    )
    assert read_checkpoint(folder, "speechbrain/spkrec-ecapa-some").spec.licence == "Apache-2.0"


def test_the_embedding_is_that_of_the_peer(folder: Path) -> None:
    torch = pytest.importorskip("torch")
    from unbraid.runtime.eager import load_module

    checkpoint, signals = read_checkpoint(folder, "mine"), safetensors.numpy.load_file(folder / "io.safetensors")
    assert checkpoint.spec.mel is not None
    levels = centred_levels(signals["audio"], checkpoint.spec.mel, 16000, "speechbrain")
    assert np.abs(levels - signals["levels"]).max() <= 1e-5 * np.abs(signals["levels"]).max()
    with torch.no_grad():
        found = load_module(SMALL, checkpoint.tensors)(torch.from_numpy(levels)).numpy()
    assert np.abs(found - signals["embedding"]).max() <= 1e-5 * np.abs(signals["embedding"]).max()


def test_published_names_are_those_of_spkrec_ecapa_voxceleb() -> None:
    shapes = published_shapes(EcapaConfig())
    assert len(shapes) == len(published_names(EcapaConfig())) == 200
    assert shapes["blocks.0.conv.conv.weight"] == (1024, 80, 5)
    assert shapes["blocks.3.res2net_block.blocks.6.norm.norm.running_var"] == (128,)
    assert shapes["blocks.1.se_block.conv2.conv.weight"] == (1024, 128, 1)
    assert shapes["mfa.conv.conv.weight"] == (3072, 3072, 1)
    assert shapes["asp.tdnn.conv.conv.weight"] == (128, 9216, 1)
    assert shapes["asp_bn.norm.weight"] == (6144,)
    assert shapes["fc.conv.weight"] == (192, 6144, 1)


CHANGES = [
    (
        "norm_type: sentence",
        "norm_type: global",
        "norm_type is 'global'; a network that can be imported has 'sentence'",
    ),
    ("dilations: [1, 2, 3, 4, 1]", "dilations: [1, 2, 3, 4, 2]", "expected 1, one for each block, and 1"),
    ("kernel_sizes: [5, 3, 3, 3, 1]", "kernel_sizes: [5, 3, 5, 3, 1]", "expected one size for all blocks"),
    ("embedding_model: !new:speech", "other: !new:speech", "has no section 'embedding_model'"),
    ("res2net_scale: 4", "res2net_scale: 3", "width (16) must be a multiple of scale (3)"),
    ("n_mels: 24", "n_mels: 20", "has shape (16, 24, 5), expected (16, 20, 5)"),
]


@pytest.mark.parametrize(("old", "new", "told"), CHANGES, ids=[new for _, new, _ in CHANGES])
def test_settings_of_another_network_are_refused(folder: Path, old: str, new: str, told: str) -> None:
    path = folder / "hyperparams.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        read_checkpoint(folder, "mine")
    assert told in str(caught.value)


def test_missing_files_and_tensors(folder: Path) -> None:
    shapes = published_shapes(SMALL)
    torch_save(
        folder / "embedding_model.ckpt", {k: np.zeros(v, np.float32) for k, v in shapes.items() if "mfa" not in k}
    )
    with pytest.raises(ModelError, match=r"tensor 'mfa.conv.conv.weight' is missing"):
        read_checkpoint(folder, "mine")
    (folder / "hyperparams.yaml").unlink()
    with pytest.raises(ModelError, match=r"has no hyperparams.yaml; a SpeechBrain ECAPA-TDNN is"):
        read_checkpoint(folder, "mine")
