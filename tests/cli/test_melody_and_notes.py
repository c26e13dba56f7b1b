"""`unbraid melody` and `unbraid notes`: where results go, what they hold, and the sentences for what cannot be."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

import unbraid.cli.tracking as tracking
import unbraid.tasks.analysis.api as api
from note_fakes import Bursts, note_spec
from unbraid import NoteTranscriber, audio
from unbraid.errors import UsageError
from unbraid.tasks.analysis.notes_decoding import DecodingOptions
from unbraid.tasks.separation.content import Content

RATE = 22050
MADE: list[object] = []


class FakeSeparator:
    """Vocals and piano are the first channel, other the second."""

    def __init__(self, model: str, *, device: str = "auto", threads: int | None = None) -> None:
        MADE.append(model)
        self.spec = note_spec()

    def stems(self) -> tuple[str, ...]:
        return ("vocals", "piano", "other")

    def separated(self, track, progress, diagnostics):
        return ({"vocals": b[:1] / 2, "piano": b[:1] / 2, "other": b[1:]} for b in track.blocks())

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        MADE.append("closed")


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins for every model, and a recording that is music."""
    MADE.clear()
    monkeypatch.setattr(tracking, "Separator", FakeSeparator)
    monkeypatch.setattr(api, "Separator", FakeSeparator)

    def transcriber(model, *, options=None, device="auto", threads=None):
        return NoteTranscriber.over(Bursts(), note_spec(), options or DecodingOptions())

    monkeypatch.setattr(tracking, "NoteTranscriber", transcriber)
    monkeypatch.setattr(api, "content_of_file", lambda *_: Content("music", 0.9))


@pytest.fixture
def song(here: Path) -> Path:
    """Two channels: a tone of 220 Hz with harmonics from 1 to 2 s; and silence."""
    seconds = np.arange(3 * RATE) / RATE
    tone = sum(np.sin(2 * np.pi * 220 * k * seconds) / k for k in range(1, 6))
    sound = 0.1 * tone * ((seconds >= 1) & (seconds < 2))
    audio.write(here / "song.wav", np.stack([sound, 0 * sound]), RATE, audio.choose_format("wav", subtype="16"))
    return here / "song.wav"


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def swift_f0() -> None:
    pytest.importorskip("swift_f0", reason="swift-f0 is not installed (pip install 'unbraid[analysis]')")


@pytest.mark.usefixtures("song", "swift_f0")
def test_a_melody_is_shown(unbraid_command, tree) -> None:
    outcome = unbraid_command("melody", "song.wav")
    assert (outcome.code, outcome.err) == (0, "")
    voiced = [row for row in rows(outcome.out) if float(row["hz"])]
    assert 0.9 < float(voiced[0]["time"]) < 1.1 and 1.9 < float(voiced[-1]["time"]) < 2.1
    assert float(voiced[len(voiced) // 2]["hz"]) == pytest.approx(220, rel=0.01)
    assert MADE == ["music-5", "closed"] and tree() == ["song.wav"]


@pytest.mark.usefixtures("song", "swift_f0")
def test_times_are_those_of_the_file(unbraid_command) -> None:
    voiced = [row for row in rows(unbraid_command("melody", "song.wav", "--start", "0.5").out) if float(row["hz"])]
    assert 0.9 < float(voiced[0]["time"]) < 1.1
    (note,) = rows(unbraid_command("notes", "song.wav", "--start", "0.5").out)
    assert float(note["start"]) == pytest.approx(1.0, abs=0.03)


@pytest.mark.usefixtures("song", "swift_f0")
@pytest.mark.parametrize("command", ["melody", "notes"])
@pytest.mark.parametrize(
    ("name", "begin"),
    [("a.mid", b"MThd"), ("a.json", b'{"model": '), ("a.svl", b"<?xml"), ("new/a.csv", b""), ("a", b"")],
)
def test_a_file_that_is_named(unbraid_command, here: Path, tree, command: str, name: str, begin: bytes) -> None:
    outcome = unbraid_command(command, "song.wav", "-o", name)
    assert (outcome.code, outcome.err) == (0, "")
    head = {"melody": b"time,hz", "notes": b"start,end"}[command]
    assert (here / name).read_bytes().startswith(begin or head)
    told = {"melody": "s of voice, 1 note (3.0 s in ", "notes": f"song.wav -> {name}: 1 note (3.0 s in "}[command]
    assert told in outcome.out.splitlines()[0]
    assert tree() == sorted([name, "song.wav"])
    again = unbraid_command(command, "song.wav", "-o", name)
    assert (again.code, again.errors) == (2, [f"error: {name} exists already; use --overwrite to replace it."])
    assert unbraid_command(command, "song.wav", "-o", name, "--overwrite", "-q").out == ""


@pytest.mark.usefixtures("song")
def test_notes_of_a_stem(unbraid_command) -> None:
    (note,) = rows(unbraid_command("notes", "song.wav", "--stem", "piano").out)
    assert (note["pitch"], note["name"]) == ("60", "C4")
    assert MADE == ["music-5", "closed"]
    outcome = unbraid_command("notes", "song.wav", "--stem", "other", "--separator", "mine")
    assert outcome.out == "start,end,pitch,name,velocity\n" and MADE[2] == "mine"
    assert outcome.errors == ["song.wav: nothing was found, as it is silent"]


@pytest.mark.usefixtures("song")
def test_json_has_the_notes(unbraid_command) -> None:
    report = json.loads(unbraid_command("notes", "song.wav", "--stem", "piano", "--json").out)
    (file,) = report["files"]
    assert (report["model"], file["status"], file["stem"], file["separator"]) == (
        "tiny-notes", "done", "piano", "tiny-notes",
    )  # fmt: skip
    assert file["notes"][0]["pitch"] == 60 and file["reason"] is None


@pytest.mark.usefixtures("song", "swift_f0")
def test_several_go_to_a_folder(unbraid_command, here: Path, tree) -> None:
    (here / "more.wav").write_bytes((here / "song.wav").read_bytes())
    (here / "broken.wav").write_bytes(b"RIFF")
    outcome = unbraid_command("melody", "song.wav", "more.wav", "broken.wav", "-o", "out", "-f", "mid")
    assert outcome.code == 1 and "broken.wav" in outcome.err
    assert tree() == ["broken.wav", "more.wav", "out/more.mid", "out/song.mid", "song.wav"]
    told = "error: The results of several recordings go to a folder: name it with -o DIR, or use --json."
    assert unbraid_command("notes", "song.wav", "more.wav").errors == [told]


@pytest.mark.usefixtures("song", "swift_f0")
@pytest.mark.parametrize("command", ["melody", "notes"])
def test_speech_has_nothing_unless_forced(unbraid_command, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setattr(api, "content_of_file", lambda *_: Content("speech", 0.9))
    outcome = unbraid_command(command, "song.wav")
    reason = f"it sounds like speech, which has no {command}; use --force (force=True) if it is music"
    told = f"song.wav: nothing was found, as {reason}"
    assert (outcome.code, outcome.errors, len(outcome.out.splitlines())) == (0, [told], 1)
    assert len(unbraid_command(command, "song.wav", "--force").out.splitlines()) > 1


@pytest.mark.usefixtures("song", "swift_f0")
def test_one_voice_needs_no_separator(unbraid_command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "content_of_file", lambda *_: Content("speech", 0.9))
    assert any(float(row["hz"]) for row in rows(unbraid_command("melody", "song.wav", "--no-separate").out))
    assert MADE == []


@pytest.mark.usefixtures("song", "swift_f0")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("melody", "song.wav", "-f", "mid"), "MIDI does not go to the terminal; name a file or a folder with -o."),
        (("notes", "song.wav", "-f", "mid"), "MIDI does not go to the terminal; name a file or a folder with -o."),
        (("melody", "song.wav", "-f", "txt"), "A melody is written as csv, json, mid, svl, not as 'txt'."),
        (("notes", "song.wav", "-f", "txt"), "Notes are written as mid, csv, json, svl, not as 'txt'."),
        (
            ("melody", "song.wav", "--no-separate", "-m", "music-4"),
            "-m names the model that separates, which --no-separate leaves out; give one of them.",
        ),
        (
            ("notes", "song.wav", "--separator", "music-4"),
            "--separator separates a stem; name it with --stem, or leave --separator out.",
        ),
        (
            ("notes", "song.wav", "--onset", "2"),
            "Thresholds of notes are activations above 0 and below 1, such as 0.5.",
        ),
        (
            ("notes", "song.wav", "--stem", "drums"),
            "Drums have no pitch, so their notes are not written down; name another stem.",
        ),
        (
            ("melody", "song.wav", "-o", "a.wav"),
            "a.wav is named as audio; name it .mid, .csv, .json, .svl, or say --format too.",
        ),
    ],
)
def test_what_cannot_be_is_refused(unbraid_command, tree, arguments: tuple[str, ...], told: str) -> None:
    outcome = unbraid_command(*arguments)
    assert (outcome.code, len(outcome.errors), outcome.out) == (2, 1, "")
    assert outcome.errors == [f"error: {told}"]
    assert tree() == ["song.wav"]


@pytest.mark.usefixtures("song")
def test_a_stem_that_is_not_there_is_named(unbraid_command) -> None:
    outcome = unbraid_command("notes", "song.wav", "--stem", "kazoo")
    assert outcome.code == 2 and "kazoo" in outcome.errors[0]


@pytest.mark.usefixtures("song")
def test_a_melody_without_swift_f0_is_told(unbraid_command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "swift_f0", None)
    outcome = unbraid_command("melody", "song.wav")
    told = "error: The melody needs swift-f0, which is not installed; get it with `pip install 'unbraid[analysis]'`."
    assert (outcome.code, outcome.errors, MADE) == (2, [told], [])


@pytest.mark.usefixtures("swift_f0")
def test_in_python_arrays_and_files_give_the_same(song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import unbraid

    monkeypatch.setattr(api, "content_of", lambda *_: Content("music", 0.9))
    monkeypatch.setattr(api, "NoteTranscriber", tracking.NoteTranscriber)
    sound, rate = audio.read(song)
    file, array = unbraid.melody(song), unbraid.melody(sound, sample_rate=rate)
    np.testing.assert_array_equal(file.hz, array.hz)
    assert (file.stem, file.separator, file.notes.stem, len(file.notes)) == ("vocals", "tiny-notes", "vocals", 1)
    assert unbraid.notes(song, "piano") == unbraid.notes(sound, "piano", sample_rate=rate)
    assert unbraid.melody(song, separate=False).stem is None
    with pytest.raises(UsageError, match=r"^An array needs its sample rate: melody\(audio, sample_rate=44100\)"):
        unbraid.melody(sound)
