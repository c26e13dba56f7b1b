"""SpeechBrain's x-vector folders become our weights and spec; the embedding is that of its network."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedding_fakes import stirred
from engine_fakes import peak_error
from unbraid.errors import ModelError
from unbraid.hub.folder import write_model_folder
from unbraid.hub.importers import read_checkpoint
from unbraid.hub.importers.speechbrain_xvector import LONG, published_names
from unbraid.hub.spec import Mel
from unbraid.models.xvector.config import XvectorConfig
from unbraid.runtime import Engine, open_executor
from unbraid.tasks.conversation.embedder import SpeakerEmbedder

SMALL = XvectorConfig(6, (8, 7, 9), (5, 3, 1), (1, 2, 1), 4)
SETTINGS = """
n_mels: 6
compute_features: !new:speechbrain.lobes.features.Fbank
    n_mels: !ref <n_mels>
mean_var_norm: !new:speechbrain.processing.features.InputNormalization
    norm_type: sentence
    std_norm: False
embedding_model: !new:speechbrain.lobes.models.Xvector.Xvector
    in_channels: !ref <n_mels>
    activation: !name:torch.nn.LeakyReLU
    tdnn_blocks: 3
    tdnn_channels: [8, 7, 9]
    tdnn_kernel_sizes: [5, 3, 1]
    tdnn_dilations: [1, 2, 1]
    lin_neurons: 4
"""
torch = pytest.importorskip("torch")


def published() -> Any:
    """The network of SpeechBrain: its layers mirror their input, and statistics are over all frames."""
    from torch import nn

    class Held(nn.Module):
        """A module under the name that SpeechBrain's wrappers give it."""

        def __init__(self, name: str, module: nn.Module) -> None:
            super().__init__()
            setattr(self, name, module)
            self.held = name

        def forward(self, x: Any) -> Any:
            return getattr(self, self.held)(x)

    class Pooling(nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.cat((x.mean(-1), x.std(-1)), dim=1)

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            blocks: list[nn.Module] = []
            for i, o, k, d in zip((6, 8, 7), (8, 7, 9), (5, 3, 1), (1, 2, 1), strict=True):
                conv = nn.Conv1d(i, o, k, dilation=d, padding=d * (k - 1) // 2, padding_mode="reflect")
                blocks += [Held("conv", conv), nn.LeakyReLU(), Held("norm", nn.BatchNorm1d(o))]
            self.blocks = nn.Sequential(*blocks, Pooling(), Held("w", nn.Linear(18, 4)))

        def forward(self, levels: Any) -> Any:
            return self.blocks(levels.transpose(1, 2))

    return stirred(Network())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as SpeechBrain publishes it."""
    folder = tmp_path / "some"
    folder.mkdir()
    torch.save(published().state_dict(), folder / "embedding_model.ckpt")
    (folder / "hyperparams.yaml").write_text(SETTINGS)
    return folder


def test_a_folder_becomes_weights_and_spec(folder: Path) -> None:
    spec = read_checkpoint(folder, "speechbrain/spkrec-xvect-some").spec
    assert (spec.family, spec.task, spec.geometry, spec.sample_rate) == ("xvector", "speaker embedding", SMALL, 16000)
    assert (spec.mel, spec.windows, spec.licence) == (Mel(400, 160, 6), LONG, "Apache-2.0")


@pytest.mark.parametrize("engine", ["cpu", "torch"])
def test_the_embedding_is_that_of_the_network(engine: str, folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    checkpoint = read_checkpoint(folder, "mine")
    write_model_folder(tmp_path / "model", checkpoint.spec, checkpoint.tensors)
    for frames in (SMALL.least_frames, 200):
        levels = np.random.default_rng(0).normal(size=(2, frames, 6)).astype(np.float32)
        with torch.no_grad():
            wanted = published()(torch.from_numpy(levels)).numpy()
        executor = open_executor(checkpoint.spec, tmp_path / "model", engine=Engine(engine))
        assert peak_error(wanted, executor.run({"levels": levels})["embedding"]) <= 1e-4
    with SpeakerEmbedder(tmp_path / "model") as embedder:
        found = embedder(np.random.default_rng(1).normal(0, 0.1, (1, 16000)).astype(np.float32), 16000)
    assert found.shape == (4,) and abs(np.linalg.norm(found) - 1) < 1e-5


def test_published_names_are_those_of_spkrec_xvect_voxceleb() -> None:
    names = published_names(XvectorConfig())
    assert len(names) == 32
    assert names["layers.0.conv.weight"] == "blocks.0.conv.weight"
    assert names["layers.4.norm.running_var"] == "blocks.14.norm.running_var"
    assert names["embedding.bias"] == "blocks.16.w.bias"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("lin_neurons: 4", "lin_neurons: 5"), "tensor 'blocks.10.w.bias' has shape (4,), expected (5,)."),
        (("tdnn_blocks: 3", "tdnn_blocks: 4"), "tdnn_blocks is 4; a network that can be imported has 3."),
        (("[5, 3, 1]", "[5, 4, 1]"), "kernels must be odd, so that frames stay where they are, got 4."),
        (("[1, 2, 1]", "[1, 2]"), "each layer needs a width, a kernel and a dilation; there are 3, 3 and 2."),
        (("std_norm: False", "std_norm: True"), "std_norm is True; a network that can be imported has False."),
    ],
)
def test_settings_that_do_not_fit_are_refused(change: tuple[str, str], told: str, folder: Path) -> None:
    (folder / "hyperparams.yaml").write_text(SETTINGS.replace(*change))
    with pytest.raises(ModelError) as caught:
        read_checkpoint(folder, "mine")
    assert told in str(caught.value)
