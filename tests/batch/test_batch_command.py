"""`unbraid batch` as a person runs it, with a real model in real processes."""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from batch_kills import Batch, check, harass, make_recordings
from typer.testing import CliRunner

from unbraid.batch import Separate
from unbraid.batch.places import Elsewhere
from unbraid.batch.settings import Settings, Task
from unbraid.batch.tasks import _only
from unbraid.cli import app
from unbraid.errors import AudioError, ModelNotFound, UsageError

parquet = pytest.importorskip("pyarrow.parquet", reason="no batch extra: pip install 'unbraid[batch]'")
fsspec = pytest.importorskip("fsspec", reason="no batch extra: pip install 'unbraid[batch]'")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Three recordings, and a file that is none."""
    folder = tmp_path / "raw"
    make_recordings(folder, 3)
    (folder / "bad.wav").write_bytes(b"no audio")
    return folder


@pytest.fixture
def run(music_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command with a tiny model; its exit code, and what it prints."""
    monkeypatch.setenv("COLUMNS", "300")

    def run(*arguments: object) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, ["batch", "-m", str(music_folder), "-p", "1", *map(str, arguments)])
        return result.exit_code, result.stdout, result.stderr

    return run


def rows(manifest: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = parquet.read_table(manifest).to_pylist()
    return found


def test_a_batch_and_how_it_goes_on(raw: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "out"
    code, told, errors = run(raw, "-o", out)
    assert code == 1 and told.startswith("3 done, 1 failed (")
    assert errors.startswith("4 to do\nerror: ") and "bad.wav is not audio that can be read" in errors
    done = {row["name"]: row for row in rows(out / "manifest.parquet")}
    assert {name for name, row in done.items() if row["status"] == "done"} == {"0/0", "1/1", "2/2"}
    assert done["bad"]["error_kind"] == "audio" and done["bad"]["attempts"] == 1
    assert done["0/0"]["peak_memory_bytes"] > 1e7 and len(str(done["0/0"]["model_sha256"])) == 64
    stems = sum(soundfile.read(path)[0] for path in (out / "0/0").glob("*.flac"))
    mixture, _ = soundfile.read(raw / "0/0.wav")
    assert np.abs(stems - mixture).max() < 1e-3  # stems of 16 bits add up to the recording
    assert "3</b><small>0.0 hours of audio" in (out / "manifest.html").read_text()

    code, _, errors = run(raw, "-o", out)
    assert code == 2 and "exists already; go on with --resume" in errors
    code, told, errors = run(raw, "-o", out, "--resume")
    assert code == 1 and errors == "0 to do, 3 done already, 1 failed before (--retry failed tries them again)\n"

    make_recordings(raw, 1)  # written anew: its time is another
    soundfile.write(raw / "bad.wav", np.zeros(4000), 8000)
    code, told, _ = run(raw, "-o", out, "--retry", "failed", "--json")
    assert code == 0 and json.loads(told)["done"] == 2 and json.loads(told)["done_before"] == 2
    code, told, errors = run(raw, "-o", out, "--resume", "--residual")
    assert code == 2 and "its residual is False, not True" in errors


def test_only_some_stems_are_written(raw: Path, tmp_path: Path, run: Run) -> None:
    whole, some = tmp_path / "whole", tmp_path / "some"
    assert run(raw / "0", "-o", whole, "-f", "wav")[0] == 0
    assert run(raw / "0", "-o", some, "-f", "wav", "--stems", "vocals")[0] == 0
    assert {path.name for path in (some / "0").iterdir()} == {"vocals.wav", ".unbraid.json"}
    vocals, of_all = (soundfile.read(folder / "0/vocals.wav")[0] for folder in (some, whole))
    assert np.array_equal(vocals, of_all)
    code, _, errors = run(raw / "0", "-o", some, "-f", "wav", "--resume")
    assert code == 2 and "its stems is ['vocals'], not left to the default" in errors


@pytest.mark.parametrize(
    ("stems", "task", "models"),
    [
        (None, "separate", ("speech", "music-4")),
        (("residual",), "separate", ("speech", "music-4")),
        (("vocals", "residual"), "separate", ("music-4",)),
        (("speaker1",), "separate", ("speech",)),
        (("residual",), "enhance", ("denoise",)),
    ],
)
def test_names_of_stems_choose_the_model(stems: tuple[str, ...] | None, task: Task, models: tuple[str, ...]) -> None:
    assert Settings("out", task, stems=stems).models == models


def test_people_who_are_not_there() -> None:
    blocks = [{"speaker1": np.zeros((1, 4), np.float32)}]
    with pytest.raises(AudioError, match="speaker2 was not found in the recording, only speaker1; leave --stems out"):
        list(_only(("speaker2",), blocks))


def test_what_others_have_made_stays(raw: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "out"
    (out / "0" / "0").mkdir(parents=True)
    (out / "0" / "0" / "mine.txt").write_text("mine")
    (out / "1").symlink_to(tmp_path)
    code, _, errors = run(raw / "**/*.wav", "-o", out)
    assert code == 1
    assert "holds other files than the outputs of this recording" in errors and "is a symbolic link" in errors
    assert [path.name for path in (out / "0" / "0").iterdir()] == ["mine.txt"]


def test_a_dry_run_writes_nothing(raw: Path, tmp_path: Path, run: Run) -> None:
    code, told, _ = run(raw, "-o", tmp_path / "out", "--dry-run")
    assert code == 0 and re.match(r"4 recordings to do, about [\d.]+ minutes of audio \(3 of them opened", told), told
    assert "x real time (measured on" in told
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["none", "-o", "out"], "There is nothing at 'none'; check the path."),
        (["raw", "-o", "s3://bucket/x"], "A run with outputs elsewhere needs a --manifest on this machine"),
        (["raw", "-o", ""], "The name of the output is empty"),
        (["raw", "-o", "out", "--manifest", "x.csv"], "ends in .parquet, not x.csv"),
        (["raw", "-o", "out", "--address", "auto"], "--address is that of a Ray cluster; add --engine ray"),
        (["raw", "-o", "out", "-f", "xyz"], "xyz"),
        (["raw", "-o", "out", "--task", "enhance"], "has no stem 'speech'"),
        (["raw", "-o", "out", "--task", "transcribe"], "is separation, not transcription"),
        (["raw", "-o", "out", "--task", "transcribe", "--residual"], "Transcripts have no residual"),
        (["raw", "-o", "out", "--task", "transcribe", "--stems", "vocals"], "Transcripts have no stems; leave --stems"),
        (
            ["raw", "-o", "out", "--stems", "vocal"],
            "tiny-music has no stem 'vocal', only vocals, drums; did you mean vocals?",
        ),
        (["raw", "-o", "out", "--stems", ","], "--stems names no stem"),
        (
            ["raw", "-o", "raw/bad.wav"],
            "raw/bad.wav is a file, and outputs go into a folder; name another place with -o",
        ),
        (["raw", "-o", "out", "--strength", "0.5"], "A strength goes with --task enhance"),
        (["raw", "-o", "out", "-m", "no-such-model"], "no-such-model"),
        (["raw", "-o", "out", "--engine", "ray", "--address", "127.0.0.1:1"], "ray"),
        (["list.csv", "-o", "out", "--column", "file"], "name one with --column: 'path'"),
        (["raw", "-o", "nothing://x", "--manifest", "m.parquet"], "Protocol not known"),
        (["raw", "-o", "https://127.0.0.1:1/x", "--manifest", "m.parquet"], "127.0.0.1:1/x'"),
    ],
)
def test_refusals_before_any_work(
    raw: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.csv").write_text("path\nraw/0/0.wav\n")
    code, _, errors = run(*arguments)
    assert code != 0 and told in errors and errors.count("error: ") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "list.csv"}


def test_a_list_with_a_file_that_is_gone(raw: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path\nnone.wav\nraw/0/0.wav\n")
    code, told, errors = run(tmp_path / "list.csv", "-o", tmp_path / "out", "--format", "wav")
    assert code == 1 and told.startswith("1 done, 1 failed (") and "none.wav cannot be read" in errors


@pytest.mark.parametrize("name", ["m.parquet", "m.html"])
def test_files_of_others_are_not_written_over(raw: Path, run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    code, _, errors = run(raw, "-o", tmp_path / "out", "--manifest", tmp_path / "m.parquet")
    assert code == 2 and f"{name} exists, but no journal m.jsonl; choose another --manifest." in errors
    (tmp_path / "m.jsonl").touch()  # an empty journal is none either
    assert run(raw, "-o", tmp_path / "out", "--manifest", tmp_path / "m.parquet")[0] == 2
    assert (tmp_path / name).read_text() == "mine"


def test_killed_at_random(tmp_path: Path, music_folder: Path) -> None:
    """`make crash` does the same with 500 files and 50 kills."""
    make_recordings(tmp_path / "raw", 8)
    batch = Batch(tmp_path / "raw", tmp_path / "out", 2, str(music_folder))
    harass(batch, 4, random.Random(0), (0.3, 2.0))
    check(batch, 8)


def test_separate_for_data_sets(raw: Path, tmp_path: Path, music_folder: Path) -> None:
    separate = Separate(str(tmp_path / "out"), str(music_folder), column="file", format="wav")
    try:
        files = [str(raw / "0/0.wav"), str(raw / "bad.wav")]
        batch = separate({"id": np.array([7, 8]), "file": np.array(files)})
        assert batch["id"].tolist() == [7, 8] and batch["status"].tolist() == ["done", "failed"]
        name = str(raw / "0" / "0").removeprefix("/")
        assert f"{name}/vocals.wav" in batch["outputs"][0]
        assert all((tmp_path / "out" / file).is_file() for file in batch["outputs"][0])
        assert batch["error_kind"].tolist() == [None, "audio"] and np.isnan(batch["audio_seconds"][1])
        with pytest.raises(UsageError, match=r"^The batch has no column 'file', only 'id'\.$"):
            separate({"id": np.array([1])})
    finally:
        separate.close()
    with pytest.raises(ModelNotFound):
        Separate(str(tmp_path), "no-such-model")


def test_outputs_elsewhere_come_with_their_record_last() -> None:
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    place, order = Elsewhere("memory://stems"), list[str]()
    with place.writing("a/song") as draft:
        for name in ("vocals.flac", ".unbraid.json", "other.flac"):
            (draft.outputs / name).write_text(name)
        order = draft.names
        assert fs.find("/") == []
    assert order == ["other.flac", "vocals.flac", ".unbraid.json"]
    assert sorted(fs.find("/stems/a/song")) == [f"/stems/a/song/{name}" for name in sorted(order)]
    with pytest.raises(RuntimeError), place.writing("b"):
        raise RuntimeError
    assert fs.find("/stems/b") == []
    with pytest.raises(UsageError, match="holds other files"):
        place.check("a/song", "/raw/song.wav")
    fs.store.clear()
