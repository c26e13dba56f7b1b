"""RTTM: segments are written and read back, and a line that is none is named."""

from pathlib import Path

import pytest

from unbraid.corpora.rttm import Segment, read_rttm, to_rttm
from unbraid.errors import UsageError


def test_a_segment_is_a_line_of_nine_fields_and_a_lookahead() -> None:
    assert to_rttm([Segment(1.25, 3.0, "Anna B")], "my talk") == (
        "SPEAKER my_talk 1 1.250 1.750 <NA> <NA> Anna_B <NA> <NA>\n"
    )


def test_segments_come_back_in_order_of_time(tmp_path: Path) -> None:
    segments = [Segment(2.0, 4.5, "b", 0.5), Segment(0.0, 2.5, "a"), Segment(2.0, 3.0, "a", 1.0)]
    (tmp_path / "x.rttm").write_text(
        ";; a comment\nSPKR-INFO x 1 <NA> <NA> <NA> unknown a <NA>\n" + to_rttm(segments, "x")
    )
    assert read_rttm(tmp_path / "x.rttm") == {"x": [segments[1], segments[2], segments[0]]}


def test_each_recording_has_its_own_segments(tmp_path: Path) -> None:
    one, two = Segment(0.0, 1.0, "a"), Segment(0.0, 2.0, "a")
    (tmp_path / "x.rttm").write_text(to_rttm([one], "x") + to_rttm([two], "y"))
    assert read_rttm(tmp_path / "x.rttm") == {"x": [one], "y": [two]}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("SPEAKER x 1 0.0", "it has 4 fields, and 8 are needed"),
        ("SPEAKER x 1 nan 1 <NA> <NA> a <NA> <NA>", "'nan' is not a number of seconds"),
        ("SPEAKER x 1 0 -1 <NA> <NA> a <NA> <NA>", "'-1' is not a number of seconds"),
        ("SPEAKER x 1 0 1e99 <NA> <NA> a <NA> <NA>", "'1e99' is not a number of seconds"),
    ],
)
def test_a_line_that_is_not_rttm_is_named(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "x.rttm"
    path.write_text(f"\n{line}\n")
    with pytest.raises(UsageError, match="line 2, is not RTTM") as caught:
        read_rttm(path)
    assert str(caught.value) == f"{path}, line 2, is not RTTM: {reason}. Repair it."
