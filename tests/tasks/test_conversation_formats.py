"""Who speaks when as text: read back by other programs' rules, and by praatio."""

import json
from pathlib import Path

import pytest

from unbraid.corpora.rttm import Segment, read_rttm
from unbraid.errors import UsageError
from unbraid.tasks.conversation.conversation import Conversation
from unbraid.tasks.conversation.formats import FORMATS, to_labels, to_textgrid, written
from unbraid.tasks.transcription.transcript import Word

SEGMENTS = (
    Segment(0.5, 4.0, "anna", 0.9),
    Segment(3.0, 6.25, "ben", 0.4),
    Segment(8.0, 9.123456, 'the "boss"'),
)
TALK = Conversation(("anna", "ben", 'the "boss"'), SEGMENTS, 10.0, absent=("carl",))


def test_labels_are_lines_of_times_and_a_name() -> None:
    assert to_labels(reversed(SEGMENTS)) == (
        '0.500000\t4.000000\tanna\n3.000000\t6.250000\tben\n8.000000\t9.123456\tthe "boss"\n'
    )
    assert to_labels([Segment(0, 1, "a\tb\nc")]) == "0.000000\t1.000000\ta\\tb\\nc\n"


def test_json_has_everything_and_marks_what_is_uncertain() -> None:
    values = json.loads(written(TALK, "json", "talk"))
    assert values["recording"] == "talk"
    assert values["seconds"] == 10.0
    assert values["overlap_seconds"] == 1.0
    assert values["speakers"][:2] == [{"name": "anna", "seconds": 3.5}, {"name": "ben", "seconds": 3.25}]
    assert values["absent"] == ["carl"]
    assert values["segments"] == [
        {"start": 0.5, "end": 4.0, "speaker": "anna", "confidence": 0.9, "uncertain": False},
        {"start": 3.0, "end": 6.25, "speaker": "ben", "confidence": 0.4, "uncertain": True},
        {"start": 8.0, "end": 9.123, "speaker": 'the "boss"'},
    ]


def test_rttm_comes_back(tmp_path: Path) -> None:
    (tmp_path / "x.rttm").write_text(written(TALK, "rttm", "talk"))
    found = read_rttm(tmp_path / "x.rttm")["talk"]
    assert [(segment.start, segment.speaker) for segment in found] == [(0.5, "anna"), (3.0, "ben"), (8.0, 'the_"boss"')]


def test_a_textgrid_covers_the_whole_recording_in_each_tier() -> None:
    lines = [line.strip() for line in to_textgrid(TALK).splitlines()]
    assert lines[:7] == ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", "xmax = 10",
                         "tiers? <exists>", "size = 3"]  # fmt: skip
    first = lines[lines.index("item [1]:") : lines.index("item [2]:")]
    assert first == [
        "item [1]:", 'class = "IntervalTier"', 'name = "anna"', "xmin = 0", "xmax = 10", "intervals: size = 3",
        "intervals [1]:", "xmin = 0", "xmax = 0.5", 'text = ""',
        "intervals [2]:", "xmin = 0.5", "xmax = 4", 'text = "anna"',
        "intervals [3]:", "xmin = 4", "xmax = 10", 'text = ""',
    ]  # fmt: skip
    assert 'name = "the ""boss"""' in lines


def test_a_textgrid_is_read_by_praatio(tmp_path: Path) -> None:
    textgrid = pytest.importorskip("praatio.textgrid")
    words = {
        "anna": [Word("hello", 0.6, 1.0, 0.9), Word('"you"', 0.9, 1.5, 0.5)],  # the second begins too soon
        "ben": [],
    }
    path = tmp_path / "talk.TextGrid"
    path.write_text(to_textgrid(TALK, words), encoding="utf-8")
    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False)
    assert grid.tierNames == ("anna", "anna words", "ben", "ben words", 'the "boss"')
    assert (grid.minTimestamp, grid.maxTimestamp) == (0, 10)
    spoken = [tuple(entry) for name in TALK.speakers for entry in grid.getTier(name).entries]
    assert spoken == [(segment.start, segment.end, segment.speaker) for segment in SEGMENTS]
    said = [tuple(entry) for entry in grid.getTier("anna words").entries]
    assert said == [(0.6, 1.0, "hello"), (1.0, 1.5, '"you"')]
    assert grid.getTier("ben words").entries == ()


def test_segments_that_touch_or_end_late_are_one_tier() -> None:
    talk = Conversation(("a",), (Segment(0.0, 2.0, "a"), Segment(2.0, 3.0, "a"), Segment(9.0, 11.0, "a")), 10.0)
    text = to_textgrid(talk)
    assert text.count('text = "a"') == 2
    assert "xmax = 11" not in text
    assert to_textgrid(Conversation((), (), 10.0)).count("item [") == 1  # no tiers: only "item []:"


def test_all_formats_are_named_where_one_is_unknown() -> None:
    assert all(written(TALK, fmt, "talk") for fmt in FORMATS)
    with pytest.raises(
        UsageError, match=r"^There is no format 'xml' of who speaks when; choose rttm, json, labels, te"
    ):
        written(TALK, "xml", "talk")
