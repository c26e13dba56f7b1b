"""Texts as lines: lyrics, scripts, LRC and subtitles."""

from pathlib import Path

import pytest

from unbraid.errors import UsageError
from unbraid.tasks.alignment.texts import PARAGRAPH, TextLine, lines_in, read_text


def said(text: str) -> list[str]:
    return [line.text for line in lines_in(text)]


def test_lyrics_have_verses_and_headings() -> None:
    lines = lines_in("[Verse 1: Anna]\nHello  there\nyou\n\nChorus:\nla la\n(Bridge)\n[Chorus]\noh (oh)\n")
    assert lines == [
        TextLine("Hello there", 2, 1),
        TextLine("you", 3, 1),
        TextLine("la la", 6, 2),
        TextLine("oh (oh)", 9, 3),
    ]


def test_a_line_may_be_said_several_times() -> None:
    assert said("La la (x2)\nhey [3x]\nno (2)\n(x2)\n") == ["La la", "La la", "hey", "hey", "hey", "no (2)", "(x2)"]


def test_a_script_has_names() -> None:
    text = "ANNA: Shall we?\nYes, we shall.\nBob: No.\nBob:\nnever\n\nAnd she said: stop\n"
    assert [(line.voice, line.text) for line in lines_in(text)] == [
        ("ANNA", "Shall we?"),
        ("ANNA", "Yes, we shall."),
        ("Bob", "No."),
        ("Bob", "never"),
        (None, "And she said: stop"),
    ]


def test_lrc_without_its_times() -> None:
    text = "[ar:Somebody]\n[00:05.00]one <00:05.50>two\n[00:07]\n[00:09.10]three\n"
    assert lines_in(text) == [TextLine("one two", 2, 1), TextLine("three", 4, 2)]


def test_a_line_of_lrc_with_several_times_is_sung_as_often() -> None:
    assert said("[00:10.0][00:30.0]chorus we sing\n[00:20.0]between\n") == [
        "chorus we sing",
        "between",
        "chorus we sing",
    ]


def test_subtitles_without_their_times() -> None:
    srt = "1\n00:00:01,000 --> 00:00:02,000\n{\\an8}<i>Hello</i>\nthere\n\n2\n00:00:03,000 --> 00:00:04,000\n7\n"
    assert said(srt) == ["Hello there", "7"]
    vtt = (
        "WEBVTT\n\nNOTE not said\n\nintro\n00:01.000 --> 00:02.000 align:start\n<v Anna>Fish &amp; <c.loud>chips</c>\n"
    )
    assert lines_in(vtt) == [TextLine("Fish & chips", 7, 1, "Anna")]


def test_ass_in_the_order_of_its_times() -> None:
    head = (
        "[Script Info]\n\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    )
    rows = "Dialogue: 0,0:00:05.00,0:00:06.00,Default,anna,0,0,0,,{\\k10}later, {\\k20}then\\Nthere\n"
    rows += "Dialogue: 0\n"
    rows += "Comment: 0,0:00:00.00,0:00:06.00,Default,,0,0,0,,nobody\n"
    rows += "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,first\n"
    assert [(line.voice, line.text) for line in lines_in(head + rows)] == [
        (None, "first"),
        ("anna", "later, then there"),
    ]


def test_a_paragraph_is_cut_into_sentences_and_these_before_they_get_too_long() -> None:
    text = "Mr. Smith came in. " * 8 + "Word " * 60
    lines = said(text)
    assert lines[:8] == ["Mr. Smith came in."] * 8
    assert len(lines) == 8 + 3
    assert all(len(line) <= PARAGRAPH for line in lines)
    assert " ".join(lines).split() == text.split()


@pytest.mark.parametrize("text", ["", "\n \n", "[Chorus]\n", "WEBVTT\n\n00:01.000 --> 00:02.000\n\n"])
def test_a_text_without_lines(text: str) -> None:
    with pytest.raises(
        UsageError, match="^The text has no line that anybody could say: it is empty, or holds headings"
    ):
        lines_in(text)


def test_a_text_or_the_file_of_one(tmp_path: Path) -> None:
    place = tmp_path / "song.txt"
    place.write_bytes("\ufeffnaïve\n".encode())
    assert read_text(place) == read_text(str(place)) == "naïve\n"
    place.write_text("naïve\n", encoding="utf-16")
    assert read_text(place) == "naïve\n"
    assert read_text("Where is song.txt\nand you?") == "Where is song.txt\nand you?"
    assert read_text("three words here") == "three words here"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"caf\xe9", "this is not text in UTF-8; convert it first, or give another file."),
        (b"RIFF\0\0", "this is a file of another kind, not a text; give a text here, not a recording."),
    ],
)
def test_a_file_that_is_no_text(tmp_path: Path, data: bytes, message: str) -> None:
    (place := tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(UsageError) as error:
        read_text(place)
    assert str(error.value) == f"{place}: {message}"


@pytest.mark.parametrize("text", [5, b"hello there", None])
def test_what_is_neither_a_text_nor_a_file(text: object) -> None:
    with pytest.raises(UsageError) as error:
        read_text(text)  # type: ignore[arg-type]
    assert str(error.value) == f"A text is a string or the path of its file, not {text!r}."


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be read: No such file or directory\.$"):
        read_text(tmp_path / "none.txt")
