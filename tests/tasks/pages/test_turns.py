"""Who speaks when, drawn: bars where somebody speaks, in bounded numbers, as a picture and on the page of stems."""

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest

from unbraid.corpora.rttm import Segment, speaking_seconds
from unbraid.tasks.conversation.conversation import Conversation
from unbraid.tasks.conversation.formats import written
from unbraid.tasks.pages import RunFacts, report_page, turns
from unbraid.tasks.pages.gather import Gathered, Seen

SEGMENTS = (
    Segment(0.5, 10.0, "anna", 0.95),
    Segment(8.0, 14.0, "ben", 0.55),
    Segment(20.0, 25.0, "anna", 0.6),
    Segment(24.0, 30.0, "ben", None),
)
TALK = Conversation(("anna", "ben"), SEGMENTS, 40.0)
SVG = "{http://www.w3.org/2000/svg}"


def bars(drawn: str, kind: str) -> list[tuple[float, float]]:
    """Start and end of the bars of a kind in a lane."""
    (path,) = re.findall(rf'<path class="{kind}" d="([^"]*)"', drawn)
    found = re.findall(r"M([\d.]+) \d+h([\d.]+)", path)
    return [(float(start), round(float(start) + float(length), 2)) for start, length in found]


def mine(name: str) -> list[Segment]:
    return [segment for segment in SEGMENTS if segment.speaker == name]


def test_bars_lie_where_somebody_speaks_and_doubtful_ones_differ():
    assert bars(turns.lane(mine("anna"), 40.0), "sure") == [(0.5, 10), (20, 25)]
    assert bars(turns.lane(mine("anna"), 40.0), "unsure") == []
    assert bars(turns.lane(mine("ben"), 40.0), "sure") == [(24, 30)]
    assert bars(turns.lane(mine("ben"), 40.0), "unsure") == [(8, 14)]


def test_the_row_of_overlap_is_where_several_speak():
    assert bars(turns.overlap_lane(SEGMENTS, 40.0), "sure") == [(8, 10), (24, 25)]
    three = [Segment(0, 9, "a"), Segment(2, 6, "b"), Segment(4, 8, "c"), Segment(9, 10, "b")]
    assert turns.overlaps(three) == [(2, 8)]


def test_overlaps_last_as_long_as_is_told_elsewhere():
    random = np.random.default_rng(0)
    segments = []
    for name in "abc":
        edges = np.sort(random.uniform(0, 100, 40)).round(3)
        segments += [Segment(start, end, name) for start, end in edges.reshape(-1, 2).tolist()]
    found = turns.overlaps(segments)
    assert sum(end - start for start, end in found) == pytest.approx(speaking_seconds(segments)[1])
    assert all(before[1] < after[0] for before, after in pairwise(found))


@pytest.mark.parametrize("seconds", [120.0, 3 * 3600.0, 24 * 3600.0])
def test_a_lane_of_any_length_has_a_bounded_number_of_bars(seconds):
    segments = [Segment(start, start + 0.5, "a", 0.9) for start in np.arange(0, seconds - 1, 1.2).tolist()]
    drawn = turns.lane(segments, seconds)
    shown = bars(drawn, "sure")
    assert 0 < len(shown) <= turns.MOST_BARS
    assert len(shown) == (len(segments) if seconds / turns.MOST_BARS < 0.7 else 1)
    assert len(drawn) < 200_000
    assert (shown[0][0], shown[-1][1]) == pytest.approx((0.0, segments[-1].end), abs=0.011)


def test_the_picture_is_well_formed_and_says_in_words_what_it_shows():
    root = ET.fromstring(written(TALK, "svg", "a & <b>"))
    assert root.findtext(f"{SVG}title") == "Who speaks when in a & <b>"
    told = root.findtext(f"{SVG}desc")
    assert told is not None
    assert told.startswith("anna speaks 0:14, 55 % of the speech, in 2 segments, 0 of them uncertain; ben speaks 0:12")
    words = [text.text for text in root.iter(f"{SVG}text")]
    assert {"anna", "ben", "at the same time", "0:03", "0:30"} <= set(words)
    assert len(list(root.iter())) < 60


@pytest.mark.parametrize("seconds", [0.0, 0.2, 1e6])
def test_a_picture_of_nobody(seconds):
    ET.fromstring(written(Conversation((), (), seconds), "svg", "x"))
    ET.fromstring(written(Conversation(("a",), (), seconds, absent=("b",)), "svg", "x"))


def test_names_are_text():
    name = '"><script>'
    talk = Conversation((name,), (Segment(0, 1, name, 0.9),), 2.0)
    assert name in [text.text for text in ET.fromstring(written(talk, "svg", name)).iter(f"{SVG}text")]
    assert name not in page(talk, [name])


def page(talk: Conversation, stems: list[str]) -> str:
    seen = Seen(np.ones((144, 50), np.float32), np.ones(50, np.float32), 0.5, 1.0, b"opus")
    nothing = Seen(np.zeros((144, 50), np.float32), np.zeros(50, np.float32), 0.0, 1.0, b"opus")
    shown = Gathered(seen, dict.fromkeys(stems, seen), nothing, talk.seconds, 8000)
    return report_page(shown, RunFacts("talk.wav", "speech", 2.0, conversation=talk))


def test_the_page_has_a_lane_for_each_person_above_the_spectrograms():
    text = page(TALK, ["anna", "ben", "residual"])
    assert re.findall(r'data-stem="([^"]*)"', text) == ["anna", "ben", "residual"]
    assert text.index("Who speaks when") < text.index(">residual<")
    assert "<dt>People found</dt><dd>2</dd>" in text
    assert 'aria-label="ben speaks 0:12, 45 % of the speech, in 2 segments, 1 of them uncertain"' in text
    assert 'aria-label="Several people speak, 0:03 in all"' in text
    assert text.count("<img ") == 4


def test_people_whose_track_is_not_written_have_a_lane_without_sound():
    text = page(TALK, ["ben"])
    assert re.findall(r'data-stem="([^"]*)"', text) == ["ben"]
    assert 'aria-label="anna speaks 0:14' in text
    assert text.count('class="view strip"') == 3


def test_pages_of_songs_have_no_lanes_of_people():
    seen = Seen(np.ones((144, 50), np.float32), np.ones(50, np.float32), 0.5, 1.0, b"opus")
    text = report_page(Gathered(seen, {"a": seen}, seen, 60.0, 44100), RunFacts("song.wav", "music-4", 6.0))
    assert "Who speaks when" not in text
    assert "data-zoom" not in text
