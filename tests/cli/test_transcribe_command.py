"""`unbraid transcribe`: where texts go, what they hold, and the sentences for what cannot be."""

import json
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import unbraid.cli.transcription
from recognizer_fakes import RATE, ears, say, writer
from unbraid import audio
from unbraid.errors import ModelNotFound
from unbraid.tasks.results import Diagnostics, Run
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.transcription.transcriber import Transcriber
from unbraid.tasks.transcription.whisper.options import WhisperOptions
from voice_fakes import counting

TRANSCRIBING = sys.modules["unbraid.cli.transcription"]
MADE: list[dict] = []  # with what transcribers were made


def fake_transcriber(model: str, **options: object) -> Transcriber:
    if model not in ("digits", "mel", "published/base"):
        raise ModelNotFound(f"No model or folder is called {model!r}.")
    MADE.append({"model": model, **options})
    long = writer("spectrogram", name="mel") if options["long_model"] else None
    return Transcriber.over(ears(name=model), beams=options["beams"], long=long, long_seconds=options["long_seconds"])


def fake_separator(*, device: str, threads: int | None, options: Options) -> Separator:
    MADE.append({"device": device, "threads": threads, "speakers": options.speakers})
    return counting(options)


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins for every model."""
    MADE.clear()
    monkeypatch.setattr(TRANSCRIBING, "Transcriber", fake_transcriber)
    monkeypatch.setattr(TRANSCRIBING, "Separator", fake_separator)


@pytest.fixture
def spoken(here: Path):
    """Write a recording of digits."""

    def make(name: str, *tones: int | None, seconds: float = 0.2) -> None:
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        samples = np.repeat(say(*tones, seconds=seconds), 2, axis=0)
        extension = Path(name).suffix.lstrip(".")
        audio.write(here / name, samples, RATE, audio.choose_format(extension, subtype="16"))

    return make


def test_a_text_is_shown(unbraid_command, spoken, tree) -> None:
    spoken("call.wav", 3, 1, 4)
    outcome = unbraid_command("transcribe", "call.wav")
    assert (outcome.code, outcome.out, outcome.err) == (0, "3 1 4\n", "")
    assert unbraid_command("transcribe", "call.wav", "-o", "-").out == "3 1 4\n"
    assert tree() == ["call.wav"]


def test_standard_input_and_pipes(unbraid_command, spoken, here: Path) -> None:
    spoken("call.flac", 2, 7)
    sound = (here / "call.flac").read_bytes()
    assert unbraid_command("transcribe", "-", stdin=sound).out == "2 7\n"
    os.mkfifo("pipe")
    feeder = threading.Thread(target=lambda: (here / "pipe").write_bytes(sound))
    feeder.start()
    assert unbraid_command("transcribe", "pipe").out == "2 7\n"
    feeder.join()


@pytest.mark.parametrize(
    ("name", "options", "begin"),
    [
        ("a.txt", [], "3 1\n"),
        ("a.srt", [], "1\n00:00:00,000 --> 00:00:00,500\n3 1\n\n"),
        ("a.vtt", [], "WEBVTT\n\n00:00:00.000 --> 00:00:00.500\n3 1\n"),
        ("a.json", [], '{"model": "digits", "lines": [\n{"start": 0.0, "end": 0.5, "speaker": null, "text": "3 1", '),
        ("a.srt", ["-f", "text"], "3 1\n"),
        ("notes", ["--format", "SRT"], "1\n00:00:00,000 --> "),
        ("new/folder/a.out", [], "3 1\n"),
    ],
)
def test_a_file_that_is_named(unbraid_command, spoken, here: Path, tree, name, options, begin) -> None:
    spoken("call.wav", 3, 1)
    outcome = unbraid_command("transcribe", "call.wav", "-o", name, *options)
    assert (outcome.code, outcome.err) == (0, "")
    assert (here / name).read_text(encoding="utf-8").startswith(begin)
    assert tree() == sorted(["call.wav", name])
    first, second = outcome.out.splitlines()
    assert first.startswith(f"call.wav -> {name} (0.6 s in ")
    assert second == "digits on fake (a test asked for it)"
    assert unbraid_command("transcribe", "call.wav", "-o", "other", "-q").out == ""


def test_several_go_to_a_folder(unbraid_command, spoken, tree) -> None:
    for name in ("in/a.wav", "in/deep/b.flac", "c.wav"):
        spoken(name, 5)
    Path("in/notes.txt").write_text("not audio")
    outcome = unbraid_command("transcribe", "in", "c.wav", "-r", "-o", "texts", "-f", "vtt")
    assert outcome.code == 0
    assert outcome.errors == ["skipped 1 file that is not audio by extension: notes.txt"]
    assert [name for name in tree() if name.startswith("texts")] == [
        "texts/.a.unbraid.json", "texts/.c.unbraid.json", "texts/a.vtt", "texts/c.vtt",
        "texts/deep/.b.unbraid.json", "texts/deep/b.vtt",
    ]  # fmt: skip
    assert unbraid_command("transcribe", "c.wav", "-o", "one/").code == 0
    assert unbraid_command("transcribe", "in", "-o", "named", "--template", "{name}.{ext}").code == 0
    assert unbraid_command("transcribe", "c.wav", "-o", "alone", "--template", "{name}.{ext}").code == 0
    assert {"one/c.txt", "named/a.wav.txt", "alone/c.wav.txt"} <= set(tree())


def test_a_part_has_the_times_of_the_whole(unbraid_command, spoken) -> None:
    spoken("call.wav", *range(10))
    outcome = unbraid_command("transcribe", "call.wav", "--start", 1.5, "--duration", 0.9, "--json")
    (line,) = json.loads(outcome.out)["files"][0]["lines"]
    assert line["text"] == "5 6 7"
    assert line["start"] == pytest.approx(1.5, abs=0.05)


@pytest.fixture
def meeting(here: Path) -> None:
    """Two people, one on low tones and one on high ones, who talk at the same time from 3.0 to 3.4 s."""
    turns = [(0.5, (1, 2, 3)), (3.0, (6, 7)), (9.0, (2, 1)), (11.5, (7,))]
    sound = np.zeros((1, 14 * RATE), np.float32)
    for start, tones in turns:
        said = say(*tones, seconds=0.9)
        sound[:, round(start * RATE) :][:, : said.shape[1]] += said
    audio.write(here / "meeting.wav", np.repeat(sound, 2, axis=0), RATE, audio.choose_format("wav", subtype="16"))
    for name, tones in (("anna.wav", (6, 7)), ("carl.wav", (9, 9)), ("quiet.wav", (None,) * 40)):
        audio.write(here / name, say(*tones, seconds=0.9), RATE, audio.choose_format("wav", subtype="16"))


def test_everybody_is_transcribed_alone(unbraid_command, meeting, tmp_path: Path) -> None:
    outcome = unbraid_command("transcribe", "meeting.wav", "--separate", "--device", "cpu", "--threads", 2)
    assert outcome.out.splitlines() == ["speaker1: 1 2 3", "speaker2: 6 7", "speaker1: 2 1", "speaker2: 7"]
    assert "  2 people found: speaker1 0:05, speaker2 0:03" in outcome.errors
    assert MADE[1] == {"device": "cpu", "threads": 2, "speakers": None}
    assert list((tmp_path / "tmp").iterdir()) == []  # tracks are not kept
    outcome = unbraid_command("transcribe", "meeting.wav", "--separate", "--speakers", "1-3", "--json")
    assert MADE[-1]["speakers"] == (1, 3)
    (file,) = json.loads(outcome.out)["files"]
    assert (file["voices_found"], file["seconds"]) == (2, 14.0)
    first, second = file["lines"][:2]
    assert (first["speaker"], second["speaker"]) == ("speaker1", "speaker2")
    assert second["start"] < first["end"]  # they overlap, each with its own times
    assert [word["speaker"] for word in first["words"]] == ["speaker1"] * 3


def test_people_in_every_format(unbraid_command, meeting, here: Path) -> None:
    texts = {}
    for name in ("a.txt", "a.srt", "a.vtt", "a.json", "a.TextGrid"):
        assert unbraid_command("transcribe", "meeting.wav", "--separate", "--start", 2.8, "-o", name).code == 0
        texts[name] = (here / name).read_text()
    assert texts["a.txt"].startswith("speaker1: 3\nspeaker2: 6 7\n")
    assert "00:00:03,000 --> 00:00:04,900\nspeaker2: 6 7\n" in texts["a.srt"]
    assert "00:00:03.000 --> 00:00:04.900\n<v speaker2>6 7\n" in texts["a.vtt"]
    assert json.loads(texts["a.json"])["lines"][1]["speaker"] == "speaker2"
    assert "xmax = 14 " in texts["a.TextGrid"] and 'name = "speaker2 words"' in texts["a.TextGrid"]


def test_people_by_their_voices(unbraid_command, meeting) -> None:
    outcome = unbraid_command("transcribe", "meeting.wav", "--separate", "--enrol", "anna=anna.wav")
    assert outcome.out.splitlines() == ["speaker1: 1 2 3", "anna: 6 7", "speaker1: 2 1", "anna: 7"]
    outcome = unbraid_command("transcribe", "meeting.wav", "--separate", "--only", "anna.wav")
    assert outcome.out.splitlines() == ["anna: 6 7", "anna: 7"]
    outcome = unbraid_command("transcribe", "meeting.wav", "--separate", "--only", "carl.wav", "-o", "carl.txt")
    assert (outcome.code, outcome.errors) == (
        1, ["error: meeting.wav: carl was not found, only speaker1, speaker2; leave that choice out for all people."],
    )  # fmt: skip
    assert not Path("carl.txt").exists()
    outcome = unbraid_command("transcribe", "meeting.wav", "--separate", "--enrol", "anna=quiet.wav")
    assert (outcome.code, outcome.errors) == (
        2, ["error: quiet.wav is silent, so nobody can be enrolled; give a recording of one person who speaks."],
    )  # fmt: skip


def test_nobody_speaks(unbraid_command, meeting) -> None:
    outcome = unbraid_command("transcribe", "quiet.wav", "--separate")
    assert (outcome.code, outcome.out, outcome.errors) == (0, "", ["quiet.wav: nobody speaks in it"])


def test_the_options_reach_the_model(unbraid_command, spoken) -> None:
    spoken("call.wav", 3, 1)
    words = [
        "-m",
        "published/base",
        "--beams",
        3,
        "--long-model",
        "mel",
        "--long-seconds",
        0.5,
        "--threads",
        1,
        "--precision",
        "int8",
        "--force",
    ]
    outcome = unbraid_command("transcribe", "call.wav", *words)
    assert (outcome.code, outcome.out) == (0, "3 1\n")
    assert outcome.errors == [
        "call.wav: audio longer than 0.5 s is read by mel, as a spectrogram, not by published/base"
    ]
    assert MADE == [
        {
            "model": "published/base", "device": "auto", "precision": "int8", "threads": 1,
            "beams": 3, "long_model": "mel", "long_seconds": 0.5, "whisper": None, "force": True,
        }
    ]  # fmt: skip


def test_the_options_of_a_whisper_reach_it(unbraid_command, spoken) -> None:
    spoken("call.wav", 3, 1)
    words = ["--language", "de", "--task", "translate", "--word-times", "--prompt", "Anna", "--batch", "8"]
    unbraid_command("transcribe", "call.wav", "-m", "published/base", *words)
    assert MADE[-1]["whisper"] == WhisperOptions("de", "translate", word_times=True, prompt="Anna", batch=8)


def test_json_names_the_model_that_heard_it(unbraid_command, spoken) -> None:
    spoken("call.wav", 3, 1)
    spoken("short.wav", 3)
    words = ["-m", "published/base", "--long-model", "mel", "--long-seconds", 0.5, "--json"]
    told = json.loads(unbraid_command("transcribe", "call.wav", "short.wav", *words).out)
    assert told["model"] == "published/base"
    assert [one["model"] for one in told["files"]] == ["mel", "published/base"]


def test_json_tells_all(unbraid_command, spoken, here: Path) -> None:
    spoken("a.wav", 3, None, None, None, None, 1)
    spoken("b.wav", 9)
    outcome = unbraid_command("transcribe", "a.wav", "b.wav", "--json")
    told = json.loads(outcome.out)
    assert (outcome.code, outcome.err) == (0, "")
    assert told.keys() == {"version", "model", "device", "device_reason", "interrupted", "error", "files"}
    first, second = told["files"]
    assert (first["input"], first["status"], first["output"], first["text"]) == ("a.wav", "done", None, "3\n1")
    assert [line["text"] for line in first["lines"]] == ["3", "1"]
    assert first["seconds"] == pytest.approx(1.8)
    assert first["elapsed_seconds"] > 0
    assert second["lines"][0]["words"][0].keys() == {"word", "start", "end", "confidence"}
    told = json.loads(unbraid_command("transcribe", "a.wav", "-o", "a.txt", "--json").out)
    assert (told["files"][0]["output"], told["files"][0]["lines"]) == ("a.txt", None)
    assert (here / "a.txt").read_text() == "3\n1\n"


def test_seconds_are_those_that_were_heard_whatever_the_header_says(unbraid_command, spoken, here: Path) -> None:
    spoken("a.flac", 3, 1, 4)
    content = bytearray((here / "a.flac").read_bytes())
    content[21:26] = bytes([content[21] & 0xF0, 0, 0, 0, 0])  # STREAMINFO: how many samples is unknown
    (here / "a.flac").write_bytes(content)
    (file,) = json.loads(unbraid_command("transcribe", "a.flac", "--json").out)["files"]
    assert (file["text"], file["seconds"]) == ("3 1 4", pytest.approx(0.9))
    (file,) = json.loads(unbraid_command("transcribe", "a.flac", "--json", "--start", 0.3, "--duration", 9).out)[
        "files"
    ]
    assert (file["text"], file["seconds"]) == ("1 4", pytest.approx(0.6))


def test_one_that_fails_does_not_stop_the_others(unbraid_command, spoken, here: Path, tree) -> None:
    spoken("a.wav", 3)
    spoken("c.wav", 1)
    (here / "b.wav").write_bytes((here / "a.wav").read_bytes()[:3000])
    (here / "d.wav").touch()
    outcome = unbraid_command("transcribe", "a.wav", "b.wav", "c.wav", "d.wav", "-o", "texts")
    assert outcome.code == 1
    assert [name for name in tree() if name.startswith("texts")] == [
        "texts/.a.unbraid.json", "texts/.c.unbraid.json", "texts/a.txt", "texts/c.txt",
    ]  # fmt: skip
    cut, empty, count = outcome.errors
    assert cut.startswith("error: b.wav is cut short: its header states 0.300 s, ")
    assert empty == "error: d.wav is empty: it holds no bytes. Name a file with audio in it."
    assert count == "2 of 4 inputs failed"
    told = json.loads(unbraid_command("transcribe", "a.wav", "d.wav", "--json").out)
    assert [file["status"] for file in told["files"]] == ["done", "failed"]
    assert told["files"][1]["error"] == empty.removeprefix("error: ")


def test_nothing_is_half_written(unbraid_command, spoken, here: Path, tree, monkeypatch) -> None:
    spoken("call.wav", 3)

    def stop(self, source, excerpt, **options):
        return Run(interrupted(), Diagnostics("digits"))

    def interrupted():
        yield from Transcriber.over(ears())(say(3, None, None, None, None, 1), RATE).words
        raise KeyboardInterrupt

    monkeypatch.setattr(Transcriber, "run", stop)
    outcome = unbraid_command("transcribe", "call.wav", "-o", "call.txt")
    assert outcome.code == 130
    assert outcome.errors == ["error: interrupted; nothing is kept of the text that was under way."]
    assert tree() == ["call.wav"]
    assert unbraid_command("transcribe", "call.wav").out == ""


def test_what_exists_is_kept_unless_it_may_go(unbraid_command, spoken, here: Path) -> None:
    spoken("call.wav", 3)
    (here / "call.txt").write_text("mine")
    outcome = unbraid_command("transcribe", "call.wav", "-o", "call.txt")
    assert (outcome.code, outcome.errors) == (
        2, ["error: call.txt exists already; use --overwrite to replace it."],
    )  # fmt: skip
    assert (here / "call.txt").read_text() == "mine"
    assert unbraid_command("transcribe", "call.wav", "-o", "call.txt", "--overwrite").code == 0
    assert (here / "call.txt").read_text() == "3\n"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["call.wav", "-m", "nothing"], 1, "No model or folder is called 'nothing'."),
        (["call.wav", "-f", "doc"], 2, "A transcript is written as text, srt, vtt, json, textgrid, not as 'doc'."),
        (["none.wav"], 1, "none.wav does not exist. Name an audio file that does."),
        (
            ["call.wav", "other.wav"],
            2,
            "The results of several recordings go to a folder: name it with -o DIR, or use --json.",
        ),
        (
            ["call.wav", "-o", ""],
            2,
            "The name of the output is empty; name a file or a folder with -o, or leave it out.",
        ),
        (
            ["call.wav", "--speakers", 2],
            2,
            "--speakers, --enrol, --only and --embedder are for --separate; add it, or leave them out.",
        ),
        (
            ["call.wav", "--speakers", 0, "--separate"],
            2,
            "--speakers counts from 1, and the fewest come first, such as 2-6, not '0'.",
        ),
        (
            ["call.wav", "--json", "-o", "-"],
            2,
            "--json and -o - both write to standard output; choose one of them.",
        ),
        (["call.wav", "-o", "call.wav"], 2, "call.wav would be written over the input call.wav; choose another -o."),
        (
            ["call.wav", "-o", "other.wav"],
            2,
            "other.wav is named as audio; name it .txt, .srt, .vtt, .json, .TextGrid, or say --format too.",
        ),
        (["call.wav", "--start", -1], 2, "A start of -1 s is not possible; it must be 0 or more."),
        (["call.wav", "--duration", 0], 2, "A duration of 0 s is not possible; it must be more than 0."),
        (["call.wav", "--start", 9], 1, "call.wav is 0.300 s long; there is nothing at the start of 9.000 s."),
        (["call.wav", "--track", 1], 1, "call.wav has no audio track 1: it has one, track 0."),
        (["call.wav", "--long-seconds", 0], 2, "long_seconds is a number above 0, not 0."),
    ],
)
def test_what_cannot_be(unbraid_command, spoken, tree, words, code, message) -> None:
    spoken("call.wav", 3)
    outcome = unbraid_command("transcribe", *words)
    assert (outcome.code, outcome.errors) == (code, [f"error: {message}"])
    assert json.loads(outcome.out)["error"] == message if "--json" in words else outcome.out == ""
    assert tree() == ["call.wav"]


def test_models_that_do_something_else(unbraid_command, spoken, speech_folder: Path, monkeypatch) -> None:
    spoken("call.wav", 3)
    monkeypatch.setattr(unbraid.cli.transcription, "Transcriber", Transcriber)
    outcome = unbraid_command("transcribe", "call.wav", "-m", speech_folder)
    assert outcome.code == 2
    assert outcome.errors == [
        "error: The task of tiny-speech is separation, not transcription; choose another of `unbraid models`."
    ]


def test_silence_has_no_words(unbraid_command, spoken) -> None:
    spoken("quiet.wav", *[None] * 20)
    outcome = unbraid_command("transcribe", "quiet.wav", "-f", "srt")
    assert (outcome.code, outcome.out, outcome.errors) == (0, "", ["quiet.wav: no words were heard in it"])
    assert unbraid_command("transcribe", "quiet.wav", "-q").err == ""


def test_a_full_disk_is_said(unbraid_command, spoken, tree) -> None:
    spoken("call.wav", 3)
    Path("full").mkdir()
    opened = Path.open

    def full(self: Path, *args, **options):
        return opened(Path("/dev/full") if self.parent.name.startswith(".unbraid-") else self, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", full)
        outcome = unbraid_command("transcribe", "call.wav", "-o", "full/call.txt")
    assert (outcome.code, outcome.errors) == (
        1,
        [
            "error: call.wav: full cannot be written: No space left on device. Free some space, or choose another "
            "folder with -o."
        ],
    )
    assert tree() == ["call.wav"]
