"""`unbraid analyse`: a folder that is whole or not there, what is in it, and the sentences for what cannot be."""

import json
from pathlib import Path

import numpy as np
import pytest

import unbraid.cli.analysis as analysis
import unbraid.tasks.analysis.song_api as song_api
from song_fakes import RATE, STEMS, StemsInChannels, stems_of
from unbraid import audio
from unbraid.tasks.separation.content import Content


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins for the models, and a recording that is music."""
    monkeypatch.setattr(analysis, "Separator", StemsInChannels)
    monkeypatch.setattr(analysis, "open_transcriber", lambda **_: None)
    monkeypatch.setattr(song_api, "content_of_file", lambda *_: Content("music", 0.9))


@pytest.fixture
def song(here: Path) -> Path:
    """Four channels, of which each is a stem."""
    stems = stems_of(bars=4)
    sound = np.concatenate([stems[stem] for stem in STEMS])
    audio.write(here / "song.wav", sound, RATE, audio.choose_format("wav", subtype="16"))
    return here / "song.wav"


@pytest.mark.usefixtures("song")
def test_a_folder_with_everything(unbraid_command, here: Path) -> None:
    outcome = unbraid_command("analyse", "song.wav", "-o", "out")
    assert outcome.code == 0
    assert "song.wav -> out (8.8 s" in outcome.out
    assert "  C major, 4 chords" in outcome.out
    assert "song.wav: no notes of bass, no notes of other: no model of notes is on this machine" in outcome.err
    names = {path.name for path in (here / "out").iterdir()}
    assert {"index.html", "song.json", "song.jams", "chords.txt", "vocals.wav", "other.wav"} <= names
    page = (here / "out" / "index.html").read_text(encoding="utf-8")
    assert "; the stems beside this page are whole." in page
    assert page.count('class="maj"') + page.count('class="min"') >= 4
    assert not [path for path in here.iterdir() if path.name.startswith(".")]


@pytest.mark.usefixtures("song")
def test_the_folder_is_called_as_the_song(unbraid_command, here: Path) -> None:
    assert unbraid_command("analyse", "song.wav", "--no-stems", "-q").code == 0
    assert (here / "song" / "song.json").is_file()
    assert not list((here / "song").glob("*.wav"))
    assert "stems beside this page" not in (here / "song" / "index.html").read_text(encoding="utf-8")


def test_several_songs_go_into_one_folder(unbraid_command, here: Path, song: Path) -> None:
    (here / "other.wav").write_bytes(song.read_bytes())
    (here / "broken.wav").write_bytes(b"nothing")
    outcome = unbraid_command("analyse", "song.wav", "other.wav", "broken.wav", "-o", "all", "--json")
    found = json.loads(outcome.out)["files"]
    assert [file["status"] for file in found] == ["done", "done", "failed"]
    assert sorted(path.name for path in (here / "all").iterdir()) == ["other", "song"]
    assert found[0]["key"] == "C major"
    assert "index.html" in found[0]["files"]


@pytest.mark.usefixtures("song")
def test_an_analysis_is_replaced_only_if_asked_for(unbraid_command, here: Path) -> None:
    assert unbraid_command("analyse", "song.wav", "--no-stems", "-q").code == 0
    refused = unbraid_command("analyse", "song.wav")
    assert (refused.code, refused.err.splitlines()[-1]) == (
        2,
        "error: song exists already; choose another folder with -o, or use --overwrite.",
    )
    assert unbraid_command("analyse", "song.wav", "--no-stems", "--overwrite", "-q").code == 0


@pytest.mark.usefixtures("song")
def test_other_folders_are_left_alone(unbraid_command, here: Path) -> None:
    (here / "mine").mkdir()
    (here / "mine" / "thesis.txt").write_text("mine")
    refused = unbraid_command("analyse", "song.wav", "-o", "mine", "--overwrite")
    assert refused.code == 2
    assert "mine is not the folder of an earlier analysis, so --overwrite leaves it alone" in refused.err
    assert (here / "mine" / "thesis.txt").read_text() == "mine"


def test_silence(unbraid_command, here: Path) -> None:
    audio.write(here / "quiet.wav", np.zeros((4, 8 * RATE), np.float32), RATE, audio.choose_format("wav", subtype="16"))
    outcome = unbraid_command("analyse", "quiet.wav", "--no-stems")
    assert outcome.code == 0
    assert "no music is heard in it" in outcome.out
    assert "quiet.wav: no key, no chords, no melody: it is silent" in outcome.err
    assert {path.name for path in (here / "quiet").iterdir()} == {"index.html", "song.json", "song.jams"}
