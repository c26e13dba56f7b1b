"""The progress bar: only for what takes long, only where somebody looks, with a counter where the end is unknown."""

import pytest

from unbraid.cli import progress
from unbraid.cli.progress import Meter, clock


@pytest.fixture
def terminal(monkeypatch):
    """Standard error as a wide terminal, and no patience needed."""
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(progress, "watched", lambda: True)
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", 0.0)


def test_a_known_end_gives_a_share(terminal, capsys):
    with Meter("[1/2] song.mp3") as meter:
        meter(30.0, 60.0)
    assert "[1/2] song.mp3" in (seen := capsys.readouterr().err)
    assert "50%" in seen


def test_an_unknown_end_gives_a_counter(terminal, capsys):
    with Meter("standard input") as meter:
        meter(3723.0, None)
    assert "1:02:03 done" in capsys.readouterr().err


def test_what_is_quick_or_unseen_shows_nothing(terminal, capsys, monkeypatch):
    with Meter("quiet", quiet=True) as meter:
        meter(1.0, 2.0)
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", 1.0)
    with Meter("quick") as meter:
        meter(1.0, 2.0)
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(progress, "watched", lambda: False)
    with Meter("piped") as meter:
        meter(1.0, 2.0)
    assert capsys.readouterr().err == ""


def test_clocks():
    assert [clock(0.9), clock(61), clock(36000)] == ["0:00", "1:01", "10:00:00"]


def test_a_second_phase_takes_the_place_of_the_first(terminal, capsys):
    with Meter("song.mp3") as meter, Meter("song.mp3, encoding", after=meter) as encoding:
        meter(30.0, 30.0)
        encoding(30.0, 120.0)
        assert meter._bar
        assert not meter._bar.live.is_started
    assert "25%" in capsys.readouterr().err
