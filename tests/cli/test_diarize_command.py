"""`unbraid diarize`: who speaks when, as text on the terminal, in files, and in JSON."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from unbraid.corpora.rttm import read_rttm
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator
from voice_fakes import RATE, counting, voices

TWO = voices((2, 0, 2), (0, 2.5, 5), seconds=5)


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that follows people."""
    import unbraid.cli.diarization  # noqa: F401

    def opened(model: str, *, options: Options, **_: object) -> Separator:
        return counting(options)

    monkeypatch.setattr(sys.modules["unbraid.cli.diarization"], "Separator", opened)


@pytest.fixture
def talk(here: Path) -> Callable[..., None]:
    """Write a recording of voices (3, C, T)."""

    def make(name: str, spoken: np.ndarray = TWO) -> None:
        soundfile.write(here / name, spoken.sum(0).T, RATE, subtype="FLOAT")

    return make


def test_one_recording_is_shown_as_rttm(unbraid_command, talk, tree) -> None:
    talk("talk.wav")
    outcome = unbraid_command("diarize", "talk.wav")
    assert (outcome.code, outcome.err) == (0, "")
    first, second = outcome.out.splitlines()
    assert first.startswith("SPEAKER talk 1 0.000 2.1") and " speaker1 " in first
    assert second.startswith("SPEAKER talk 1 2.4") and " speaker2 " in second
    assert tree() == ["talk.wav"]


@pytest.mark.parametrize("name", ["a.rttm", "a.json", "a.txt", "a.TextGrid", "a.svg"])
def test_the_file_says_the_format(unbraid_command, talk, here, name: str) -> None:
    talk("talk.wav")
    outcome = unbraid_command("diarize", "talk.wav", "-o", name)
    assert outcome.code == 0
    assert f"talk.wav -> {name} (5.0 s in " in outcome.out
    assert "\n  2 people found: speaker1 0:02, speaker2 0:03\n" in outcome.out
    text = (here / name).read_text()
    assert "speaker2" in text
    if name == "a.rttm":
        assert len(read_rttm(here / name)["talk"]) == 2
    if name == "a.json":
        assert [s["speaker"] for s in json.loads(text)["segments"]] == ["speaker1", "speaker2"]


def test_several_go_to_a_folder_or_into_json(unbraid_command, talk, tree) -> None:
    talk("a.wav")
    talk("b.wav", voices((1, 0, 3), seconds=3))
    assert unbraid_command("diarize", "a.wav", "b.wav").code == 2
    assert unbraid_command("diarize", "a.wav", "b.wav", "-o", "out", "-f", "json").code == 0
    assert tree() == ["a.wav", "b.wav", "out/.a.unbraid.json", "out/.b.unbraid.json", "out/a.json", "out/b.json"]
    files = json.loads(unbraid_command("diarize", "a.wav", "b.wav", "--json").out)["files"]
    assert [len(file["speakers"]) for file in files] == [2, 1]
    assert files[1]["segments"][0]["speaker"] == "speaker1"


def test_names_and_bounds(unbraid_command, talk) -> None:
    talk("talk.wav")
    talk("anna.wav", voices((0, 0, 2), seconds=2))
    outcome = unbraid_command("diarize", "talk.wav", "--enrol", "anna=anna.wav", "--speakers", "1-4")
    assert [line.split()[7] for line in outcome.out.splitlines()] == ["speaker1", "anna"]


def test_bad_requests_are_refused(unbraid_command, talk, tree) -> None:
    talk("talk.wav")
    outcome = unbraid_command("diarize", "talk.wav", "-f", "srt")
    assert (outcome.code, outcome.out) == (2, "")
    assert "Who speaks when is written as rttm, json, labels, textgrid, svg, not as 'srt'." in outcome.err
    assert unbraid_command("diarize", "talk.wav", "--speakers", "5-2").code == 2
    assert tree() == ["talk.wav"]
