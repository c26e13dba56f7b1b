"""`unbraid models`, `export` and `doctor`: thin skins, so only what they add is tested."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine_fakes import text_spec, write_model
from unbraid.cli import checkup
from unbraid.hub import cache as store
from unbraid.hub import names as hub
from unbraid.hub.spec import read_spec


def test_the_list_names_what_is_here_and_what_can_be_had(unbraid_command):
    outcome = unbraid_command("models")
    assert outcome.code == 0
    assert "spleeter:4stems" in outcome.out
    assert "vocals, drums, bass, other" in outcome.out
    assert "uSDR improvement dB, drums" in outcome.out and "uSDR dB, drums" not in outcome.out  # the card tells all
    assert "Download a model that is not on this machine with `unbraid models pull NAME`." in outcome.out
    entries = {entry["name"]: entry for entry in json.loads(unbraid_command("models", "--json").out)}
    published = entries["speechbrain/sepformer-wsj02mix"]
    assert (published["where"], published["folder"], published["sample_rate"]) == ("published", None, 8000)
    assert published["stems"] == ["voice1", "voice2"]


def test_import_path_and_remove(unbraid_command, goldens):
    assert unbraid_command("models", "import", goldens / "spleeter_2stems", "--to", "mine").code == 0
    folder = Path(unbraid_command("models", "path", "mine").out.strip())
    assert (folder / "model.safetensors").is_file()
    again = unbraid_command("models", "import", goldens / "spleeter_2stems", "--to", "mine")
    assert again.code == 2
    assert again.errors == ["error: There is a model called 'mine' already; choose another name, or use --overwrite."]
    assert unbraid_command("models", "import", goldens / "spleeter_2stems", "--to", "mine", "--overwrite").code == 0
    assert unbraid_command("models", "remove", "mine").out == "mine is removed\n"
    assert not folder.exists()
    assert unbraid_command("models", "remove", "mine").code == 1


def test_nothing_is_downloaded_offline(unbraid_command):
    outcome = unbraid_command("models", "pull", "spleeter:2stems", "--offline")
    assert outcome.code == 1
    assert outcome.err.startswith("error: spleeter:2stems is not on this machine, and downloads are forbidden")


def test_pull_shows_where_the_model_is(unbraid_command, monkeypatch, here):
    folder = hub.resolve("speech-2")
    monkeypatch.setattr(hub, "pull", lambda name, *, progress, offline: progress(1, 2) or folder)
    outcome = unbraid_command("models", "pull", "some")
    assert (outcome.code, outcome.err) == (0, "")
    spec = read_spec(folder)  # the provenance tells the commit, if there is one
    assert outcome.out == f"some is at {folder}\n  {spec.provenance}\n  Licence of the weights: {spec.licence}\n"
    assert unbraid_command("models", "pull", "some", "--quiet").out == ""


def test_export_without_torch_names_the_extra(unbraid_command, monkeypatch, here):
    for name in [name for name in sys.modules if name.split(".")[0] == "torch" or name == "unbraid.training.export"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    (here / "x.pt").touch()
    outcome = unbraid_command("export", "x.pt", "-o", "folder", "--name", "mine")
    assert outcome.code == 2
    assert len(outcome.errors) == 1
    assert "unbraid[train]" in outcome.err


@pytest.fixture
def healthy(monkeypatch):
    """A machine with every model in its place."""
    monkeypatch.setattr(checkup, "models", lambda problems: {"speech-2": "verified"})


def test_doctor_finds_nothing_wrong(unbraid_command, healthy):
    outcome = unbraid_command("doctor")
    assert "missing: `unbraid synthesize` has no voice" in outcome.out
    assert outcome.out.endswith("nothing else is wrong\n")
    assert outcome.code == 0
    found = json.loads(unbraid_command("doctor", "--json").out)
    assert found["problems"] == []
    assert found["sections"]["defaults"]["separate"] == "speech, music-4, voice"
    assert found["sections"]["defaults"]["synthesize"] == "speak (not here), g2p"
    assert set(found["sections"]["codecs"]) == {"wav", "flac", "ogg", "opus", "mp3", "m4a"}
    assert {"python", "unbraid", "numpy", "onnxruntime", "libsndfile", "FFmpeg"} <= found["sections"]["versions"].keys()


def test_doctor_says_what_is_wrong(unbraid_command, goldens, monkeypatch):
    unbraid_command("models", "import", goldens / "spleeter_2stems", "--to", "mine")
    weights = hub.resolve("mine") / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    outcome = unbraid_command("doctor")
    assert outcome.code == 1
    assert f"wrong: model mine: {weights.parent}: model.safetensors is damaged" in outcome.out


def test_a_check_that_breaks_is_a_problem_itself(unbraid_command, monkeypatch):
    def broken(problems):
        raise RuntimeError("no devices today")

    monkeypatch.setattr(checkup, "devices", broken)
    monkeypatch.setattr(checkup.builds, "what_is_wrong", lambda: "Two builds. For cuda, run `this`.")
    outcome = unbraid_command("doctor")
    assert outcome.code == 1
    assert "wrong: the devices cannot be checked: RuntimeError: no devices today" in outcome.out
    assert "wrong: Two builds. For cuda, run `this`." in outcome.out


def test_what_fails_as_json_is_json(unbraid_command, monkeypatch):
    def broken(**_):
        raise RuntimeError("no list today")

    monkeypatch.setattr(hub, "entries", broken)
    outcome = unbraid_command("models", "--json")
    assert outcome.code == 1
    assert outcome.errors == [f"error: {json.loads(outcome.out)['error']}"]


def test_a_model_of_texts_has_neither_stems_nor_a_rate(unbraid_command, monkeypatch):
    write_model(store.models_folder() / "tiny-text", text_spec())
    (line,) = [line for line in unbraid_command("models").out.splitlines() if "tiny-text" in line]
    assert line.split()[:3] == ["tiny-text", "here", "text"]
    assert "kHz" not in line
    entries = {entry["name"]: entry for entry in json.loads(unbraid_command("models", "--json").out)}
    assert (entries["tiny-text"]["stems"], entries["tiny-text"]["sample_rate"]) == ([], 0)
    fake = SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(sys.modules["unbraid.cli.models"], "sys", fake)
    monkeypatch.setenv("COLUMNS", "80")
    lines = unbraid_command("models").out.splitlines()
    at = lines.index("tiny-text  [here]")
    assert lines[at + 1] == "    text"
    assert lines[at + 2].endswith(" MB, MIT (data: see info)")
    assert lines[at + 2].startswith("    0.")


def test_a_narrow_terminal_never_breaks_a_name(unbraid_command, monkeypatch):
    fake = SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(sys.modules["unbraid.cli.models"], "sys", fake)
    monkeypatch.setenv("COLUMNS", "80")
    lines = unbraid_command("models").out.splitlines()
    at = lines.index("speechbrain/sepformer-dns4-16k-enhancement  [not here]")
    assert lines[at + 1 : at + 3] == ["    speech", "    16 kHz, 102.5 MB, Apache-2.0 (data: see info)"]
    assert max(len(line) for line in lines) <= 80


def test_models_are_filtered_by_use(unbraid_command) -> None:
    told = {model["name"]: model["use"] for model in json.loads(unbraid_command("models", "--json").out)}
    free = json.loads(unbraid_command("models", "--licence", "commercial", "--json").out)
    assert {model["name"] for model in free} == {name for name, use in told.items() if use == "commercial"}
    assert "speechbrain/sepformer-wham" not in {model["name"] for model in free}
    assert unbraid_command("models", "--licence", "free").code == 2


def test_licence_and_data_are_printed_before_a_download(unbraid_command, monkeypatch) -> None:
    monkeypatch.setenv("UNBRAID_OFFLINE", "1")
    outcome = unbraid_command("models", "pull", "speechbrain/sepformer-wham")
    assert outcome.out.splitlines()[:2] == [
        "licence of the weights: Apache-2.0 (https://huggingface.co/speechbrain/sepformer-wham, read on 2026-11-29)",
        "training data: WSJ0 (LDC), and WHAM! noise, CC BY-NC 4.0: not for commercial use",
    ]
    assert unbraid_command("models", "pull", "speechbrain/sepformer-wham", "--quiet").out == ""
