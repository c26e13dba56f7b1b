"""Pulling Demucs's networks: files whose names hold the first digits of their hash."""

import dataclasses
import hashlib
from pathlib import Path

import pytest
from hub_helpers import left_in
from hub_server import Publisher

from unbraid.errors import ChecksumError
from unbraid.hub import catalogue
from unbraid.hub import names as hub
from unbraid.hub.folder import open_model_folder

pytest.importorskip("onnx")


@pytest.fixture
def files(publisher: Publisher, monkeypatch: pytest.MonkeyPatch, goldens: Path) -> dict[str, bytes]:
    """A server with the small network of the goldens in place of htdemucs, and four times in place of htdemucs_ft."""
    (path,) = (goldens / "htdemucs").iterdir()
    content, digits = path.read_bytes(), path.stem.partition("-")[2]
    one = {f"0123abcd-{digits}.th": digits}
    four = {f"0000000{i}-{digits}.th": digits for i in range(4)}
    publisher.files |= {f"/{name}": content for name in (one | four)}
    monkeypatch.setenv("UNBRAID_DEMUCS_URL", publisher.url)
    known = dict(catalogue.catalogue().published)
    for name, sha256 in (("htdemucs", one), ("htdemucs_ft", four)):
        known[name] = dataclasses.replace(known[name], sha256=sha256)
    changed = dataclasses.replace(catalogue.catalogue(), published=known)
    monkeypatch.setattr(hub, "catalogue", lambda: changed)
    return publisher.files


def test_a_network_becomes_a_model(files: dict[str, bytes], publisher: Publisher) -> None:
    spec = open_model_folder(hub.pull("htdemucs"))
    assert (spec.name, spec.stems) == ("htdemucs", ("drums", "bass", "other", "vocals"))
    assert spec.licence.startswith("scientific purposes only")
    (name, content), *_ = files.items()
    digest = hashlib.sha256(content).hexdigest()
    assert spec.provenance == f"Demucs's htdemucs by Meta, {publisher.url}: {name[1:]} (sha256 {digest})."
    card = (hub.resolve("htdemucs") / "README.md").read_text(encoding="utf-8")
    assert "- **Licence:** scientific purposes only" in card


def test_four_networks_become_one_model(files: dict[str, bytes], cache: Path) -> None:
    spec = open_model_folder(hub.pull("htdemucs_ft"))
    assert (spec.geometry.outputs, spec.geometry.graphs) == (4, ("model1", "model2", "model3", "model4"))
    assert {path.split("/")[-1] for path in left_in(cache)} == {
        "README.md", "model.safetensors", "model1.onnx", "model2.onnx", "model3.onnx", "model4.onnx", "spec.json"
    }  # fmt: skip


def test_a_file_that_lies_is_refused(files: dict[str, bytes], cache: Path) -> None:
    name = next(iter(files))
    files[name] = bytes(1000)
    with pytest.raises(ChecksumError) as caught:
        hub.pull("htdemucs")
    digest = hashlib.sha256(bytes(1000)).hexdigest()
    assert f"is not the expected file: its sha256 is {digest}, expected {name[-11:-3]}…. The" in str(caught.value)
    assert left_in(cache) == []
