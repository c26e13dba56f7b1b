"""Pulling SpeechBrain's folders from a Hugging Face hub of our own."""

import dataclasses
import hashlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest
from hub_helpers import (
    PINNED,
    SPEECH,
    SPEECH_FILES,
    left_in,
)
from hub_server import COMMIT, Fault, Publisher

from unbraid.errors import ChecksumError, DownloadError
from unbraid.hub import catalogue
from unbraid.hub import names as hub
from unbraid.hub.spec import read_spec

REAL_IMPORTER = hub._read_checkpoint


def test_speechbrain_becomes_a_model(speech: Publisher, converter: SimpleNamespace, cache: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    folder = hub.pull(SPEECH, progress=lambda done, total: seen.append((done, total)))
    assert folder == cache / "models" / "speechbrain--sepformer-whamr-enhancement"
    assert converter.files == SPEECH_FILES
    spec = read_spec(folder)
    assert (spec.name, spec.licence) == (SPEECH, "Apache-2.0")
    assert spec.scores == {"SI-SNR dB, WHAMR! (stated)": 10.59, "PESQ, WHAMR! (stated)": 2.84}
    assert (
        spec.provenance
        == f"SpeechBrain's {SPEECH} on the Hugging Face hub, commit {COMMIT}, the newest when it was pulled."
    )
    total = sum(map(len, SPEECH_FILES.values()))
    assert seen[-1] == (total, total) and seen == sorted(seen)
    asked = [path for _, path, _, _ in speech.requests if "/resolve/" in path]
    assert asked[0] == f"/{SPEECH}/resolve/main/hyperparams.yaml"
    assert all(f"/resolve/{COMMIT}/" in path for path in asked[1:])  # one commit for all
    assert left_in(cache) == ["models/speechbrain--sepformer-whamr-enhancement/spec.json"]


def test_what_comes_is_what_the_importer_reads(speech: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_read_checkpoint", REAL_IMPORTER)
    for file in (Path(__file__).parents[1] / "goldens" / "speechbrain_1spk").iterdir():
        speech.files[f"/{SPEECH}/{file.name}"] = file.read_bytes()
    spec = read_spec(hub.pull(SPEECH))
    assert (spec.name, spec.stems, spec.licence) == (SPEECH, ("speech",), "Apache-2.0")


def test_an_ecapa_tdnn_is_two_files(speech: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_read_checkpoint", REAL_IMPORTER)
    known, name = catalogue.catalogue(), "speechbrain/spkrec-ecapa-voxceleb"
    entry = dataclasses.replace(known.published[name], revision=None, sha256={})
    changed = dataclasses.replace(known, published=known.published | {name: entry})
    monkeypatch.setattr(hub, "catalogue", lambda: changed)
    for file in (Path(__file__).parents[1] / "goldens" / "speechbrain_ecapa").iterdir():
        speech.files[f"/{name}/{file.name}"] = file.read_bytes()
    spec = read_spec(hub.pull(name))
    assert (spec.name, spec.task, spec.licence) == (name, "speaker embedding", "Apache-2.0")
    asked = {path.rpartition("/")[2] for _, path, _, _ in speech.requests if "/resolve/" in path}
    assert asked == {"hyperparams.yaml", "embedding_model.ckpt"}


def test_large_file_of_the_hub_is_resumed_across_calls(speech: Publisher, cache: Path) -> None:
    speech.faults["/cdn/masknet.ckpt"] = [Fault(drop_after=100_000)]
    speech.always["/cdn/masknet.ckpt"] = Fault(status=503)
    with pytest.raises(DownloadError, match="The 100000 bytes so far are kept: run the command again to go on"):
        hub.pull(SPEECH)
    assert not (cache / "models").exists()
    del speech.always["/cdn/masknet.ckpt"]
    speech.requests.clear()
    hub.pull(SPEECH)
    assert speech.gets("/cdn/masknet.ckpt") == ["bytes=100000-"]
    assert speech.gets("/cdn/encoder.ckpt") == []


def test_hub_that_hiccups_is_asked_again(speech: Publisher, converter: SimpleNamespace) -> None:
    speech.faults[f"HEAD /{SPEECH}/resolve/main/hyperparams.yaml"] = [Fault(status=500), Fault(status=429)]
    hub.pull(SPEECH)
    assert converter.files == SPEECH_FILES


@pytest.mark.parametrize("file", ["hyperparams.yaml", "masknet.ckpt"])
def test_file_that_is_not_what_the_hub_states(speech: Publisher, file: str, cache: Path) -> None:
    speech.states[file] = "0" * (40 if file.endswith("yaml") else 64)
    with pytest.raises(ChecksumError, match=rf"{file} is not the expected file: its (git hash|sha256) is"):
        hub.pull(SPEECH)
    assert not (cache / "models").exists()


def test_bytes_that_are_not_what_the_hub_states(speech: Publisher, cache: Path) -> None:
    speech.files["/cdn/masknet.ckpt"] = bytes(len(SPEECH_FILES["masknet.ckpt"]))
    with pytest.raises(ChecksumError, match=r"masknet.ckpt is not the expected file: its sha256 is"):
        hub.pull(SPEECH)
    assert not (cache / "models").exists()


def test_pinned_revision_and_hash_must_be_met(
    speech: Publisher, monkeypatch: pytest.MonkeyPatch, converter: SimpleNamespace
) -> None:
    known = catalogue.catalogue().published
    pinned = dataclasses.replace(known[SPEECH], revision="f" * 40)
    changed = catalogue.Catalogue((), {SPEECH: pinned})
    monkeypatch.setattr(hub, "catalogue", lambda: changed)
    with pytest.raises(ChecksumError) as error:
        hub.pull(SPEECH)
    assert str(error.value) == (
        f"{speech.url}/{SPEECH}/resolve/{'f' * 40}/hyperparams.yaml answers with commit {COMMIT}, but {'f' * 40} was "
        "asked for."
    )
    changed.published[SPEECH] = dataclasses.replace(pinned, revision=COMMIT, sha256={"masknet.ckpt": "0" * 64})
    with pytest.raises(ChecksumError, match=rf"is said to have sha256 \w+, but {'0' * 64} was published\.$"):
        hub.pull(SPEECH)
    good = {name: hashlib.sha256(content).hexdigest() for name, content in SPEECH_FILES.items()}
    changed.published[SPEECH] = dataclasses.replace(pinned, revision=COMMIT, sha256=good)
    hub.pull(SPEECH)
    assert converter.files == SPEECH_FILES


@pytest.mark.parametrize("commit", ["main", COMMIT[:12], COMMIT + "0", COMMIT[:-1] + "G"])
def test_a_commit_that_is_none_is_refused(speech: Publisher, cache: Path, commit: str) -> None:
    speech.commit = commit
    with pytest.raises(ChecksumError) as error:
        hub.pull(SPEECH)
    assert str(error.value) == (
        f"{speech.url}/{SPEECH}/resolve/main/hyperparams.yaml answers with commit {commit!r}, which is not a Git "
        "commit of 40 hexadecimal digits."
    )
    assert left_in(cache) == []


def test_a_pinned_model_says_which_commit_it_is(
    speech: Publisher, monkeypatch: pytest.MonkeyPatch, converter: SimpleNamespace
) -> None:
    known = catalogue.catalogue().published
    changed = catalogue.Catalogue((), {SPEECH: dataclasses.replace(known[SPEECH], revision=COMMIT)})
    monkeypatch.setattr(hub, "catalogue", lambda: changed)
    spec = read_spec(hub.pull(SPEECH))
    assert spec.provenance == f"SpeechBrain's {SPEECH} on the Hugging Face hub, commit {COMMIT}."
    assert not any("/resolve/main/" in path for _, path, _, _ in speech.requests)


def test_missing_repository_and_what_is_no_hub(speech: Publisher, cache: Path) -> None:
    with pytest.raises(DownloadError) as error:
        hub.pull(PINNED)
    revision = catalogue.catalogue().published[PINNED].revision
    url = f"{speech.url}/{PINNED}/resolve/{revision}/hyperparams.yaml"
    assert str(error.value) == f"There is no such file: {url} answers with HTTP status 404."
    speech.commit = None
    with pytest.raises(DownloadError, match=r"is not answered by a Hugging Face hub; check HF_ENDPOINT and any proxy"):
        hub.pull(SPEECH)
    assert left_in(cache) == []


def test_token_stays_with_the_hub(speech: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.pull(SPEECH)
    tokens = {path.split("/")[1]: token for _, path, _, token in speech.requests}
    assert tokens == {"speechbrain": "Bearer hf_secret", "cdn": None}


def test_files_in_the_hubs_own_cache_are_used(speech: Publisher, converter: SimpleNamespace, tmp_path: Path) -> None:
    snapshot = tmp_path / "hf" / f"models--{SPEECH.replace('/', '--')}" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "masknet.ckpt").write_bytes(SPEECH_FILES["masknet.ckpt"])
    (snapshot / "encoder.ckpt").write_bytes(b"damaged")
    hub.pull(SPEECH)
    assert converter.files == SPEECH_FILES
    assert speech.gets("/cdn/masknet.ckpt") == [] and speech.gets("/cdn/encoder.ckpt") == [None]


def test_hub_variables_in_a_fresh_process(speech: Publisher, tmp_path: Path) -> None:
    """HF_ENDPOINT and HF_HOME are read by huggingface_hub when it is imported: so, in a process of its own."""
    code = f"""
        from pathlib import Path
        from unbraid.hub import catalogue, publishers
        entry = catalogue.catalogue().published[{SPEECH!r}]
        staging = Path({str(tmp_path)!r}) / "staging"
        print(publishers.fetch_published(entry, staging, None).provenance)
    """
    snapshot = tmp_path / "home" / "hub" / f"models--{SPEECH.replace('/', '--')}" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "masknet.ckpt").write_bytes(SPEECH_FILES["masknet.ckpt"])
    environment = os.environ | {"HF_ENDPOINT": speech.url, "HF_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], env=environment, capture_output=True, text=True, check=True
    )
    assert (
        done.stdout
        == f"SpeechBrain's {SPEECH} on the Hugging Face hub, commit {COMMIT}, the newest when it was pulled.\n"
    )
    assert {file.name for file in (tmp_path / "staging" / COMMIT).iterdir()} == set(SPEECH_FILES)
    assert speech.gets("/cdn/masknet.ckpt") == []
