"""What is odd about a file is told on standard error and in JSON, and which track is read is the user's choice."""

import json
from pathlib import Path

import numpy as np
import pytest

from odd_containers import RATE, AudioTrack, mux, spoil, tone
from unbraid import audio

TRACKS = "warning: film.mkv: it has 2 audio tracks (0, 1: eng), of which track 0 is read; choose another one "
LATE = "warning: film.mkv: its audio starts 1.500 s after the file; silence fills the time before"


@pytest.fixture
def film(here: Path) -> Path:
    """A film with two tracks that begin late, the first of them silent."""
    silent = AudioTrack(np.zeros(RATE, np.float32), lambda _: 1.5)
    sounding = AudioTrack(tone(1.0), lambda _: 1.5, (("language", "eng"),))
    return mux(here / "film.mkv", [silent, sounding], film_seconds=3.0)


def test_separate(unbraid_command, film) -> None:
    outcome = unbraid_command("separate", "film.mkv")
    assert outcome.code == 0
    assert outcome.errors == [TRACKS + "with --track N, or the first that is not silent with --track auto", LATE]
    outcome = unbraid_command("separate", "film.mkv", "--overwrite", "--track", "auto", "--json")
    (told,) = json.loads(outcome.out)["files"]
    assert outcome.errors == []
    assert told["start_seconds"] == 1.5
    assert told["notices"][0].startswith("it has 2 audio tracks (0, 1: eng), of which track 1 is read")
    voice = audio.read("film/voice1.wav")[0]
    assert voice.shape == (1, round(2.5 * RATE))
    assert np.abs(voice[0, RATE * 3 // 2 + 10 :]).max() > 0.2
    assert unbraid_command("separate", "film.mkv", "--overwrite", "--quiet").errors == []


def test_a_start_takes_from_the_silence(unbraid_command, film) -> None:
    outcome = unbraid_command("separate", "film.mkv", "--start", 1, "--json")
    assert json.loads(outcome.out)["files"][0]["start_seconds"] == 0.5


@pytest.mark.parametrize("track", ["-1", "first", "1.5", ""])
def test_tracks_that_cannot_be(unbraid_command, film, track) -> None:
    outcome = unbraid_command("separate", "film.mkv", "--track", track)
    assert outcome.code == 2
    assert outcome.errors == [f"error: --track takes the number of an audio track, from 0 on, or auto, not {track!r}."]


def test_damage(unbraid_command, here) -> None:
    spoil(mux(here / "hit.m4a", [AudioTrack(tone(4.0))], "aac"))
    outcome = unbraid_command("separate", "hit.m4a")
    assert outcome.code == 1
    assert "replace it by silence with --skip-damage" in outcome.err
    outcome = unbraid_command("separate", "hit.m4a", "--skip-damage")
    assert outcome.code == 0
    assert outcome.err.startswith("warning: hit.m4a: damaged audio is replaced by silence: ")
    assert audio.read("hit/voice1.wav")[0].shape == (1, 4 * RATE)
    assert unbraid_command("separate", "hit.m4a", "--start", 3.5, "-o", "end").errors == []
    stems = {path.name for path in (here / "hit").iterdir()}
    assert stems == {"voice1.wav", "voice2.wav", ".unbraid.json"}
    assert unbraid_command("separate", "hit.m4a", "--skip-damage", "--resume").out.startswith(
        "hit.m4a was done already"
    )
