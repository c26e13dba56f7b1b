"""Pulling a TIGER: two files of a hub, at the commit and with the hashes that the catalogue pins."""

import dataclasses
import hashlib
from pathlib import Path

import pytest
from hub_server import COMMIT, Publisher

from unbraid.errors import ChecksumError
from unbraid.hub import catalogue
from unbraid.hub import names as hub
from unbraid.hub.spec import read_spec

REAL_IMPORTER = hub._read_checkpoint
NAME = "JusperLee/TIGER-DnR"


@pytest.fixture
def files(speech: Publisher, monkeypatch: pytest.MonkeyPatch, goldens: Path) -> dict[str, bytes]:
    """A hub with the small networks of the goldens."""
    files = {path.name: path.read_bytes() for path in (goldens / "tiger_dnr").iterdir()}
    known = catalogue.catalogue()
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    entry = dataclasses.replace(known.published[NAME], revision=COMMIT, sha256=digests)
    changed = dataclasses.replace(known, published=known.published | {NAME: entry})
    monkeypatch.setattr(hub, "catalogue", lambda: changed)
    monkeypatch.setattr(hub, "_read_checkpoint", REAL_IMPORTER)
    speech.files |= {f"/{NAME}/{name}": content for name, content in files.items()}
    return speech.files


def test_two_files_become_a_model(files: dict[str, bytes]) -> None:
    spec = read_spec(hub.pull(NAME))
    assert (spec.name, spec.stems, spec.licence) == (NAME, ("dialogue", "music", "effects"), "Apache-2.0")
    assert spec.provenance == f"{NAME} on the Hugging Face hub, commit {COMMIT}."


def test_another_file_than_the_published_one_is_refused(files: dict[str, bytes], cache: Path) -> None:
    files[f"/{NAME}/model.safetensors"] += b"\0"
    with pytest.raises(ChecksumError):
        hub.pull(NAME)
    assert not (cache / "models").exists()
