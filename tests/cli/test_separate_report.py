"""`unbraid separate --report`: a page beside the stems, under the same rules as they."""

import json
import os
import re

import pytest
from cli_fakes import FakeSeparator


def lanes(text: str) -> list[str]:
    """The stems that can be heard in a page."""
    return re.findall(r'data-stem="([^"]*)"', text)


def test_a_page_lies_beside_the_stems(unbraid_command, tone, tree, here):
    tone("song.wav", channels=2)
    outcome = unbraid_command("separate", "song.wav", "-m", "music-2", "--report")
    assert (outcome.code, outcome.err) == (0, "")
    stems = ["song/accompaniment.wav", "song/report.html", "song/vocals.wav"]
    assert tree() == ["song.wav", "song/.unbraid.json", *stems]
    assert "\n  report: song/report.html\n" in outcome.out
    text = (here / "song" / "report.html").read_text(encoding="utf-8")
    assert lanes(text) == ["vocals", "accompaniment"]
    assert "<h1>song.wav</h1>" in text
    assert "<dd>music-2</dd>" in text


@pytest.mark.parametrize(
    "words", [(), ("-f", "flac"), ("-f", "mp3"), ("--subtype", "32f"), ("-f", "opus", "--resample")]
)
def test_in_every_format(unbraid_command, tone, here, words):
    tone("talk.wav", rate=22050)
    report = json.loads(unbraid_command("separate", "talk.wav", "--report", "--json", *words).out)
    assert report["files"][0]["report"] == "talk/report.html"
    text = (here / "talk" / "report.html").read_text(encoding="utf-8")
    assert lanes(text) == ["voice1", "voice2"]
    assert re.search(r"<dt>Left over</dt><dd>(nothing|−1\d\d)", text)


def test_stems_that_are_turned_down_say_so(unbraid_command, tone, here):
    tone("song.wav", level=0.5)
    unbraid_command("separate", "song.wav", "-m", "loud", "--report")
    assert "<dd>−6 dB, so that no stem clips</dd>" in (here / "song" / "report.html").read_text(encoding="utf-8")


def test_what_the_written_stems_leave_over_can_be_heard(unbraid_command, tone, here):
    tone("song.wav")
    unbraid_command("separate", "song.wav", "-m", "music-4", "--stems", "vocals", "--report")
    text = (here / "song" / "report.html").read_text(encoding="utf-8")
    assert lanes(text) == ["vocals", "left over"]
    assert "<dd>−6 dB, relative to the mixture</dd>" in text


@pytest.mark.parametrize(
    ("template", "page"),
    [
        ("{stem}/{track}.{ext}", "report/song.html"),
        ("{track}-{stem}.{ext}", "song-report.html"),
        ("{name}/{model}_{stem}.wav", "song.wav/speech_report.html"),
    ],
)
def test_the_template_says_where(unbraid_command, tone, tree, template, page):
    tone("in/song.wav")
    words = ("separate", "in/song.wav", "--template", template, "-o", "out", "--report")
    assert unbraid_command(*words).code == 0
    assert f"out/{page}" in tree()
    assert "was done already" in unbraid_command(*words, "--resume").out


def test_a_page_alone_needs_no_stem_in_the_template(unbraid_command, tone, tree):
    tone("in/song.wav")
    words = ("--stems", "voice1", "--template", "{track}.{ext}", "-o", "out", "--report")
    assert unbraid_command("separate", "in/song.wav", *words).code == 0
    assert tree() == ["in/song.wav", "out/.song.unbraid.json", "out/song.html", "out/song.wav"]


def status(outcome) -> str:
    return json.loads(outcome.out)["files"][0]["status"]


def test_resume_knows_the_page(unbraid_command, tone, here):
    tone("a.wav")
    words = ("separate", "a.wav", "--resume", "--json")
    assert status(unbraid_command(*words)) == "done"
    assert status(unbraid_command(*words, "--report")) == "done"  # there was none
    assert status(unbraid_command(*words, "--report")) == "skipped"
    assert status(unbraid_command(*words)) == "skipped"
    other = unbraid_command(*words, "--report", "--stems", "voice1")
    assert "a/report.html was made with --stems voice1,voice2; --resume keeps it." in other.err
    assert status(unbraid_command(*words, "--report", "--stems", "voice1", "--overwrite")) == "done"
    (here / "a" / "report.html").write_text("changed")
    assert status(unbraid_command(*words, "--report", "--stems", "voice1")) == "kept"
    assert (here / "a" / "report.html").read_text() == "changed"
    (here / "a" / "report.html").unlink()
    assert status(unbraid_command(*words, "--report", "--stems", "voice1")) == "done"
    assert status(unbraid_command(*words, "--report", "--stems", "voice1")) == "skipped"


def test_a_page_of_somebody_else_is_not_replaced(unbraid_command, tone, here):
    tone("a.wav")
    (here / "a").mkdir()
    page = here / "a" / "report.html"
    page.write_text("mine")
    outcome = unbraid_command("separate", "a.wav", "--report")
    assert outcome.code == 2
    assert outcome.errors[0].startswith("error: a/report.html exists already; use --overwrite to replace it")
    assert unbraid_command("separate", "a.wav", "--report", "--resume").code == 2
    assert page.read_text() == "mine"
    assert unbraid_command("separate", "a.wav", "--report", "--overwrite").code == 0
    assert page.read_text() != "mine"


def test_two_pages_in_one_place_are_refused(unbraid_command, tone, tree):
    tone("a.wav")
    tone("a.flac")
    words = ("--template", "{name}-{stem}.{ext}", "--report")
    assert unbraid_command("separate", "a.wav", "a.flac", *words).code == 0
    again = unbraid_command("separate", "a.wav", "a.flac", "--template", "{track}/{stem}.{ext}", "--report")
    assert again.code == 2
    assert "would both be written to a/voice1.wav" in again.errors[0]


def test_it_needs_a_folder(unbraid_command, tone, tree):
    tone("a.wav")
    outcome = unbraid_command("separate", "a.wav", "-o", "-", "--stems", "voice1", "--report")
    assert (outcome.code, outcome.errors) == (
        2,
        ["error: --report writes a page beside the stems, so choose a folder with -o instead of -."],
    )
    assert tree() == ["a.wav"]


def test_a_page_that_fails_takes_the_stems_with_it(unbraid_command, tone, tree, monkeypatch):
    from unbraid.cli.files import outputs

    def fail(*_: object) -> str:
        raise OSError(28, "No space left on device")

    tone("a.wav")
    monkeypatch.setattr(outputs, "report_page", fail)
    assert unbraid_command("separate", "a.wav", "--report").code == 1
    assert tree() == ["a.wav"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize("name", ["<script>.wav", '"><img src=x>.wav', "a&b.wav"])
def test_names_that_look_like_html(unbraid_command, tone, here, name):
    tone(name)
    assert unbraid_command("separate", name, "--report").code == 0
    text = (here / name[:-4] / "report.html").read_text(encoding="utf-8")
    assert text.count("<script") == 3  # two sounds, one program
    assert text.count("<img ") == 3


def test_standard_input_and_cuts(unbraid_command, tone, here):
    tone("a.wav", seconds=1.0)
    data = (here / "a.wav").read_bytes()
    assert unbraid_command("separate", "-", "--report", "--start", "0.25", "--duration", "0.5", stdin=data).code == 0
    text = (here / "stdin" / "report.html").read_text(encoding="utf-8")
    assert 'data-seconds="0.500000"' in text
    assert re.search(r"<dt>Left over</dt><dd>nothing", text)


def test_without_the_flag_nothing_is_made(unbraid_command, tone, here, monkeypatch):
    from unbraid.cli.files import outputs

    monkeypatch.setattr(outputs, "Gathering", None)
    tone("a.wav")
    assert json.loads(unbraid_command("separate", "a.wav", "--json").out)["files"][0]["report"] is None
    assert FakeSeparator.made == 1
