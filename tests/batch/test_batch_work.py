"""The work on one file, without processes: what is written, and errors as outcomes."""

import errno
import json
from pathlib import Path

import pytest

from recognizer_fakes import RATE, ears, say
from unbraid import audio
from unbraid.batch.addresses import NetworkError
from unbraid.batch.items import Item
from unbraid.batch.settings import Settings
from unbraid.batch.work import Work, explained
from unbraid.errors import AudioError, ModelError
from unbraid.tasks.transcription.transcriber import Transcriber


def test_a_transcript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unbraid.batch.tasks.Transcriber", lambda model, **options: Transcriber.over(ears()))
    audio.write(tmp_path / "call.wav", said := say(3, 1, 4), RATE, audio.OutputFormat("wav", "32f"))
    work = Work.of(Settings(str(tmp_path / "out"), "transcribe"))
    outcome = work.do(Item(str(tmp_path / "call.wav"), "a/call", 10, "7"))
    work.models.close()
    assert outcome.status == "done", outcome.error
    assert {file.name for file in outcome.outputs} == {f"transcript.{form}" for form in ("txt", "srt", "vtt", "json")}
    assert (tmp_path / "out/a/call/transcript.txt").read_text().strip() == "3 1 4"
    assert outcome.audio_seconds == pytest.approx(said.shape[1] / RATE)
    record = json.loads((tmp_path / "out/a/call/.unbraid.json").read_text())
    making = record["files"]["transcript.txt"]["making"]
    assert making["options"]["address"] == str(tmp_path / "call.wav") and making["options"]["task"] == "transcribe"


def test_a_full_disk_is_told_apart(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    wrapped = AudioError("x cannot be written")
    wrapped.__cause__ = full
    for error, kind in (
        (full, "disk"),
        (wrapped, "disk"),
        (MemoryError(), "memory"),
        (RuntimeError("std::bad_alloc"), "memory"),
        (NetworkError("x"), "network"),
        (ModelError("x"), "model"),
        (AudioError("x"), "audio"),
        (OSError(errno.EIO, "Input/output error"), "disk"),
        (OSError(errno.EACCES, "Permission denied"), "usage"),  # of one path: the run goes on
        (OSError(errno.ENAMETOOLONG, "File name too long"), "usage"),
        (ZeroDivisionError("x"), "internal"),
    ):
        assert explained(error)[0] == kind


def test_a_refused_rename_names_the_place_of_the_outputs() -> None:
    error = PermissionError(errno.EACCES, "Permission denied", "/out/.unbraid-batch/x", None, "/out/a/song")
    assert explained(error)[1].startswith("/out/a/song: Permission denied.")


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    outcome = Work.of(Settings(str(tmp_path / "out"), model="music-4")).do(Item(str(tmp_path / "none.wav"), "none"))
    assert (outcome.status, outcome.outputs) == ("failed", ()) and "none.wav" in str(outcome.error)
    assert outcome.error_kind == "audio"  # not of the disk, which would end the run
    assert not (tmp_path / "out" / "none").exists()
