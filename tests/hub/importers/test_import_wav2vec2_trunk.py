"""What is below the head of a published Wav2Vec2 or HuBERT: the same with the head and without, however it is named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from unbraid.errors import ModelError
from unbraid.hub.importers import read_checkpoint
from unbraid.hub.importers.wav2vec2_backbone import read_trunk
from unbraid.models.wav2vec2.layout import backbone_shapes

Tensors = dict[str, np.ndarray]


@pytest.fixture
def folder(tmp_path: Path, goldens: Path) -> Path:
    """A published folder that may be changed."""
    return shutil.copytree(goldens / "wav2vec2", tmp_path / "published")


def configure(folder: Path, **values: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def rewrite(folder: Path, change: Callable[[Tensors], Tensors]) -> None:
    path = folder / "model.safetensors"
    safetensors.numpy.save_file(change(safetensors.numpy.load_file(path)), path)


def headless(tensors: Tensors) -> Tensors:
    return {name: tensor for name, tensor in tensors.items() if not name.startswith("lm_head.")}


def bare(tensors: Tensors) -> Tensors:
    """As Wav2Vec2Model and HubertModel are saved."""
    return {name.removeprefix("wav2vec2."): tensor for name, tensor in headless(tensors).items()}


def pretraining(tensors: Tensors) -> Tensors:
    """As Wav2Vec2ForPreTraining is saved."""
    more = {"quantizer.codevectors": np.ones((1, 4, 2), np.float32), "project_q.bias": np.ones(4, np.float32)}
    return headless(tensors) | more | {"wav2vec2.masked_spec_embed": np.ones(24, np.float32)}


@pytest.mark.parametrize("kind", ["wav2vec2", "hubert"])
def test_it_is_that_of_the_network_with_a_head(goldens: Path, kind: str) -> None:
    trunk, whole = read_trunk(goldens / kind), read_checkpoint(goldens / kind, "mine")
    assert trunk.sample_rate == whole.spec.sample_rate
    assert {name: tensor.shape for name, tensor in trunk.tensors.items()} == backbone_shapes(trunk.geometry)
    assert whole.tensors.keys() - trunk.tensors.keys() == {"symbols.weight", "symbols.bias"}
    for name, tensor in trunk.tensors.items():
        np.testing.assert_array_equal(tensor, whole.tensors[name])


@pytest.mark.parametrize("change", [headless, bare, pretraining])
def test_without_a_head_it_is_the_same(folder: Path, change: Callable[[Tensors], Tensors]) -> None:
    before = read_trunk(folder).tensors
    rewrite(folder, change)
    configure(folder, architectures=["Wav2Vec2Model"])
    (folder / "vocab.json").unlink()
    after = read_trunk(folder).tensors
    assert after.keys() == before.keys()
    for name, tensor in after.items():
        np.testing.assert_array_equal(tensor, before[name])


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("config.json", "a Wav2Vec2 or HuBERT is"),
        ("preprocessor_config.json", "a Wav2Vec2 is"),
        ("model.safetensors", "a Wav2Vec2 is"),
    ],
)
def test_a_missing_file_is_named(folder: Path, missing: str, message: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(ModelError) as caught:
        read_trunk(folder)
    assert str(caught.value) == (
        f"{folder} has no {missing}; {message} config.json, preprocessor_config.json and model.safetensors or "
        "pytorch_model.bin."
    )


def test_another_network_is_told(folder: Path) -> None:
    configure(folder, model_type="bert")
    with pytest.raises(ModelError) as caught:
        read_trunk(folder)
    assert str(caught.value) == (
        f"{folder}/config.json: model_type is 'bert'; networks of transformers that can be imported are wav2vec2 and "
        "hubert."
    )
