"""Fixtures for the hub: a publisher, a cache of our own, and stand-ins for importer and folder writer."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hub_helpers import CHECKPOINT, SPEECH, SPEECH_FILES, a_spec, archive_of, publish_archive
from hub_server import Publisher, serve

from unbraid.errors import ModelError
from unbraid.hub import cache as store
from unbraid.hub import download
from unbraid.hub import names as hub
from unbraid.hub.importers import Checkpoint
from unbraid.hub.spec import ModelSpec


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No proxies, tokens or caches of the machine; no waiting."""
    publishers = ("UNBRAID_SPLEETER_URL", "UNBRAID_DEMUCS_URL", "HF_ENDPOINT", "HF_TOKEN")
    for name in ("UNBRAID_OFFLINE", "HF_HUB_OFFLINE", *publishers):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("UNBRAID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "RETRY_SECONDS", 0.0)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """The cache of this test."""
    return tmp_path / "cache"


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    """A server with nothing on it yet."""
    publisher = Publisher()
    server = serve(publisher)
    yield publisher
    server.shutdown()
    server.server_close()


@pytest.fixture
def converter(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Stand-ins for the importer (which notes the files it is given) and for the folder writer."""
    noted = SimpleNamespace(files={}, refuse=False)

    def read_checkpoint(folder: Path, name: str) -> Checkpoint:
        noted.files = {file.name: file.read_bytes() for file in folder.iterdir()}
        if noted.refuse:
            raise ModelError("tensor 'x' is missing.")
        family = "unet" if "model.index" in noted.files else "sepformer"
        return Checkpoint({"x": np.zeros(1, np.float32)}, a_spec(name, family))

    def write_model_folder(
        destination: Path, spec: ModelSpec, tensors: dict[str, np.ndarray], dtype: str, files: dict[str, bytes]
    ) -> None:
        with store.appearing(destination) as fresh:
            (fresh / "spec.json").write_text(spec.to_json(), encoding="utf-8")

    monkeypatch.setattr(hub, "_read_checkpoint", read_checkpoint)
    monkeypatch.setattr("unbraid.hub.folder.write_model_folder", write_model_folder)
    return noted


@pytest.fixture
def spleeter(publisher: Publisher, monkeypatch: pytest.MonkeyPatch, converter: SimpleNamespace) -> Publisher:
    """A release of Spleeter with one small archive."""
    members = {"._checkpoint": b"junk", **CHECKPOINT, "model.meta": b"graph"}
    publish_archive(publisher, monkeypatch, archive_of(members))
    return publisher


@pytest.fixture
def speech(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch, converter: SimpleNamespace, tmp_path: Path
) -> Publisher:
    """A Hugging Face hub with one small model."""
    publisher.files |= {f"/{SPEECH}/{name}": content for name, content in SPEECH_FILES.items()}
    monkeypatch.setenv("HF_ENDPOINT", publisher.url)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no-token"))
    return publisher
