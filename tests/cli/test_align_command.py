"""`unbraid align`: where alignments go, what they hold, and the sentences for what cannot be."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import unbraid.cli.alignment
from recognizer_fakes import RATE, ears, say
from unbraid import audio
from unbraid.errors import ModelNotFound
from unbraid.tasks.alignment.aligner import Aligner
from unbraid.tasks.separation.content import Content

ALIGNING = sys.modules["unbraid.cli.alignment"]
MADE: list[object] = []


def fake_aligner(model: str, *, device: str, threads: int | None, threshold: float | None) -> Aligner:
    if model not in ("digits", "other"):
        raise ModelNotFound(f"No model or folder is called {model!r}.")
    return Aligner(ears(name=model), threshold=threshold)


class FakeSeparator:
    """Vocals are the first channel."""

    def __init__(self, model: str, *, device: str, threads: int | None) -> None:
        MADE.append(model)
        self.model = model
        self.spec = ears(name=model).spec

    def stems(self) -> tuple[str, ...]:
        return ("speaker1", "speaker2") if self.model == "speech" else ("vocals", "other")

    def separated(self, track, progress, diagnostics):
        return ({"vocals": block[:1], "other": block[1:]} for block in track.blocks())

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        MADE.append("closed")


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins for every model, and a recording that is speech."""
    MADE.clear()
    monkeypatch.setattr(ALIGNING, "Aligner", fake_aligner)
    monkeypatch.setattr(ALIGNING, "Separator", FakeSeparator)
    monkeypatch.setattr(ALIGNING, "content_of_file", lambda *_: Content("speech", 0.9))


@pytest.fixture
def spoken(here: Path) -> None:
    """A recording of 3 1 4, and its text."""
    audio.write(here / "call.wav", say(3, 1, 4), RATE, audio.choose_format("wav", subtype="16"))
    (here / "call.txt").write_text("[Verse]\n3 1\n\n4\n", encoding="utf-8")


@pytest.mark.usefixtures("spoken")
def test_it_is_shown(unbraid_command, tree) -> None:
    outcome = unbraid_command("align", "call.txt", "call.wav")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == "[00:00.00]3 1\n[00:00.60]4\n[00:00.80]\n"
    assert unbraid_command("align", "call.txt", "call.wav", "-o", "-", "-f", "srt").out.startswith(
        "1\n00:00:00,000 --> "
    )
    assert unbraid_command("align", "call.txt", "call.wav", "--words").out.startswith(
        "[00:00.00]<00:00.00> 3 <00:00.30> 1"
    )
    assert tree() == ["call.txt", "call.wav"]


@pytest.mark.usefixtures("spoken")
@pytest.mark.parametrize(
    ("name", "begin"),
    [
        ("a.lrc", "[00:00.00]3 1\n"),
        ("a.srt", "1\n00:00:00,000 --> 00:00:00,500\n3 1\n"),
        ("a.vtt", "WEBVTT\n\n00:00:00.000 --> 00:00:00.500\n3 1\n"),
        ("a.ass", "[Script Info]\n"),
        ("a.json", '{"model": "digits", "seconds": 0.9, "not_in_text": [], "lines": [\n{"line": 2, "verse": 1, '),
        ("a.TextGrid", 'File type = "ooTextFile"\n'),
        ("new/folder/notes", "[00:00.00]3 1\n"),
    ],
)
def test_a_file_that_is_named(unbraid_command, here: Path, tree, name: str, begin: str) -> None:
    outcome = unbraid_command("align", "call.txt", "call.wav", "-o", name)
    assert (outcome.code, outcome.err) == (0, "")
    assert (here / name).read_text(encoding="utf-8").startswith(begin)
    assert outcome.out.splitlines()[0].startswith(f"call.wav -> {name} (0.9 s in ")
    assert tree() == sorted(["call.txt", "call.wav", name])
    again = unbraid_command("align", "call.txt", "call.wav", "-o", name)
    assert (again.code, again.errors) == (2, [f"error: {name} exists already; use --overwrite to replace it."])
    assert unbraid_command("align", "call.txt", "call.wav", "-o", name, "--overwrite", "-q").out == ""


@pytest.mark.usefixtures("spoken")
def test_standard_input(unbraid_command, here: Path) -> None:
    told = "[00:00.00]3 1\n[00:00.60]4\n[00:00.80]\n"
    assert unbraid_command("align", "-", "call.wav", stdin=b"3 1\n4\n").out == told
    assert unbraid_command("align", "call.txt", "-", stdin=(here / "call.wav").read_bytes()).out == told
    outcome = unbraid_command("align", "-", "-", stdin=b"3")
    assert (outcome.code, outcome.errors) == (
        2,
        ["error: Standard input is either the text or the recording; name a file for the other."],
    )


@pytest.mark.usefixtures("spoken")
def test_lines_that_are_not_said_are_told(unbraid_command, here: Path) -> None:
    (here / "long.txt").write_text("3 1\n8 8 8\n4\n")
    outcome = unbraid_command("align", "long.txt", "call.wav", "-o", "a.srt")
    assert outcome.code == 0
    assert outcome.errors == ["call.wav: 1 of 3 lines was not found: line 2 (8 8 8)"]
    assert "8 8" not in (here / "a.srt").read_text()
    data = json.loads(unbraid_command("align", "long.txt", "call.wav", "--json").out)
    (file,) = data["files"]
    assert (data["model"], file["lines_found"], file["lines_not_found"]) == ("digits", 2, 1)
    assert [line["found"] for line in file["lines"]] == [True, False, True]
    assert file["lines"][1]["start"] is None
    assert file["vocals"] is None


@pytest.mark.usefixtures("spoken")
def test_where_no_line_is_found_nothing_is_written(unbraid_command, here: Path, tree) -> None:
    (here / "else.txt").write_text("8 8 8\n9 9\n")
    outcome = unbraid_command("align", "else.txt", "call.wav", "-o", "a.srt")
    assert outcome.code == 1
    assert outcome.errors[0].startswith("error: call.wav: No line of the text was found: ")
    assert "a.srt" not in tree()
    file = json.loads(unbraid_command("align", "else.txt", "call.wav", "--json").out)["files"][0]
    assert (file["status"], file["error"].partition(":")[0]) == ("failed", "call.wav")


def test_songs(unbraid_command, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "text.txt").write_text("3 1 4")
    song = np.concatenate((say(3, 1, 4), say(8, 8, 8, level=0.4)))
    audio.write(here / "song.wav", song, RATE, audio.choose_format("wav"))
    assert unbraid_command("align", "text.txt", "song.wav").code == 1
    assert MADE == []
    for options, model in (((), "music-4"), (("--vocals-model", "mine"), "mine")):
        MADE.clear()
        told = unbraid_command("align", "text.txt", "song.wav", "--vocals", *options)
        assert (told.code, told.err, MADE) == (0, "", [model, "closed"])
        assert told.out.startswith("[00:00.00]3 1 4\n")
    monkeypatch.setattr(ALIGNING, "content_of_file", lambda *_: Content("music", 0.9))
    outcome = unbraid_command("align", "text.txt", "song.wav")
    assert (outcome.code, outcome.errors) == (
        0,
        ["song.wav: sounds like music: its vocals are separated with music-4; --no-vocals leaves that out"],
    )
    assert unbraid_command("align", "text.txt", "song.wav", "--no-vocals").code == 1
    outcome = unbraid_command("align", "text.txt", "song.wav", "--vocals-model", "speech")
    assert outcome.code == 1
    assert "vocals" in outcome.errors[0]
    assert MADE[-1] == "closed"


@pytest.mark.usefixtures("spoken")
@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["none.txt", "call.wav"], 2, "none.txt cannot be read: No such file or directory."),
        (
            ["call.wav", "call.txt"],
            2,
            "call.wav: this is a file of another kind, not a text; give a text here, not a recording.",
        ),
        (["call.txt", "."], 2, "A text is aligned with one recording, not with a folder of several; name a file."),
        (["call.txt", "call.wav", "-m", "none"], 1, "No model or folder is called 'none'."),
        (
            ["call.txt", "call.wav", "-f", "doc"],
            2,
            "An alignment is written as lrc, srt, vtt, ass, json, textgrid, not as 'doc'.",
        ),
        (["call.txt", "call.wav", "--words", "-f", "srt"], 2, "--words is for lrc and vtt; leave it out for srt."),
        (
            ["call.txt", "call.wav", "--threshold", "1"],
            2,
            "The threshold is a log probability from -1000 to below 0, not 1.",
        ),
        (
            ["call.txt", "call.wav", "--no-vocals", "--vocals-model", "music-2"],
            2,
            "--vocals-model separates vocals, which --no-vocals leaves alone; give one of them.",
        ),
        (
            ["call.txt", "call.wav", "-o", "a.mp3"],
            2,
            "a.mp3 is named as audio; name it .lrc, .srt, .vtt, .ass, .json, .TextGrid, or say --format too.",
        ),
        (
            ["call.txt", "call.wav", "-o", "-", "--json"],
            2,
            "--json and -o - both write to standard output; choose one of them.",
        ),
    ],
)
def test_what_cannot_be(unbraid_command, here: Path, tree, words: list[str], code: int, message: str) -> None:
    audio.write(here / "second.wav", say(3), RATE, audio.choose_format("wav"))
    before = tree()
    outcome = unbraid_command("align", *words)
    assert (outcome.code, outcome.errors) == (code, [f"error: {message}"])
    assert tree() == before


@pytest.mark.usefixtures("spoken")
def test_an_excerpt_has_the_times_of_the_whole(unbraid_command, here: Path) -> None:
    (here / "one.txt").write_text("4")
    assert unbraid_command("align", "one.txt", "call.wav", "--start", "0:00.5").out.startswith("[00:00.60]4\n")


@pytest.mark.usefixtures("spoken")
def test_an_interrupt_leaves_nothing(unbraid_command, monkeypatch: pytest.MonkeyPatch, tree) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(unbraid.cli.alignment, "formatted", interrupted)
    outcome = unbraid_command("align", "call.txt", "call.wav", "-o", "a.srt")
    assert (outcome.code, outcome.errors) == (
        130,
        ["error: interrupted; nothing is kept of the alignment that was under way."],
    )
    assert tree() == ["call.txt", "call.wav"]
