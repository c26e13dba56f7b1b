"""`--resume` of commands that write texts: what is done is skipped, what is missing is made, other texts are kept."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from recognizer_fakes import RATE, ears, say
from unbraid import audio
from unbraid.files.record import read_receipt
from unbraid.files.workdir import claimed
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.transcription.transcriber import Transcriber
from voice_fakes import RATE as VOICE_RATE
from voice_fakes import counting, voices

TWO = voices((2, 0, 2), (0, 2.5, 5), seconds=5)


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins for the recogniser, and for the model that follows people."""
    import unbraid.cli.diarization
    import unbraid.cli.transcription  # noqa: F401

    def transcriber(model: str, **options: object) -> Transcriber:
        return Transcriber.over(ears(name=model), beams=options["beams"])

    def separator(*_: object, options: Options, **__: object) -> Separator:
        return counting(options)

    monkeypatch.setattr(sys.modules["unbraid.cli.transcription"], "Transcriber", transcriber)
    monkeypatch.setattr(sys.modules["unbraid.cli.transcription"], "Separator", separator)
    monkeypatch.setattr(sys.modules["unbraid.cli.diarization"], "Separator", separator)


@pytest.fixture
def spoken(here: Path):
    """Write a recording of digits."""

    def make(name: str, *tones: int) -> None:
        samples = np.repeat(say(*tones, seconds=0.2), 2, axis=0)
        audio.write(here / name, samples, RATE, audio.choose_format("wav", subtype="16"))

    return make


@pytest.fixture
def statuses(unbraid_command):
    """The outcome of each input of a resumed run, which fails only where texts are kept."""

    def run(*words: str) -> list[str]:
        outcome = unbraid_command(*words, "--resume", "--json")
        found = [file["status"] for file in json.loads(outcome.out)["files"]]
        assert outcome.code == (1 if "kept" in found else 0), outcome.err
        return found

    return run


def test_texts_that_are_done_are_skipped_and_missing_ones_made(statuses, unbraid_command, spoken, here) -> None:
    spoken("a.wav", 3)
    spoken("b.wav", 5)
    assert unbraid_command("transcribe", "a.wav", "-o", "texts/").code == 0  # a run without --resume counts
    made = os.stat("texts/a.txt")
    assert statuses("transcribe", "a.wav", "b.wav", "-o", "texts") == ["skipped", "done"]
    assert os.stat("texts/a.txt").st_mtime_ns == made.st_mtime_ns
    (here / "texts/b.txt").unlink()
    outcome = unbraid_command("transcribe", "a.wav", "b.wav", "-o", "texts", "--resume")
    assert outcome.code == 0
    assert outcome.out.splitlines()[0] == "a.wav was done already: texts/a.txt"
    assert outcome.out.splitlines()[1].startswith("b.wav -> texts/b.txt (")
    assert (here / "texts/b.txt").read_text() != ""
    assert sorted(os.listdir("texts")) == [".a.unbraid.json", ".b.unbraid.json", "a.txt", "b.txt"]


@pytest.mark.parametrize(
    ("words", "how"),
    [
        (("--beams", "3"), "without --beams"),
        (("--channels", "apart"), "with --channels mix"),
        (("--start", "0.1"), "without --start"),
        (("--separate",), "without --separate"),
        (("-m", "other"), "with --model digits"),
    ],
)
def test_a_text_of_other_options_is_kept(unbraid_command, spoken, here, words, how) -> None:
    spoken("a.wav", 3)
    unbraid_command("transcribe", "a.wav", "-o", "texts/")
    before = {path.name: path.read_bytes() for path in (here / "texts").iterdir()}
    outcome = unbraid_command("transcribe", "a.wav", "-o", "texts/", "--resume", *words)
    assert outcome.code == 1
    told = outcome.errors[0]
    assert told.startswith("error: a.wav: texts/a.txt was made ")
    assert how in told
    assert told.endswith("; --resume keeps it. Give --overwrite to replace it, or another -o.")
    assert {path.name: path.read_bytes() for path in (here / "texts").iterdir()} == before
    again = unbraid_command("transcribe", "a.wav", "-o", "texts/", "--resume", "--overwrite", *words)
    assert (again.code, "-> texts/a.txt" in again.out) == (0, True)


def test_texts_of_another_input_and_changed_ones_are_kept(statuses, unbraid_command, spoken, here) -> None:
    spoken("a.wav", 3)
    words = ("transcribe", "a.wav", "-o", "texts/")
    assert statuses(*words) == ["done"]
    (here / "texts/a.txt").write_text("mine")
    outcome = unbraid_command(*words, "--resume")
    assert "texts/a.txt was changed after it was made; --resume keeps it." in outcome.err
    assert (here / "texts/a.txt").read_text() == "mine"
    (here / "texts/a.txt").unlink()
    assert statuses(*words) == ["done"]
    spoken("a.wav", 4, 5)
    assert "made from another a.wav, of " in unbraid_command(*words, "--resume").err
    (here / "texts/.a.unbraid.json").unlink()
    outcome = unbraid_command(*words, "--resume")
    assert outcome.code == 2
    assert outcome.errors == [
        "error: texts/a.txt exists, and no record says that unbraid made it; use --overwrite to replace it."
    ]


def test_formats_lie_side_by_side(statuses, unbraid_command, spoken, here) -> None:
    spoken("a.wav", 3)
    for form in ("srt", "vtt"):
        assert statuses("transcribe", "a.wav", "-o", "texts/", "-f", form) == ["done"]
    assert set(read_receipt(here / "texts/.a.unbraid.json").files) == {"a.srt", "a.vtt"}
    assert statuses("transcribe", "a.wav", "-o", "texts/", "-f", "srt") == ["skipped"]


def test_a_single_file_has_a_record_where_it_is_asked_for(statuses, unbraid_command, spoken, tree) -> None:
    spoken("a.wav", 3)
    assert unbraid_command("transcribe", "a.wav", "-o", "plain.srt").code == 0
    assert tree() == ["a.wav", "plain.srt"]
    assert statuses("transcribe", "a.wav", "-o", "text.srt") == ["done"]
    assert statuses("transcribe", "a.wav", "-o", "text.srt") == ["skipped"]
    assert tree() == [".text.unbraid.json", "a.wav", "plain.srt", "text.srt"]


def test_who_speaks_when_is_resumed_too(statuses, unbraid_command, here) -> None:
    for name in ("a.wav", "b.wav"):
        soundfile.write(here / name, TWO.sum(0).T, VOICE_RATE, subtype="FLOAT")
    assert statuses("diarize", "a.wav", "-o", "turns/") == ["done"]
    assert statuses("diarize", "a.wav", "b.wav", "-o", "turns") == ["skipped", "done"]
    assert statuses("diarize", "a.wav", "b.wav", "-o", "turns", "--speakers", "2") == ["kept", "kept"]
    assert "was done already: turns/a.rttm" in unbraid_command("diarize", "a.wav", "-o", "turns/", "--resume").out


def test_a_text_of_another_run_is_waited_for(unbraid_command, spoken, here, monkeypatch) -> None:
    spoken("a.wav", 3)
    words = ("transcribe", "a.wav", "-o", "texts/", "--resume")
    (here / "texts").mkdir()
    other = claimed(here / "texts", "work on .a.unbraid.json")
    assert other.__enter__()

    def over(_: float) -> None:
        other.__exit__(None, None, None)

    monkeypatch.setattr(sys.modules["unbraid.cli.run"].time, "sleep", over)
    outcome = unbraid_command(*words)
    assert outcome.code == 0
    assert "another run is working on a.wav; waiting for it" in outcome.err
    assert "a.wav -> texts/a.txt" in outcome.out


def test_what_cannot_be_resumed_is_refused(unbraid_command, spoken) -> None:
    spoken("a.wav", 3)
    for command in ("transcribe", "diarize"):
        outcome = unbraid_command(command, "a.wav", "--resume")
        assert (outcome.code, outcome.errors) == (
            2,
            ["error: --resume skips texts that are there, so choose a file or a folder with -o."],
        )
        outcome = unbraid_command(command, "-", "-o", "texts/", "--resume")
        assert outcome.code == 2
        assert "--resume needs files: whether standard input is what it was cannot be told." in outcome.err
