"""`unbraid analyse`: a folder that is whole or not there, what is in it, and the sentences for what cannot be."""

import json
from pathlib import Path

import numpy as np
import pytest

import unbraid.cli.analysis as analysis
import unbraid.tasks.analysis.song_api as song_api
from recognizer_fakes import ears, say
from song_fakes import RATE, STEMS, StemsInChannels, stems_of
from unbraid import audio
from unbraid.tasks.alignment.aligner import Aligner
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


@pytest.mark.usefixtures("song")
def test_standard_output_is_refused(unbraid_command, here: Path) -> None:
    refused = unbraid_command("analyse", "song.wav", "-o", "-")
    assert (refused.code, refused.errors) == (
        2, ["error: An analysis is a folder of files; name one with -o instead of -."],
    )  # fmt: skip
    assert not (here / "-").exists()


def test_silence(unbraid_command, here: Path) -> None:
    audio.write(here / "quiet.wav", np.zeros((4, 8 * RATE), np.float32), RATE, audio.choose_format("wav", subtype="16"))
    outcome = unbraid_command("analyse", "quiet.wav", "--no-stems")
    assert outcome.code == 0
    assert "no music is heard in it" in outcome.out
    assert "quiet.wav: no key, no chords, no melody, no drums: it is silent" in outcome.err
    assert "quiet.wav: no singers: nobody sings in it" in outcome.err
    assert {path.name for path in (here / "quiet").iterdir()} == {"index.html", "song.json", "song.jams"}


def test_lyrics_singers_and_a_picture(unbraid_command, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody sings 3 and 1, over the song, whose text is given."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (pip install matplotlib)")
    stems = stems_of(bars=4)
    sung = audio.resample(say(3, 1, seconds=1.0, rest=0.5), 8000, RATE)
    stems["vocals"][:, RATE : RATE + sung.shape[1]] = sung
    sound = np.concatenate([stems[stem] for stem in STEMS])
    audio.write(here / "song.wav", sound, RATE, audio.choose_format("wav", subtype="16"))
    (here / "text.txt").write_text("3\n1\n")
    monkeypatch.setattr(song_api, "Aligner", lambda *_, **__: Aligner(ears()))
    words = ("--lyrics", "text.txt", "--lyrics-model", "ears", "--plots", "svg", "--no-stems")
    outcome = unbraid_command("analyse", "song.wav", *words)
    assert outcome.code == 0 and "1 singer" in outcome.out and "2 lines of lyrics" in outcome.out
    assert (here / "song" / "song.svg").read_bytes().startswith(b"<?xml")
    first, second, *_ = (here / "song" / "lyrics.lrc").read_text().splitlines()
    assert (first[:8], second[:8]) == ("[00:01.0", "[00:02.5")
    page = (here / "song" / "index.html").read_text(encoding="utf-8")
    assert "times by tiny-ears" in page and "singer1 sings 0:0" in page


@pytest.mark.usefixtures("song")
def test_one_text_for_several_songs_is_refused(unbraid_command, here: Path, song: Path) -> None:
    (here / "other.wav").write_bytes(song.read_bytes())
    (here / "text.txt").write_text("la")
    outcome = unbraid_command("analyse", "song.wav", "other.wav", "--lyrics", "text.txt")
    assert (outcome.code, outcome.errors) == (
        2, ["error: --lyrics is the text of one song, not of several; name one file."],
    )  # fmt: skip
