"""`unbraid separate` without a model: the one for what a recording sounds like."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from unbraid.tasks.separation import content

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def listening(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["unbraid.cli.separation"], "content_of_file", content.content_of_file)


@pytest.fixture
def recordings(here: Path) -> None:
    for name in ("song.flac", "voices.flac"):
        shutil.copy(EXAMPLES / name, here)


def files(outcome) -> list[tuple[str, str | None]]:
    assert outcome.code == 0, outcome.err
    return [(file["model"], file["sounds_like"]) for file in json.loads(outcome.out)["files"]]


def test_each_recording_gets_its_model_and_a_line_says_so(unbraid_command, recordings, tree):
    outcome = unbraid_command("separate", "song.flac", "voices.flac")
    assert outcome.code == 0
    assert {"song/vocals.wav", "song/drums.wav", "voices/voice1.wav"} <= set(tree())
    assert outcome.errors == [
        "song.flac: sounds like music: separated with music-4; -m speech for its voices",
        "voices.flac: sounds like speech: separated with speech; -m music-4 for the stems of a song",
    ]
    assert "music-4, speech on cpu" in outcome.out


def test_a_named_model_always_wins(unbraid_command, recordings):
    outcome = unbraid_command("separate", "song.flac", "-m", "speech", "--json")
    assert files(outcome) == [("speech", None)]
    assert outcome.err == ""


def test_quiet_is_quiet(unbraid_command, recordings):
    assert unbraid_command("separate", "song.flac", "-q").err == ""


@pytest.mark.parametrize(
    ("words", "model"),
    [
        (["--stems", "vocals"], "music-4"),
        (["--remove", "vocals"], "music-4"),
        (["--wiener"], "music-4"),
        (["--mask-exponent", "1"], "music-4"),
        (["--stems", "voice1"], "speech"),
        (["--precision", "int8"], "speech"),
    ],
    ids=" ".join,
)
def test_options_for_voices_or_songs_choose_as_well(unbraid_command, recordings, words, model):
    for name in ("song.flac", "voices.flac"):
        assert files(unbraid_command("separate", name, *words, "--json", "--overwrite")) == [(model, None)]


def test_pipes_are_listened_to(unbraid_command, recordings, here):
    outcome = unbraid_command("separate", "-", "--json", stdin=(here / "song.flac").read_bytes())
    assert files(outcome) == [("music-4", "music")]


def test_excerpts_are_listened_to(unbraid_command, recordings):
    outcome = unbraid_command("separate", "song.flac", "--start", "1", "--duration", "4", "--json")
    assert files(outcome) == [("music-4", "music")]


def test_a_run_is_resumed_with_the_same_model(unbraid_command, recordings):
    words = ("separate", "song.flac", "--json", "--resume")
    assert files(unbraid_command(*words)) == files(unbraid_command(*words)) == [("music-4", "music")]
    assert json.loads(unbraid_command(*words).out)["files"][0]["status"] == "skipped"


def test_a_file_that_cannot_be_read_fails_alone(unbraid_command, recordings, here):
    (here / "text.wav").write_text("no audio")
    outcome = unbraid_command("separate", "text.wav", "song.flac")
    assert outcome.code == 1
    assert (here / "song" / "vocals.wav").is_file()
    assert len([line for line in outcome.errors if "text.wav" in line]) == 1


def test_of_moments_nothing_is_claimed(unbraid_command, tone):
    tone("moment.wav")
    outcome = unbraid_command("separate", "moment.wav")
    assert (outcome.code, outcome.err) == (0, "")
