"""Pulling ClearerVoice's MossFormer2 from a Hugging Face hub of our own."""

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
NAME = "alibabasglab/MossFormer2_SS_16K"
FILES = ("last_best_checkpoint", "last_best_checkpoint.pt")


@pytest.fixture
def published(speech: Publisher, goldens: Path, monkeypatch: pytest.MonkeyPatch) -> Publisher:
    """A server with the small network of the goldens in place of the published one, under its hashes."""
    contents = {file: (goldens / "clearvoice" / file).read_bytes() for file in FILES}
    speech.files |= {f"/{NAME}/{file}": content for file, content in contents.items()}
    known = catalogue.catalogue()
    digests = {file: hashlib.sha256(content).hexdigest() for file, content in contents.items()}
    entry = dataclasses.replace(known.published[NAME], revision=COMMIT, sha256=digests)
    changed = dataclasses.replace(known, published=known.published | {NAME: entry})
    monkeypatch.setattr(hub, "catalogue", lambda: changed)
    monkeypatch.setattr(hub, "_read_checkpoint", REAL_IMPORTER)
    return speech


def test_what_comes_is_what_the_importer_reads(published: Publisher) -> None:
    spec = read_spec(hub.pull(NAME))
    assert (spec.name, spec.family, spec.stems, spec.licence) == (
        NAME, "mossformer2", ("voice1", "voice2"), "Apache-2.0",
    )  # fmt: skip
    assert spec.provenance == f"{NAME} on the Hugging Face hub, commit {COMMIT}."
    assert spec.scores["SI-SNRi dB, WSJ0-2mix (stated)"] == 22.0


@pytest.mark.parametrize("file", FILES)
def test_another_file_than_the_published_one_is_refused(published: Publisher, file: str, cache: Path) -> None:
    published.files[f"/{NAME}/{file}"] += b" "
    with pytest.raises(ChecksumError, match=file):
        hub.pull(NAME)
    assert not list((cache / "models").glob("*/spec.json"))
