"""One name in a folder whose output cannot be written: that one fails, the others are done, the exit code is 1."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from odd_folders import recording
from typer.testing import CliRunner, Result

import unbraid.cli
from unbraid.cli.files.inputs import Item, OutputLayout, placed
from unbraid.errors import UsageError

LONG = "x" * 250 + ".wav"
Run = Callable[..., Result]
COMMANDS = {
    "separate": ("separate", "in", "-o", "out", "--template", "{track}-{stem}.{ext}"),
    "separate, its record": ("separate", "in", "-o", "out", "--template", "{track}-{stem}.{ext}"),
    "enhance": ("enhance", "in", "-o", "out"),
    "transcribe": ("transcribe", "in", "-o", "out/", "--template", "{name}-{track}.{ext}"),
}
DONE = {"separate": "a-voice1.wav", "separate, its record": "a-voice1.wav", "enhance": "a-speech.wav"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three recordings, one of which has a long name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNBRAID_CACHE", str(tmp_path / "cache"))
    for name in ("a.wav", LONG, "z.wav"):
        recording(tmp_path / "in" / name)
    return tmp_path


@pytest.fixture
def run(speech_folder: Path) -> Run:
    def command(name: str, *words: str) -> Result:
        more = {"separate": ["-m", str(speech_folder)], "transcribe": ["--force"]}.get(name, [])
        return CliRunner().invoke(unbraid.cli.app, [name, *words, *more])

    return command


@pytest.mark.parametrize("words", [(), ("--json",), ("--resume",), ("--overwrite",)])
@pytest.mark.parametrize("kind", COMMANDS)
def test_too_long_with_its_ending(here: Path, run: Run, kind: str, words: tuple[str, ...]) -> None:
    if kind == "transcribe" and "--resume" in words:
        pytest.skip("transcribe has no --resume")
    if kind == "separate, its record":  # whose name is 14 letters longer than the track's, and a stem's 11
        (here / "in" / LONG).rename(here / "in" / ("x" * 242 + ".wav"))
    done = run(*COMMANDS[kind], *words)
    assert done.exit_code == 1, done.stderr
    assert "longer than the 255 bytes that file systems hold" in done.stderr
    assert done.stderr.count("error: ") == 1
    assert (here / "out" / DONE.get(kind, "a.wav-a.txt")).is_file()
    if "--json" in words:
        assert [file["status"] for file in json.loads(done.stdout)["files"]] == ["done", "failed", "done"]


def test_again_with_resume(here: Path, run: Run) -> None:
    for status in ("done", "skipped"):
        done = run("enhance", "in", "-o", "out", "--resume", "--json")
        assert done.exit_code == 1
        assert [file["status"] for file in json.loads(done.stdout)["files"]] == [status, "failed", status]


@pytest.mark.parametrize("command", ["separate", "enhance", "transcribe"])
def test_a_file_where_a_folder_must_be_or_a_folder_where_a_file(here: Path, run: Run, command: str) -> None:
    (here / "in" / LONG).unlink()
    (here / "out").mkdir()
    if command == "separate":
        (here / "out/a").touch()
    else:
        (here / "out" / ("a-speech.wav" if command == "enhance" else "a.txt")).mkdir()
    done = run(command, "in", "-o", "out")
    assert done.exit_code == 1, done.stderr
    assert "in/a.wav: out/a" in done.stderr
    assert list((here / "out").rglob("z*"))


@pytest.mark.parametrize("command", ["separate", "enhance", "transcribe"])
def test_where_none_can_have_its_place_the_request_is_refused(here: Path, run: Run, command: str) -> None:
    (here / "out").touch()
    done = run(command, "in", "-o", "out/")
    assert done.exit_code == 2, done.stderr
    assert done.stderr.startswith("error: ")


def test_names_do_not_matter_on_standard_output(here: Path, speech_folder: Path) -> None:
    words = ["separate", f"in/{LONG}", "-o", "-", "--stems", "voice1", "-m", str(speech_folder)]
    done = CliRunner().invoke(unbraid.cli.app, words)
    assert done.exit_code == 0, done.stderr
    assert done.stdout_bytes[:4] == b"RIFF"


def test_a_disk_that_refuses_one_name(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an encrypted folder does, which holds shorter names, or FAT, which holds no question marks."""
    (here / "in" / LONG).rename(here / "in/what?.wav")
    real = Path.open

    def refuse(path: Path, *how: object, **more: object) -> object:
        if "?" in path.name and path.parent.name == "track":
            raise OSError(22, "Invalid argument", str(path))
        return real(path, *how, **more)

    monkeypatch.setattr(Path, "open", refuse)
    done = run("enhance", "in", "-o", "out", "--json")
    assert done.exit_code == 1
    assert [file["status"] for file in json.loads(done.stdout)["files"]] == ["done", "failed", "done"]
    assert "Invalid argument" in done.stderr


def test_names_of_devices_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    layout = OutputLayout(Path("out"), "{track}/{stem}.{ext}", "wav", "m")
    monkeypatch.setattr("unbraid.cli.files.inputs.sys.platform", "win32")
    places = {name: layout.stem_path(Item(Path(name)), "con").parts for name in ("nul.wav", "a. .wav", "COM1.x.wav")}
    assert places == {
        "nul.wav": ("out", "_nul", "_con.wav"),
        "a. .wav": ("out", "a_", "_con.wav"),
        "COM1.x.wav": ("out", "_COM1.x", "_con.wav"),
    }


def test_all_or_some() -> None:
    items = [Item(Path("a")), Item(Path("b"))]

    def places(item: Item) -> list[Path]:
        if item.name == "a":
            raise UsageError("no")
        return [Path("x")]

    assert placed(Path(), items, places) == ({items[1]: [Path("x")]}, {items[0]: "no"})
    with pytest.raises(UsageError, match="^no$"):
        placed(Path(), items[:1], places)
