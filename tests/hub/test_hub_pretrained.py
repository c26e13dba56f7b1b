"""A pretrained encoder from a Hugging Face hub of our own, for training upon."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning")
pytest.importorskip("tensorboard")

from hub_helpers import left_in
from hub_server import COMMIT, Publisher

from unbraid.errors import DownloadError, ModelError
from unbraid.hub.importers.wav2vec2_backbone import read_trunk
from unbraid.training.pretrained import pretrained_trunk

NAME = "someone/speech-encoder"
FILES = ("config.json", "preprocessor_config.json", "model.safetensors")


@pytest.fixture
def there(speech: Publisher, goldens: Path) -> Publisher:
    """A repository that no catalogue knows, without vocabulary."""
    for file in FILES:
        speech.files[f"/{NAME}/{file}"] = (goldens / "wav2vec2" / file).read_bytes()
    return speech


def test_it_is_fetched_once_at_the_commit_that_main_names(
    there: Publisher, goldens: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, published = pretrained_trunk(NAME), read_trunk(goldens / "wav2vec2")
    assert found.geometry == published.geometry
    assert all((found.tensors[name] == tensor).all() for name, tensor in published.tensors.items())
    asked = [path for _, path, _, _ in there.requests if "/resolve/" in path]
    assert asked[0] == f"/{NAME}/resolve/main/config.json"
    assert all(f"/resolve/{COMMIT}/" in path for path in asked[1:])
    assert left_in(cache) == sorted(f"encoders/someone--speech-encoder/{file}" for file in FILES)
    there.requests.clear()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert pretrained_trunk(NAME).geometry == published.geometry
    assert there.requests == []


def test_a_hub_without_it_is_told(speech: Publisher, cache: Path) -> None:
    with pytest.raises(DownloadError) as caught:
        pretrained_trunk(NAME)
    url = f"{speech.url}/{NAME}/resolve/main/config.json"
    assert str(caught.value) == f"There is no such file: {url} answers with HTTP status 404."
    assert left_in(cache) == []


def test_a_hub_that_cannot_be_reached_is_told(speech: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DownloadError, match=r"config\.json cannot be downloaded: .* Check the connection"):
        pretrained_trunk(NAME)


def test_another_network_is_not_kept(there: Publisher, cache: Path) -> None:
    there.files[f"/{NAME}/config.json"] = json.dumps({"model_type": "bert"}).encode()
    with pytest.raises(ModelError, match=r"model_type is 'bert'; networks of transformers that can be imported"):
        pretrained_trunk(NAME)
    assert left_in(cache) == []
