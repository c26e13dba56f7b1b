"""Alignments as files."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

import unbraid
from unbraid.errors import UsageError
from unbraid.tasks.alignment.lines import AlignedLine
from unbraid.tasks.alignment.result import Alignment
from unbraid.tasks.alignment.texts import lines_in
from unbraid.tasks.transcription.transcript import Word

HELLO = AlignedLine("Hello & <you>", (Word("Hello &", 1.0, 1.4, 0.9), Word("<you>", 1.5, 2.006, 0.8)), 1, 1)
LOST = AlignedLine("nobody says this", (), 3, 2)
LATE = AlignedLine("{late}", (Word("{late}", 3661.239, 3661.5, 0.5, "anna"),), 4, 2, "anna")
ALL = Alignment((HELLO, LOST, LATE), "digits", 4000.0, ((10.0, 12.5),))


def test_facts() -> None:
    assert [word.text for word in ALL.words] == ["Hello &", "<you>", "{late}"]
    assert ALL.not_found == (LOST,)
    assert (LOST.found, LOST.start, LOST.end, LOST.confidence) == (False, None, None, 0.0)
    assert (HELLO.start, HELLO.end, HELLO.confidence) == (1.0, 2.006, pytest.approx(0.85))
    assert unbraid.Alignment is Alignment


def test_lrc() -> None:
    assert ALL.to_lrc() == "[00:01.00]Hello & <you>\n[00:02.01]\n[61:01.24]anna: {late}\n[61:01.50]\n"
    assert ALL.to_lrc(words=True).splitlines()[0] == "[00:01.00]<00:01.00> Hello & <00:01.50> <you> <00:02.01>"


def test_lrc_is_read_as_the_same_text() -> None:
    for words in (False, True):
        assert [line.text for line in lines_in(ALL.to_lrc(words=words))] == ["Hello & <you>", "anna: {late}"]


def test_srt_and_vtt() -> None:
    assert ALL.to_srt() == (
        "1\n00:00:01,000 --> 00:00:02,006\nHello & <you>\n\n2\n01:01:01,239 --> 01:01:01,500\nanna: {late}\n\n"
    )
    assert "<v anna>{late}" in ALL.to_vtt()
    assert ALL.to_vtt(words=True) == (
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.006\nHello &amp; <00:00:01.500>&lt;you&gt;\n"
        "\n01:01:01.239 --> 01:01:01.500\n<v anna>{late}\n"
    )


def test_a_long_line_is_several_subtitles() -> None:
    words = tuple(Word("syllables", n * 0.5, n * 0.5 + 0.4, 1.0) for n in range(12))
    alignment = Alignment((AlignedLine(" ".join(word.text for word in words), words, 1),), "m")
    lines = [row for row in alignment.to_srt().splitlines() if row.startswith("syllables")]
    assert [len(line.split()) for line in lines] == [4, 4, 4]
    assert len(alignment.to_lrc().splitlines()) == 2


def test_ass_has_syllables_that_add_up() -> None:
    rows = [row for row in ALL.to_ass().splitlines() if row.startswith("Dialogue")]
    assert rows[0] == r"Dialogue: 0,0:00:01.00,0:00:02.01,Default,,0,0,0,,{\k50}Hello & {\k51}<you>"
    assert rows[1] == r"Dialogue: 0,1:01:01.24,1:01:01.50,Default,anna,0,0,0,,{\k26}(late)"
    header = ALL.to_ass().split("[Events]")[0]
    columns, style = (
        row.split(":")[1].split(",") for row in header.splitlines() if row.startswith(("Format", "Style"))
    )
    assert len(columns) == len(style)


def test_json_has_all_lines() -> None:
    data = json.loads(ALL.to_json())
    assert (data["model"], data["seconds"], data["not_in_text"]) == ("digits", 4000.0, [{"start": 10.0, "end": 12.5}])
    assert [line["found"] for line in data["lines"]] == [True, False, True]
    assert data["lines"][1] == {
        "line": 3, "verse": 2, "found": False, "confidence": 0.0, "start": None, "end": None, "speaker": None,
        "text": "nobody says this", "words": [],
    }  # fmt: skip
    assert data["lines"][2]["words"] == [
        {"word": "{late}", "start": 3661.239, "end": 3661.5, "confidence": 0.5, "speaker": "anna"}
    ]


def test_textgrid() -> None:
    grid = ALL.to_textgrid()
    assert 'name = "speech words"' in grid
    assert 'name = "anna"' in grid
    assert "xmax = 4000 \n" in grid


def test_table_of_words() -> None:
    assert ALL.to_pandas()["start"].tolist() == [1.0, 1.5, 3661.239]


@pytest.mark.parametrize("name", ["a.lrc", "a.srt", "a.vtt", "a.ass", "a.json", "a.TextGrid"])
def test_files(tmp_path: Path, name: str) -> None:
    ALL.save(tmp_path / name)
    assert (tmp_path / name).read_text(encoding="utf-8") == getattr(ALL, f"to_{name[2:].lower()}")()
    with pytest.raises(UsageError, match=r"exists already; choose another name, or set overwrite=True\.$"):
        ALL.save(tmp_path / name)
    ALL.save(tmp_path / name, overwrite=True)


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"^An alignment is written as lrc, srt, vtt, ass, json, textgrid, not as '.doc'"
    ):
        ALL.save(tmp_path / "a.doc")
    with pytest.raises(
        UsageError, match=r"^The times of words are a choice in lrc and vtt only; leave it out for srt\.$"
    ):
        ALL.save(tmp_path / "a.srt", words=True)
    assert not list(tmp_path.iterdir())


def test_words_without_blanks_between_them() -> None:
    words = (Word("我", 1.0, 1.2, 1.0), Word("爱", 1.2, 1.4, 1.0, joined=True), Word("OK", 1.5, 2.0, 1.0))
    alignment = Alignment((AlignedLine("我爱 OK", words, 1),), "m")
    assert alignment.to_lrc(words=True).startswith("[00:01.00]<00:01.00> 我<00:01.20>爱 <00:01.50> OK <00:02.00>\n")
    assert "{\\k20}我{\\k30}爱 {\\k50}OK" in alignment.to_ass()
    assert "\n我<00:00:01.200>爱 <00:00:01.500>OK\n" in alignment.to_vtt(words=True)
    assert "\n我爱 OK\n" in alignment.to_srt()


def test_without_lines_that_were_found() -> None:
    alignment = Alignment((LOST,), "m")
    assert (alignment.to_lrc(), alignment.to_srt(), alignment.to_vtt(words=True)) == ("", "", "WEBVTT\n")
    assert "Dialogue" not in alignment.to_ass()
    assert json.loads(alignment.to_json())["lines"][0]["found"] is False


def test_times_inside_a_cue_rise() -> None:
    words = tuple(Word("a", 1.0 + n * 0.0004, 1.1, 1.0) for n in range(5))
    text = Alignment((AlignedLine("a a a a a", words, 1),), "m").to_vtt(words=True)
    stamps = [part[:12] for part in text.split("<")[1:]]
    assert all(one < two for one, two in pairwise(["00:00:01.000", *stamps]))
