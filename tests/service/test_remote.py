"""`unbraid separate --server`: what a service separates is what this machine separates."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from service_fakes import recording
from typer.testing import CliRunner

from unbraid.cli import app
from unbraid.service.client import Client

pytest.importorskip("fastapi", reason="no web extra: pip install 'unbraid[web]'")


def separate(*options: object) -> tuple[int, str]:
    """The exit status and standard error of a command."""
    done = CliRunner().invoke(app, ["separate", *map(str, options)])
    return done.exit_code, done.stderr


def test_stems_are_those_of_this_machine(server, tmp_path: Path) -> None:
    song = recording(tmp_path / "song.wav", 2.0, 44100)
    assert separate(song, "-m", "music-2", "-o", tmp_path / "here")[0] == 0
    assert separate(song, "-m", "music-2", "-o", tmp_path / "there", "--server", server.url)[0] == 0
    names = {path.name for path in (tmp_path / "there" / "song").iterdir()}
    assert names == {"vocals.wav", "accompaniment.wav"}
    for name in names:
        here, there = (soundfile.read(tmp_path / place / "song" / name)[0] for place in ("here", "there"))
        np.testing.assert_array_equal(here, there)
    with Client(server.url) as client:
        assert client.jobs() == []  # it is deleted once it is here


def test_existing_stems_stay(server, tmp_path: Path) -> None:
    song = recording(tmp_path / "song.wav", 0.5)
    (tmp_path / "out" / "song").mkdir(parents=True)
    code, told = separate(song, "-o", tmp_path / "out", "--server", server.url)
    assert code == 1 and f"{tmp_path / 'out' / 'song'} exists already; choose another place with -o" in told


def test_a_failed_job_fails_alone(server, tmp_path: Path) -> None:
    song = recording(tmp_path / "song.wav", 1.0)
    (tmp_path / "text.wav").write_bytes(b"no audio")
    code, told = separate(tmp_path / "text.wav", song, "-m", "speech", "-o", tmp_path / "out", "--server", server.url)
    assert code == 1 and "text.wav is not audio that can be read" in told
    assert (tmp_path / "out" / "song" / "speakers.rttm").is_file()


@pytest.mark.parametrize("options", [("--raw",), ("--stems", "vocals"), ("-o", "-"), ("--start", "1"), ("-j", "2")])
def test_other_options_are_refused(server, tmp_path: Path, options: tuple[str, ...]) -> None:
    song = recording(tmp_path / "song.wav", 0.5)
    code, told = separate(song, "-m", "music-2", "--server", server.url, *options)
    assert code == 2 and "--server goes with -m, -o, --format, --speakers" in told


def test_no_service_no_model(server, tmp_path: Path) -> None:
    song = recording(tmp_path / "song.wav", 0.5)
    code, told = separate(song, "--server", "http://127.0.0.1:9", "-o", tmp_path / "out")
    assert code == 1 and "There is no answer from http://127.0.0.1:9" in told
    code, told = separate(song, "--server", "nonsense", "-o", tmp_path / "out")
    assert code == 1 and "There is no answer from nonsense" in told
    code, told = separate(song, "--server", "ftp://127.0.0.1", "-o", tmp_path / "out")
    assert code == 1 and "There is no answer from ftp://127.0.0.1" in told and ".." not in told
    code, told = separate(song, "--server", server.url, "-m", "none-such", "-o", tmp_path / "out")
    assert code == 1 and "There is no model 'none-such' for jobs of kind separate; choose one of music-2" in told
    assert not (tmp_path / "out").exists()
