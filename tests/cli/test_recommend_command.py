"""`unbraid models recommend`: times, memory, scores and licences of the models for a recording."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from unbraid.tasks.separation import cost
from unbraid.tasks.separation.content import Content


@pytest.fixture
def song(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten seconds of stereo that are taken for music, on a machine as fast as the table's."""
    import unbraid.cli.recommend  # noqa: F401

    soundfile.write(here / "song.wav", np.zeros((441000, 2)), 44100)
    monkeypatch.setattr(sys.modules["unbraid.cli.recommend"], "content_of_file", lambda _: Content("music", 1.0))
    monkeypatch.setattr(cost, "measured", lambda model, threads=None: cost.costs()[model].cpu_seconds)
    return here / "song.wav"


def test_each_model_is_told_with_time_memory_score_and_licence(unbraid_command, song: Path) -> None:
    outcome = unbraid_command("models", "recommend", "song.wav")
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0] == "song.wav, 0:10, sounds like music"
    at = next(i for i, line in enumerate(lines) if line.startswith("spleeter:4stems "))
    assert lines[at] == "spleeter:4stems  [unbraid models pull spleeter:4stems]"
    assert lines[at + 1] == "    about 1 s, 413 MB of memory, vocals, drums, bass, other"
    assert lines[at + 2] == "    6.55 museval SDR dB, MUSDB18, vocals (stated)"
    assert "    MIT; data: Deezer's own catalogue of songs, not published" in lines[at:]
    assert lines[-1].startswith("Times are estimated from a second of work just now.")
    assert not any("sepformer" in line for line in lines)


def test_the_estimates_as_json(unbraid_command, song: Path) -> None:
    facts = json.loads(unbraid_command("models", "recommend", "song.wav", "--json").out)
    assert (facts["seconds"], facts["channels"], facts["sounds_like"]) == (10.0, 2, "music")
    minutes = [model["minutes"] for model in facts["models"]]
    assert minutes == sorted(minutes)
    here = {model["name"]: model["here"] for model in facts["models"]}
    assert here["music-4"] and not here["spleeter:2stems"]


def test_a_file_that_is_not_there_is_refused(unbraid_command) -> None:
    outcome = unbraid_command("models", "recommend", "nothing.wav")
    assert outcome.code == 1
    assert outcome.errors == ["error: nothing.wav does not exist. Name an audio file that does."]


def test_a_recording_from_standard_input(unbraid_command, song: Path) -> None:
    outcome = unbraid_command("models", "recommend", "-", stdin=song.read_bytes())
    assert outcome.code == 0
    assert outcome.out.splitlines()[0] == "standard input, 0:10, sounds like music"


def test_empty_standard_input_is_named_so(unbraid_command, song: Path) -> None:
    outcome = unbraid_command("models", "recommend", "-", stdin=b"")
    assert outcome.code == 1
    assert outcome.err == "error: standard input is empty: it holds no bytes. Name a file with audio in it.\n"
