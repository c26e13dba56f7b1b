"""Folders that are searched: links once, no pipes, nothing hidden, any name, always in the same order."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from odd_folders import folder_of_bytes, link, pipe, recording, unix_socket
from typer.testing import CliRunner, Result

import unbraid.cli
from unbraid.cli.files.inputs import collect
from unbraid.corpora import Wanted, find_mixtures, find_noises, find_songs, find_speakers
from unbraid.corpora.rendering.stock import Material, find_stock
from unbraid.files.walk import files_in, folders_in

HIDDEN = [".hidden", "._x", ".AppleDouble", ".ipynb_checkpoints", ".Trash", "__MACOSX", "@eaDir", "$RECYCLE.BIN"]
Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("UNBRAID_CACHE", str(tmp_path / "cache"))
    return tmp_path / "here"


@pytest.fixture
def run(speech_folder: Path) -> Run:
    """The command; `separate` and `enhance` with a tiny model."""

    def command(name: str, *words: object) -> Result:
        more = {"separate": ["-m", str(speech_folder)], "transcribe": ["--force"]}.get(name, [])
        return CliRunner().invoke(unbraid.cli.app, [name, *map(str, words), *more])

    return command


def found(folder: Path, *, recursive: bool = True) -> list[str]:
    return [str(item.path.relative_to(folder)) for item in collect([str(folder)], recursive=recursive).items]


def test_links_to_folders_are_followed_once(here: Path) -> None:
    recording(here / "music/b/x.wav")
    recording(here / "disk/y.wav")
    link(here / "music/a", here / "disk")
    link(here / "music/c", here / "disk")
    link(here / "music/0", here / "music/b")
    collected = collect(["music"], recursive=True)
    assert [str(item.path) for item in collected.items] == ["music/a/y.wav", "music/b/x.wav"]
    assert [item.parent for item in collected.items] == ["a", "b"]
    assert {str(path): told for path, told in collected.passed_over.items()} == {
        "music/c": "is another name of music/a",
        "music/0": "is another name of music/b",
    }


@pytest.mark.parametrize("to", [".", "..", "sub", "sub/deep"])
def test_links_in_a_circle_end(here: Path, to: str) -> None:
    recording(here / "music/sub/deep/x.wav")
    recording(here / "music/y.wav")
    link(here / "music/sub/deep/again", here / "music" / to)
    names = found(here / "music")
    assert names[0] == "y.wav"
    assert names.count("sub/deep/x.wav") == 1
    assert len(names) == len({os.path.realpath(here / "music" / name) for name in names})


def test_a_chain_of_links_and_links_to_files(here: Path) -> None:
    recording(here / "disk/x.wav")
    link(here / "second", here / "disk")
    link(here / "music/first", here / "second")
    link(here / "music/z.wav", here / "disk/x.wav")
    assert found(here / "music") == ["z.wav"]  # one recording, whatever it is called
    assert found(here / "music/first", recursive=False) == ["x.wav"]


def test_links_to_nothing_are_told_by_their_reader(here: Path, run: Run) -> None:
    recording(here / "music/a.wav")
    (here / "music/b.wav").symlink_to("nothing")
    (here / "music/c").symlink_to("c")
    done = run("separate", "music", "-r", "-o", "out")
    assert done.exit_code == 1
    assert "music/b.wav does not exist" in done.stderr
    assert (here / "out/a/voice1.wav").is_file()


@pytest.mark.parametrize("special", [pipe, unix_socket])
@pytest.mark.parametrize("command", ["separate", "enhance", "transcribe"])
def test_special_files_are_passed_over(here: Path, run: Run, special: Callable, command: str) -> None:
    recording(here / "in/a.wav")
    special(here / "in/b.wav")
    link(here / "in/c.wav", here / "in/b.wav")
    done = run(command, "in", "-o", "out/")
    assert done.exit_code == 0, done.stderr
    kind = {"pipe": "a pipe", "unix_socket": "a socket"}[special.__name__]
    for name in ("b", "c"):
        assert f"skipped in/{name}.wav: it is {kind}, not a file" in done.stderr
    assert any((here / "out").rglob("*"))


@pytest.mark.parametrize("name", HIDDEN)
def test_what_is_hidden_is_left_out_unless_it_is_named(here: Path, name: str) -> None:
    recording(here / "music/a.wav")
    (here / f"music/{name}/deep").mkdir(parents=True)
    (here / f"music/{name}/deep/b.wav").write_bytes(b"\0\5\x16\7")
    (here / "music/._a.wav").write_bytes(b"\0\5\x16\7")
    assert found(here / "music") == ["a.wav"]
    assert collect(["music"], recursive=True).skipped == []
    assert found(here / "music" / name) == ["deep/b.wav"]
    assert len(collect(["music/._a.wav"], recursive=False).items) == 1


def test_unreadable_folders_are_named_and_do_not_stop_the_others(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording(here / "music/a/x.wav")
    recording(here / "music/b/y.wav")
    real = os.scandir

    def refuse(path: object) -> object:
        if str(path) == "music/b":
            raise PermissionError(13, "Permission denied", "music/b")
        return real(path)

    monkeypatch.setattr("unbraid.files.walk.os.scandir", refuse)
    done = run("separate", "music", "-r", "-o", "out", "--json")
    assert done.exit_code == 1
    files = json.loads(done.stdout)["files"]
    assert {file["input"]: file["status"] for file in files} == {"music/b": "failed", "music/a/x.wav": "done"}
    assert "music/b may not be searched (Permission denied); leave it out, or grant permission." in done.stderr


def test_order_depends_on_names_alone(here: Path) -> None:
    for name in ("b/2.wav", "a.wav", "b/1.wav", "b-c/3.wav", "B/4.wav", "z.wav"):
        recording(here / "music" / name)
    names = found(here / "music")
    assert names == ["a.wav", "z.wav", "B/4.wav", "b/1.wav", "b/2.wav", "b-c/3.wav"]


def test_outputs_never_go_through_a_link(here: Path, run: Run) -> None:
    recording(here / "disk/x.wav")
    recording(here / "music/y.wav")
    link(here / "music/a", here / "disk")
    done = run("separate", "music", "-r", "-o", "music")
    assert done.exit_code == 1
    assert "music/a is a symbolic link, and nothing is written through one in an output folder" in done.stderr
    assert (here / "music/y/voice1.wav").is_file()
    assert [path.name for path in (here / "disk").iterdir()] == ["x.wav"]


@pytest.mark.parametrize("words", [(), ("--json",), ("--report",), ("--report", "--json"), ("--resume",)])
def test_names_that_are_not_utf8(here: Path, run: Run, words: tuple[str, ...]) -> None:
    folder = folder_of_bytes(here / "in")
    recording(folder / os.fsdecode(b"na\xefve.wav"))
    done = run("separate", "in", "-r", "-o", folder_of_bytes(here / "out"), *words)
    assert done.exit_code == 0, done.stderr
    assert len(list((here / "out").rglob("voice1.wav"))) == 1
    if "--json" in words:
        (file,) = json.loads(done.stdout)["files"]
        assert os.fsencode(file["input"]) == b"in/caf\xe9/na\xefve.wav"
    else:
        assert r"in/caf\xe9/na\xefve.wav -> " in done.stdout
    for page in (here / "out").rglob("report.html"):
        page.read_text(encoding="utf-8")


@pytest.mark.parametrize("form", ["text", "srt", "vtt", "json"])
def test_transcripts_below_names_that_are_not_utf8(here: Path, run: Run, form: str) -> None:
    recording(folder_of_bytes(here / "in") / "a.wav")
    done = run("transcribe", "in", "-r", "-o", "out/", "--format", form)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith(r"in/caf\xe9/a.wav -> ")


def test_failures_of_names_that_are_not_utf8(here: Path, run: Run) -> None:
    (folder_of_bytes(here / "in") / "a.wav").write_bytes(b"junk")
    done = run("separate", "in", "-r", "-o", "out", "--json")
    assert done.exit_code == 1
    assert r"in/caf\xe9/a.wav" in done.stderr
    assert "bug" not in done.stderr


def speakers(folder: Path, count: int = 6) -> None:
    for number in range(count):
        recording(folder / f"s{number}/a.wav", 3.0, seed=number)


@pytest.mark.parametrize("name", HIDDEN)
def test_speakers_without_what_is_hidden(here: Path, name: str) -> None:
    speakers(here / "corpus")
    for place in (here / "corpus", here / "corpus/s3"):
        (place / name).mkdir()
        (place / name / "a.wav").write_bytes(b"\0\5\x16\7")
    everyone = [find_speakers(here / "corpus", split, Wanted()) for split in ("train", "dev", "test")]
    assert sorted(name for split in everyone for name in split) == [f"s{number}" for number in range(6)]
    assert all(len(clips) == 1 for split in everyone for clips in split.values())
    assert find_mixtures(here / "corpus", "test", Wanted())


def test_speakers_behind_links_and_beside_pipes(here: Path) -> None:
    speakers(here / "disk")
    for number in range(6):
        link(here / f"corpus/s{number}", here / f"disk/s{number}")
    link(here / "corpus/twice", here / "disk/s0")
    recording(here / "more/b.wav", 3.0)
    link(here / "disk/s1/more", here / "more")
    pipe(here / "disk/s1/c.wav")
    everyone = [find_speakers(here / "corpus", split, Wanted()) for split in ("train", "dev", "test")]
    clips = {name: [clip.path.name for clip in clips] for split in everyone for name, clips in split.items()}
    assert clips == {f"s{number}": ["a.wav", "b.wav"] if number == 1 else ["a.wav"] for number in range(6)}


def test_speakers_and_noises_whose_names_are_not_utf8(here: Path) -> None:
    folder_of_bytes(here / "corpus").rmdir()
    for number in range(6):
        recording(here / "corpus" / os.fsdecode(b"\xe9%d" % number) / "a.wav", 3.0)
    assert len(find_speakers(here / "corpus", "train", Wanted())) == 2
    assert len(find_noises(here / "corpus", "test", Wanted())) == 1


def test_songs_without_what_is_hidden_and_behind_links(here: Path) -> None:
    for song in ("one", "two", "three"):
        recording(here / f"disk/{song}/vocals.wav")
        recording(here / f"disk/{song}/drums.wav")
        link(here / f"corpus/test/{song}", here / f"disk/{song}")
    (here / "disk/one/._vocals.wav").write_bytes(b"\0\5\x16\7")
    recording(here / "corpus/test/__MACOSX/vocals.wav")
    pipe(here / "disk/one/bass.wav")
    songs = find_songs(here / "corpus", "test")
    assert [(song.name, sorted(song.parts)) for song in songs] == [
        (name, ["drums", "vocals"]) for name in ("one", "three", "two")
    ]


def test_material_to_render_without_what_is_hidden(here: Path) -> None:
    (here / "midi/.Trash").mkdir(parents=True)
    for path in (here / "midi/a.mid", here / "midi/.Trash/b.mid", here / "midi/._c.mid"):
        path.write_bytes(path.name.encode())
    pipe(here / "midi/d.mid")
    font = here / "font.sf2"
    font.write_bytes(b"RIFF\0\0\0\0sfbk")
    found = []
    for split in ("train", "dev", "test"):
        try:
            found += find_stock(Material((here / "midi",), (font,)), split).midi
        except unbraid.errors.UsageError:
            continue
    assert [path.name for path in found] == ["a.mid"]


def test_one_search_for_all(here: Path) -> None:
    recording(here / "a/x.wav")
    recording(here / "b.WAV")
    (here / "c.txt").touch()
    link(here / "d", here / "a")
    assert [str(path) for path in files_in(Path())] == ["b.WAV", "c.txt", "a/x.wav"]
    assert [str(path) for path in files_in(Path(), (".wav",), recursive=False)] == ["b.WAV"]
    assert [str(path) for path in folders_in(Path())] == ["a"]
    with pytest.raises(OSError):
        files_in(Path("nowhere"))
