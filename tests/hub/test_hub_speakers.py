"""Pulling the speaker embeddings of 3D-Speaker and WeSpeaker from a Hugging Face hub of our own."""

import dataclasses
from pathlib import Path

import pytest
from hub_server import COMMIT, Publisher

from unbraid.hub import catalogue
from unbraid.hub import names as hub
from unbraid.hub.spec import read_spec

REAL_IMPORTER = hub._read_checkpoint
MODELS = [
    ("funasr/campplus", "3d_speaker", {"campplus_small.bin": "campplus_cn_common.bin"}, "Apache-2.0", 7),
    (
        "Wespeaker/wespeaker-voxceleb-resnet34-LM",
        "wespeaker",
        {name: name for name in ("config.yaml", "avg_model.pt")},
        "CC BY 4.0",
        9,
    ),
]


@pytest.mark.parametrize(("name", "golden", "files", "licence", "features"), MODELS, ids=[model[0] for model in MODELS])
def test_what_comes_is_what_the_importer_reads(
    name: str,
    golden: str,
    files: dict[str, str],
    licence: str,
    features: int,
    speech: Publisher,
    goldens: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub, "_read_checkpoint", REAL_IMPORTER)
    known = catalogue.catalogue()
    entry = dataclasses.replace(known.published[name], revision=None, sha256={})
    changed = dataclasses.replace(known, published=known.published | {name: entry})
    monkeypatch.setattr(hub, "catalogue", lambda: changed)
    for here, there in files.items():
        speech.files[f"/{name}/{there}"] = (goldens / golden / here).read_bytes()
    spec = read_spec(hub.pull(name))
    assert (spec.name, spec.task, spec.licence) == (name, "speaker embedding", licence)
    assert spec.provenance == f"{name} on the Hugging Face hub, commit {COMMIT}, the newest when it was pulled."
    asked = {path.rpartition("/")[2] for _, path, _, _ in speech.requests if "/resolve/" in path}
    assert asked == set(files.values())
    assert spec.geometry.features == features
