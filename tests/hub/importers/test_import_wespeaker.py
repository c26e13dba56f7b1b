"""WeSpeaker's ResNet folders become our weights and spec; the embedding is the one that WeSpeaker computes."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from published_writers import torch_save

from unbraid.errors import ModelError
from unbraid.hub.importers import read_checkpoint
from unbraid.hub.importers.wespeaker import published_names, published_shapes
from unbraid.hub.spec import Mel
from unbraid.models.speaker_resnet.config import SpeakerResnetConfig

SMALL = SpeakerResnetConfig(bins=16, planes=2, blocks=(1, 2, 1, 1), features=9)


@pytest.fixture
def folder(goldens: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(goldens / "wespeaker", tmp_path / "resnet"))


def test_a_folder_becomes_weights_and_spec(folder: Path) -> None:
    spec = read_checkpoint(folder, "mine").spec
    assert (spec.family, spec.task, spec.geometry) == ("speaker_resnet", "speaker embedding", SMALL)
    assert (spec.sample_rate, spec.mel) == (16000, Mel(400, 160, 16))
    assert (spec.licence, spec.provenance) == (
        "as stated by its publisher",
        "A ResNet18 trained with WeSpeaker, imported from resnet.",
    )
    assert read_checkpoint(folder, "Wespeaker/some-resnet").spec.licence == "CC BY 4.0"


def test_the_embedding_is_that_of_the_peer(folder: Path) -> None:
    torch = pytest.importorskip("torch")
    from unbraid.runtime.eager import load_module

    io = safetensors.numpy.load_file(folder / "io.safetensors")
    with torch.no_grad():
        found = load_module(SMALL, read_checkpoint(folder, "mine").tensors)(torch.from_numpy(io["input"])).numpy()
    assert np.abs(found - io["embedding"]).max() <= 1e-5 * np.abs(io["embedding"]).max()


def test_published_names_are_those_of_resnet34() -> None:
    """With 36 counters and the classifier, the 219 tensors of wespeaker-voxceleb-resnet34-LM."""
    shapes = published_shapes(SpeakerResnetConfig())
    assert len(shapes) == len(published_names(SpeakerResnetConfig())) == 219 - 36 - 1
    assert shapes["conv1.weight"] == (32, 1, 3, 3)
    assert shapes["layer3.5.bn2.running_mean"] == (128,)
    assert shapes["layer4.0.shortcut.0.weight"] == (256, 128, 1, 1)
    assert shapes["seg_1.weight"] == (256, 5120)


CHANGES = [
    ("model: ResNet18", "model: ResNet152", "model is 'ResNet152', expected ResNet18 or ResNet34"),
    ("TSTP", "ASTP", "pooling_func is 'ASTP'; a network that can be imported has 'TSTP'"),
    ("two_emb_layer: false", "two_emb_layer: true", "two_emb_layer is True; a network that can be imported has False"),
    ("num_mel_bins: 16", "num_mel_bins: 40", "num_mel_bins is 40; a network that can be imported has 16"),
    ("frame_shift: 10", "frame_shift: 30", "its frames make no spectrogram: frame_samples must be"),
    ("  resample_rate: 16000", "  frontend: s3prl", "frontend is 's3prl'; a network that can be imported has 'fbank'"),
]


@pytest.mark.parametrize(("old", "new", "told"), CHANGES, ids=[new.strip() for _, new, _ in CHANGES])
def test_settings_of_another_network_are_refused(folder: Path, old: str, new: str, told: str) -> None:
    path = folder / "config.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        read_checkpoint(folder, "mine")
    assert told in str(caught.value)


def test_missing_files_and_tensors(folder: Path) -> None:
    shapes = published_shapes(SMALL)
    torch_save(folder / "avg_model.pt", {k: np.zeros(v, np.float32) for k, v in shapes.items() if k != "bn1.bias"})
    with pytest.raises(ModelError, match=r"tensor 'bn1.bias' is missing"):
        read_checkpoint(folder, "mine")
    (folder / "config.yaml").unlink()
    with pytest.raises(ModelError, match=r"has no config.yaml; a WeSpeaker model is config.yaml and avg_model.pt"):
        read_checkpoint(folder, "mine")
