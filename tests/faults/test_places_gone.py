"""The current folder, the home, the cache and the temporary folder, where they are gone or were never there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from odd_folders import recording
from typer.testing import CliRunner

import unbraid.cli
from unbraid.errors import ModelNotFound
from unbraid.hub import cache as store
from unbraid.hub import names as hub

pwd = pytest.importorskip("pwd")
GONE = "The current folder is gone: it was deleted, moved or unmounted. Change to another one with cd."


@pytest.fixture
def gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder that was deleted, and a recording elsewhere."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    monkeypatch.setenv("UNBRAID_CACHE", str(tmp_path / "cache"))
    try:
        (tmp_path / "gone").rmdir()
    except OSError as error:
        pytest.skip(f"a current folder cannot be deleted here: {error}")
    return recording(tmp_path / "a.wav")


@pytest.mark.parametrize(
    "words",
    [
        ("separate", "{there}"),
        ("separate", "a.wav", "-o", "{out}"),
        ("separate", ".", "-o", "{out}"),
        ("enhance", "{there}"),
        ("transcribe", "{there}", "-o", "x.txt"),
        ("attention", "g2p", "hello"),
        ("evaluate", "speech-2", "corpus"),
        ("train", "recipe.toml"),
        ("models", "import", "checkpoint", "--to", "x"),
        ("doctor",),
    ],
)
def test_a_current_folder_that_is_gone(gone: Path, words: tuple[str, ...]) -> None:
    words = tuple(word.format(there=gone, out=gone.parent / "out") for word in words)
    done = CliRunner().invoke(unbraid.cli.app, list(words))
    assert done.exit_code in (1, 2)
    assert (done.stderr + done.stdout).count(GONE) == 1
    assert "the system" not in done.stderr


def test_absolute_paths_need_no_current_folder(gone: Path) -> None:
    out = gone.parent / "out"
    assert CliRunner().invoke(unbraid.cli.app, ["enhance", str(gone), "-o", str(out)]).exit_code == 0
    assert (out / "a-speech.wav").is_file()
    assert CliRunner().invoke(unbraid.cli.app, ["transcribe", str(gone), "--force"]).exit_code == 0


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user of a container that knows nothing of him."""
    for name in ("HOME", "XDG_CACHE_HOME", "UNBRAID_CACHE", "USERPROFILE"):
        monkeypatch.delenv(name, raising=False)

    def unknown(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", unknown)


@pytest.mark.usefixtures("homeless")
def test_models_inside_the_package_need_no_home() -> None:
    assert hub.resolve("speech-2").is_dir()
    assert {entry.where for entry in hub.entries()} == {"packaged", "published"}
    assert hub.damaged() == {}
    with pytest.raises(ModelNotFound):
        hub.resolve("spleeter:2stems")
    with pytest.raises(store.NoHome, match=r"^This user has no home folder to keep models in; set UNBRAID_CACHE to a"):
        hub.pull("spleeter:2stems")


@pytest.mark.usefixtures("homeless")
def test_a_home_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNBRAID_CACHE", "~nobody-of-this-name/cache")
    with pytest.raises(store.NoHome):
        store.cache_folder()


@pytest.mark.parametrize("place", ["file/cache", "file"])
def test_a_cache_that_cannot_be_made(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("UNBRAID_CACHE", str(tmp_path / place))
    done = CliRunner().invoke(unbraid.cli.app, ["models", "pull", "spleeter:2stems"])
    assert done.exit_code == 1
    assert done.stderr.startswith(f"error: {tmp_path / place}/downloads cannot be written: Not a directory. ")
    assert "UNBRAID_CACHE" in done.stderr
    assert CliRunner().invoke(unbraid.cli.app, ["models", "path", "speech-2"]).exit_code == 0


def test_no_temporary_folder_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr("tempfile.gettempdir", none)
    monkeypatch.setattr("tempfile._sanitize_params", lambda *_: none())
    (recording(tmp_path / "a.wav")).read_bytes()
    done = CliRunner().invoke(unbraid.cli.app, ["transcribe", "-", "--force"], input=(tmp_path / "a.wav").read_bytes())
    assert done.exit_code == 1
    assert done.stderr.endswith("There is no temporary folder that can be written to; set TMPDIR to one.\n")


def test_a_tmpdir_that_is_gone(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv[1:] = ['transcribe', '-', '--separate', '--force']; from unbraid.cli import main; main()"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path / "gone")}
    sound = recording(tmp_path / "a.wav").read_bytes()
    done = subprocess.run([sys.executable, "-c", code], input=sound, env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr
