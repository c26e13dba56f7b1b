"""Words as lines, and lines in each format: where they break, and what the formats ask for."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbraid.errors import UsageError
from unbraid.tasks.transcription.result import Transcript
from unbraid.tasks.transcription.subtitles import SENTENCES, Line, check_text_format, lines_of, shortened, written
from unbraid.tasks.transcription.transcript import Word

HELLO = (Word("Hello", 0.5, 0.9, 0.98765), Word("world", 1.0, 1.4996, 0.5))


def words(count: int, length: float = 0.3, rest: float = 0.1, text: str = "word") -> list[Word]:
    every = length + rest
    return [Word(text, i * every, i * every + length, 1.0) for i in range(count)]


def told(form: str, *lines: Line) -> str:
    return "".join(written(lines, form, "base"))


def test_lines_end_at_pauses() -> None:
    said = [*words(2), Word("then", 1.6, 2.0, 1.0)]  # 0.9 s after the second
    assert [line.text for line in lines_of(said)] == ["word word", "then"]
    assert [line.text for line in lines_of([*words(2), Word("then", 1.4, 2.0, 1.0)])] == ["word word then"]


def test_lines_end_at_42_characters() -> None:
    assert [len(line.text) for line in lines_of(words(20, 0.05, 0.05))] == [39, 39, 19]
    assert [len(line.text) for line in lines_of(words(3, text="x" * 21))] == [21, 21, 21]
    assert [len(line.text) for line in lines_of(words(4, text="x" * 20 + "y"))] == [21] * 4
    assert [len(line.text) for line in lines_of([Word("a" * 20, 0, 1, 1), Word("b" * 21, 1, 2, 1)])] == [42]
    long = Word("x" * 60, 0, 1, 1)
    assert list(lines_of([long, *words(1)])) == [Line((long,)), Line((words(1)[0],))]


def test_lines_end_at_6_seconds() -> None:
    spans = [line.end - line.start for line in lines_of(words(40, 0.9, 0.3, "a"))]
    assert max(spans) <= 6.0
    assert min(spans[:-1]) > 4.0


times = st.floats(0, 50_000)
random_words = st.lists(
    st.builds(
        lambda text, start, length: Word(text, start, start + length, 0.5),
        st.text(st.characters(exclude_categories=("Z", "C")), min_size=1, max_size=50), times, st.floats(0, 9),
    ),
    max_size=30,
).map(lambda words: sorted(words, key=lambda word: word.start))  # fmt: skip


@given(random_words)
def test_no_word_is_lost_and_no_line_too_long(said: list[Word]) -> None:
    lines = list(lines_of(said))
    assert [word for line in lines for word in line.words] == said
    for line in lines:
        assert line.end > line.start
        if len(line.words) > 1:
            assert len(line.text) <= 42
            assert line.words[-1].end - line.start <= 6


@pytest.mark.parametrize(
    ("said", "sentences"),
    [
        ("Hello there. How are you? Fine!", ["Hello there.", "How are you?", "Fine!"]),
        ('"Stop." "Why?" he asked. Then', ['"Stop."', '"Why?" he asked.', "Then"]),
        ("Mr. Hale met Dr. A. Smith. They", ["Mr. Hale met Dr. A. Smith.", "They"]),
        ("no points at all " + "and so on " * 20, ["no points at all " + ("and so on " * 20).strip()]),
        ("日本です。 はい。", ["日本です。", "はい。"]),
    ],
)
def test_sentences_end_where_the_recogniser_ends_them(said: str, sentences: list[str]) -> None:
    spoken = [Word(text, i * 0.4, i * 0.4 + 0.3, 1.0) for i, text in enumerate(said.split())]
    assert [line.text for line in lines_of(spoken, limits=SENTENCES)] == sentences


def test_sentences_end_at_pauses_where_there_are_no_points() -> None:
    said = [*words(20), *(word.after(9.0) for word in words(3))]
    assert [len(line.words) for line in lines_of(said, limits=SENTENCES)] == [20, 3]


def test_long_sentences_become_short_lines_in_order_of_time() -> None:
    """A sentence of 16 s, and a short one of somebody else during it."""
    long = Line(tuple(words(40)), "anna")
    short = Line((Word("Yes.", 5.0, 5.5, 1.0),), "ben")
    later = Line((Word("Well.", 17.0, 17.5, 1.0),), "anna")
    lines = list(shortened([long, short, later]))
    assert [line.start for line in lines] == sorted(line.start for line in lines)
    assert max(len(line.text) for line in lines) <= 42
    assert [word for line in lines if line.voice == "anna" for word in line.words] == [*long.words, *later.words]
    assert [line.voice for line in lines].index("ben") > 1 and lines[-1] == later


def test_a_textgrid_has_a_tier_for_each_voice_and_one_for_its_words() -> None:
    anna, ben = Line(HELLO, "anna"), Line((Word("Yes", 1.2, 1.6, 0.5),), "ben")
    text = "".join(written([anna, ben], "textgrid", seconds=3.0))
    names = re.findall(r'name = "(.*)"', text)
    assert names == ["anna", "anna words", "ben", "ben words"]
    assert text.count("xmax = 3 ") == 1 + 2 * len(names)  # of the file, of each tier, and of its last interval
    assert '"Hello world"' in text and '"Yes"' in text
    assert 'name = "speech"' in "".join(written([Line(HELLO)], "textgrid"))
    assert "".join(written([], "textgrid", seconds=3.0)).count("item [") == 1  # no tiers: only "item []:"


def test_plain_text() -> None:
    assert told("text", Line(HELLO), Line(HELLO[:1], "voice2")) == "Hello world\nvoice2: Hello\n"
    assert told("text") == ""


def test_srt() -> None:
    hour = Word("late", 3600 * 101 + 61.0004, 3600 * 101 + 61.0004, 1.0)
    assert told("srt", Line(HELLO), Line((hour,), "voice1")) == (
        "1\n00:00:00,500 --> 00:00:01,500\nHello world\n\n"
        "2\n101:01:01,000 --> 101:01:01,001\nvoice1: late\n\n"
    )  # fmt: skip
    assert told("srt") == ""


def test_webvtt() -> None:
    odd = Line((Word("<b>R&D</b>", 59.9999, 61, 1.0), Word("-->", 61, 62, 1.0)), "voice1")
    assert told("vtt", Line(HELLO), odd) == (
        "WEBVTT\n\n00:00:00.500 --> 00:00:01.500\nHello world\n\n"
        "00:01:00.000 --> 00:01:02.000\n<v voice1>&lt;b&gt;R&amp;D&lt;/b&gt; --&gt;\n"
    )
    assert told("vtt") == "WEBVTT\n"


@given(random_words)
def test_webvtt_has_nothing_but_cues(said: list[Word]) -> None:
    """Cues are parted by empty lines; each is a line of times and one of text without < > and lone &."""
    first, *cues = told("vtt", *lines_of(said)).removesuffix("\n").split("\n\n") if said else ["WEBVTT"]
    assert first == "WEBVTT"
    for cue in cues:
        head, text = cue.split("\n")
        assert re.fullmatch(r"\d\d+:[0-5]\d:[0-5]\d\.\d{3} --> \d\d+:[0-5]\d:[0-5]\d\.\d{3}", head)
        assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", text)


def test_json() -> None:
    data = json.loads(told("json", Line(HELLO), Line((Word("né", 2, 3, 1.0),), "voice2")))
    assert data["model"] == "base"
    first, second = data["lines"]
    assert first == {
        "start": 0.5, "end": 1.5, "speaker": None, "text": "Hello world",
        "words": [
            {"word": "Hello", "start": 0.5, "end": 0.9, "confidence": 0.9877},
            {"word": "world", "start": 1.0, "end": 1.5, "confidence": 0.5},
        ],
    }  # fmt: skip
    assert (second["speaker"], second["text"], second["words"][0]["speaker"]) == ("voice2", "né", "voice2")
    assert json.loads(told("json")) == {"model": "base", "lines": []}


@pytest.mark.parametrize(
    ("name", "form"),
    [("text", "text"), (".SRT", "srt"), ("vtt", "vtt"), ("json", "json"), ("txt", "text"), ("TextGrid", "textgrid")],
)
def test_formats_by_name(name: str, form: str) -> None:
    assert check_text_format(name) == form


def test_formats_that_are_none() -> None:
    with pytest.raises(UsageError) as caught:
        check_text_format("doc")
    assert str(caught.value) == "A transcript is written as text, srt, vtt, json, textgrid, not as 'doc'."


def test_a_transcript_is_its_words() -> None:
    assert Transcript(HELLO, "base").text == "Hello world"
    assert Transcript((), "base").text == ""
