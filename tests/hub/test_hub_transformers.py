"""Pulling Wav2Vec2 and HuBERT from a Hugging Face hub of our own; importing them from a folder."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.numpy
from hub_helpers import left_in
from hub_server import COMMIT, Fault, Publisher

from unbraid.errors import DownloadError, ModelNotFound
from unbraid.hub import names as hub
from unbraid.hub.folder import open_model_folder
from unbraid.hub.spec import read_spec
from unbraid.runtime import Engine, open_executor
from whisper_folders import write_whisper

REAL_IMPORTER = hub._read_checkpoint
BASE, HUBERT = "facebook/wav2vec2-base-960h", "facebook/hubert-large-ls960-ft"
PULLED = ("config.json", "preprocessor_config.json", "vocab.json")


def publish(publisher: Publisher, name: str, files: dict[str, bytes]) -> None:
    publisher.files |= {f"/{name}/{file}": content for file, content in files.items()}


@pytest.fixture
def there(speech: Publisher, goldens: Path) -> Publisher:
    """The hub, with a golden as if it were the published base model."""
    publish(speech, BASE, {file.name: file.read_bytes() for file in (goldens / "wav2vec2").iterdir()})
    return speech


def test_safetensors_are_pulled_where_there_are_some(
    there: Publisher, converter: SimpleNamespace, goldens: Path, cache: Path
) -> None:
    publish(there, BASE, {"pytorch_model.bin": b"the same again"})
    seen: list[tuple[int, int | None]] = []
    folder = hub.pull(BASE, progress=lambda done, total: seen.append((done, total)))
    assert folder == cache / "models" / "facebook--wav2vec2-base-960h"
    wanted = {file: (goldens / "wav2vec2" / file).read_bytes() for file in (*PULLED, "model.safetensors")}
    assert converter.files == wanted
    spec = read_spec(folder)
    assert (spec.name, spec.licence) == (BASE, "Apache-2.0")
    assert spec.scores == {
        "WER %, LibriSpeech test-clean (stated)": 3.4,
        "WER %, LibriSpeech test-other (stated)": 8.6,
    }
    assert spec.provenance == f"{BASE} on the Hugging Face hub, commit {COMMIT}, the newest when it was pulled."
    total = sum(map(len, wanted.values()))
    assert seen[-1] == (total, total) and seen == sorted(seen)
    asked = [path for _, path, _, _ in there.requests if "/resolve/" in path]
    assert asked[0] == f"/{BASE}/resolve/main/config.json"
    assert all(f"/resolve/{COMMIT}/" in path for path in asked[1:])  # one commit for all


def test_a_file_of_torch_is_pulled_where_there_are_no_safetensors(
    speech: Publisher, converter: SimpleNamespace, goldens: Path
) -> None:
    publish(speech, HUBERT, {file.name: file.read_bytes() for file in (goldens / "hubert").iterdir()})
    hub.pull(HUBERT)
    assert converter.files.keys() == {*PULLED, "pytorch_model.bin"}


def test_a_model_without_weights_is_told(speech: Publisher, cache: Path) -> None:
    publish(speech, BASE, dict.fromkeys(PULLED, b"{}"))
    with pytest.raises(DownloadError) as error:
        hub.pull(BASE)
    url = f"{speech.url}/{BASE}/resolve/{COMMIT}/pytorch_model.bin"
    assert str(error.value) == f"There is no such file: {url} answers with HTTP status 404."
    assert left_in(cache) == []


def test_a_hub_that_refuses_is_not_taken_for_one_without_the_file(there: Publisher) -> None:
    there.faults[f"HEAD /{BASE}/resolve/{COMMIT}/model.safetensors"] = [Fault(status=403)]
    with pytest.raises(DownloadError, match=r"Access is refused: .*/model.safetensors answers with HTTP status 403"):
        hub.pull(BASE)


def test_what_comes_is_what_the_importer_reads(there: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_read_checkpoint", REAL_IMPORTER)
    spec = read_spec(hub.pull(BASE))
    assert (spec.name, spec.family, spec.stems, spec.licence) == (BASE, "wav2vec2", (), "Apache-2.0")


@pytest.mark.parametrize("kind", ["wav2vec2", "hubert"])
def test_an_imported_model_is_there_and_runs(goldens: Path, kind: str) -> None:
    pytest.importorskip("onnx")
    folder = hub.import_model(goldens / kind, "mine")
    assert hub.resolve("mine") == folder
    spec = open_model_folder(folder)
    golden = safetensors.numpy.load_file(goldens / kind / "io.safetensors")
    waveform = np.stack([golden["waveform"], golden["waveform"][::-1]])
    logits = open_executor(spec, folder, engine=Engine("cpu", threads=1)).run({"waveform": waveform})["logits"]
    assert logits.shape == (2, len(golden["logits"]), spec.geometry.symbols)
    assert next(entry for entry in hub.entries() if entry.name == "mine").stems == ()
    card = (folder / "README.md").read_text()
    assert f"Writes what is said, at {spec.sample_rate} Hz." in card
    assert "unbraid transcribe speech.wav -m mine" in card


def test_a_published_folder_is_no_model_folder_yet(goldens: Path) -> None:
    path = goldens / "wav2vec2"
    with pytest.raises(ModelNotFound) as error:
        hub.resolve(path)
    assert (
        str(error.value) == f"{path} is a published checkpoint; `unbraid models import {path} --to NAME` converts it."
    )


def test_a_whisper_comes_with_its_tokenizer(
    speech: Publisher, converter: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_whisper(tmp_path / "published")
    publish(speech, "openai/whisper-tiny", {file.name: file.read_bytes() for file in folder.iterdir()})
    hub.pull("openai/whisper-tiny")
    assert converter.files.keys() == {file.name for file in folder.iterdir()}
    monkeypatch.setattr(hub, "_read_checkpoint", REAL_IMPORTER)
    hub.remove("openai/whisper-tiny")
    spec = read_spec(hub.pull("openai/whisper-tiny"))
    assert (spec.name, spec.licence, spec.task) == ("openai/whisper-tiny", "MIT", "transcription")
