"""Where frames lie in time: gaps, jitter, drift, overlaps and clocks that are set anew."""

import pytest

from unbraid.audio.timeline import EndlessGap, Timeline

RATE = 48000


def test_frames_one_after_the_other() -> None:
    timeline = Timeline(RATE)
    assert [timeline.place(at, 1024) for at in (0, 1024, 2048)] == [0, 0, 0]
    assert (timeline.position, timeline.gaps) == (3072, [])


def test_a_late_start_is_no_gap() -> None:
    timeline = Timeline(RATE)
    assert timeline.place(RATE, 1024) == RATE
    assert timeline.gaps == []
    assert Timeline(RATE).place(400, 1024) == 0  # 8 ms: rounding, or an encoder's delay


def test_a_gap_becomes_silence() -> None:
    timeline = Timeline(RATE)
    timeline.place(0, 1024)
    assert timeline.place(1024 + 700, 1024) == 700
    assert timeline.place(1024 + 700 + 1024, 1024) == 0
    assert timeline.gaps == [(1024, 700)]


@pytest.mark.parametrize("error", [-40, 0, 40])
def test_where_time_stamps_are_rounded_whole_packets_are_missing(error: int) -> None:
    timeline = Timeline(RATE, tick=48)
    timeline.place(0, 960)
    assert timeline.place(4 * 960 + error, 960) == 3 * 960


def test_jitter_means_nothing() -> None:
    timeline = Timeline(RATE, tick=48)
    stamps = [index * 960 + jitter for index, jitter in enumerate([0, 300, -200, 450, -450, 100, 0])]
    assert [timeline.place(at, 960) for at in stamps] == [0] * 7


def test_a_drift_is_set_right_when_it_has_added_up() -> None:
    timeline = Timeline(RATE)
    shifts = [timeline.place(index * 965, 960) for index in range(2000)]  # 0.5 % slow
    assert max(shifts) == sum(shifts[: shifts.index(max(shifts)) + 1]) > 0.05 * RATE
    assert abs(timeline.position - 2000 * 965) < 0.06 * RATE


def test_an_overlap_is_left_out_whole_frames_too() -> None:
    timeline = Timeline(RATE)
    timeline.place(0, 48000)
    shifts = [timeline.place(48000 - 4000 + index * 1024, 1024) for index in range(5)]
    assert shifts == [-1024, -1024, -1024, -928, 0]
    assert timeline.position == 48000 - 4000 + 5 * 1024


@pytest.mark.parametrize("jump", [-30 * RATE, 90 * RATE])
def test_a_clock_that_is_set_anew(jump: int) -> None:
    timeline = Timeline(RATE, may_jump=True)
    timeline.place(0, 1024)
    assert timeline.place(1024 + jump, 1024) == 0
    assert timeline.place(2048 + jump + 1000, 1024) == 1000
    assert (timeline.jumps, timeline.gaps) == ([1024], [(2048, 1000)])


def test_no_recording_pauses_for_longer_than_a_day() -> None:
    timeline = Timeline(RATE)
    timeline.place(0, 1024)
    assert Timeline(RATE).place(23 * 3600 * RATE, 1024) == 23 * 3600 * RATE
    with pytest.raises(EndlessGap):
        timeline.place(25 * 3600 * RATE, 1024)


def test_without_time_stamps_only_damage_is_filled() -> None:
    timeline = Timeline(RATE, is_timed=False)
    timeline.place(0, 1024)
    assert timeline.place(9000, 1024) == 0
    assert timeline.place(None, 1024) == 0
    assert timeline.place(9000, 1024, after_damage=True) == 9000 - 3 * 1024
    assert timeline.gaps == []
