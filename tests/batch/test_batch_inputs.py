"""What a batch takes, from where, and the names of its outputs."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from unbraid.batch.inputs import find
from unbraid.batch.items import Found, named
from unbraid.errors import RuntimeUnavailable, UsageError

fsspec = pytest.importorskip("fsspec", reason="no batch extra: pip install 'unbraid[batch]'")


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    for name in ("raw/a/song.mp3", "raw/a/notes.txt", "raw/talk.wav", "raw/.hidden/x.wav", "raw/b/song.FLAC"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * 10)
    return tmp_path / "raw"


@pytest.fixture
def memory() -> Iterator[Any]:
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    yield fs
    fs.store.clear()


def relatives(*names: str, column: str = "path") -> list[str]:
    return [file.relative for file in find(names, column)]


def test_a_folder_with_all_below_it(raw: Path) -> None:
    found = list(find([str(raw)]))
    assert [file.relative for file in found] == ["talk.wav", "a/song.mp3", "b/song.FLAC"]
    assert found[0].address == str(raw / "talk.wav") and found[0].bytes == 10 and found[0].version


def test_a_glob(raw: Path) -> None:
    assert relatives(f"{raw}/**/*.mp3") == ["a/song.mp3"]
    assert relatives(f"{raw}/*/song.*") == ["a/song.mp3", "b/song.FLAC"]


def test_outputs_are_no_inputs(raw: Path) -> None:
    (raw / "a" / ".unbraid.json").write_text(json.dumps({"format": 1, "files": {"song.mp3": _record()}}))
    assert relatives(str(raw)) == ["talk.wav", "b/song.FLAC"]
    assert relatives(f"{raw}/*/song.*") == ["b/song.FLAC"]


def test_a_folder_that_may_not_be_searched_is_told(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def scandir(place: Path) -> Any:
        if Path(place).name == "b":
            raise PermissionError(13, "Permission denied")
        return real(place)

    real = os.scandir
    monkeypatch.setattr("unbraid.files.walk.os.scandir", scandir)
    with pytest.raises(UsageError, match=r"b may not be searched \(Permission denied\); grant permission, or name"):
        relatives(str(raw))


def _record() -> dict[str, object]:
    making = {"input_bytes": 1, "input_mtime_ns": 1, "model": "m", "model_files": {}, "options": {}}
    return {"sha256": "0", "gain_db": 0.0, "input": "x", "version": "1", "making": making}


@pytest.mark.parametrize("kind", ["txt", "csv", "jsonl", "parquet"])
def test_lists_are_relative_to_themselves(raw: Path, tmp_path: Path, kind: str) -> None:
    entries = ["raw/a/song.mp3", str(raw / "talk.wav"), "s3://bucket/b/x.flac?version=1"]
    path = tmp_path / f"list.{kind}"
    if kind == "txt":
        path.write_text("\n".join(["# a comment", *entries, ""]))
    elif kind == "csv":
        path.write_text("id,path\n" + "".join(f'1,"{entry}"\n' for entry in entries))
    elif kind == "jsonl":
        path.write_text("".join(json.dumps({"path": entry}) + "\n" for entry in entries))
    else:
        pa = pytest.importorskip("pyarrow", reason="no batch extra: pip install 'unbraid[batch]'")
        from pyarrow import parquet

        parquet.write_table(pa.table({"path": entries}), path)
    found = list(find([str(path)]))
    assert [file.relative for file in found] == ["raw/a/song.mp3", (raw / "talk.wav").as_posix(), "bucket/b/x.flac"]
    assert [file.address for file in found[:2]] == [str(raw / "a" / "song.mp3"), str(raw / "talk.wav")]
    assert found[2].address == entries[2]


def test_places_elsewhere(memory: Any) -> None:
    for name in ("/raw/a/x.mp3", "/raw/y.wav", "/raw/readme.md", "/raw/done/vocals.flac", "/raw/done/.unbraid.json"):
        memory.pipe_file(name, b"1234")
    memory.pipe_file("/lists/l.csv", b"path\nz.wav\n")
    found = list(find(["memory://raw/"]))
    assert [(file.address, file.relative, file.bytes) for file in found] == [
        ("memory:///raw/a/x.mp3", "a/x.mp3", 4),
        ("memory:///raw/y.wav", "y.wav", 4),
    ]
    assert relatives("memory://raw/**/*.mp3") == ["a/x.mp3"]
    assert relatives("memory://raw/y.wav") == ["y.wav"]
    assert [file.address for file in find(["memory://lists/l.csv"])] == ["memory://lists/z.wav"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("file\nx.wav\n", "has no column 'path'; name one with --column: 'file'."),
        ("", "has no column 'path'; name one with --column: none."),
        ("id,path\n1\n", "is no list of inputs: row 2 has no path."),
        ("\xff", "it is not in UTF-8 (byte 0)."),
    ],
)
def test_bad_tables(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError) as error:
        list(find([str(path)]))
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [("[1]\n", "line 1 is not an object"), ("{\n", "line 1 is not JSON"), ('{"path": 3}\n', "has 3 where a path")],
)
def test_bad_json_lines(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "list.jsonl"
    path.write_text(text)
    with pytest.raises(UsageError, match=told):
        list(find([str(path)]))


@pytest.mark.parametrize("entry", ["a\0b.wav", "\ud800.wav"])
def test_entries_that_no_file_can_be_called(tmp_path: Path, entry: str) -> None:
    (tmp_path / "list.jsonl").write_text(json.dumps({"path": entry}))
    with pytest.raises(UsageError, match="no file can be called so; correct the list"):
        list(find([str(tmp_path / "list.jsonl")]))


def test_a_table_that_is_no_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="no batch extra: pip install 'unbraid[batch]'")
    path = tmp_path / "list.parquet"
    path.write_bytes(b"no parquet")
    with pytest.raises(UsageError, match="is no list of inputs"):
        list(find([str(path)]))


def test_nothing_there(tmp_path: Path, memory: Any) -> None:
    for name in (str(tmp_path / "none"), str(tmp_path / "none.csv"), "memory://none/", str(tmp_path)):
        with pytest.raises(UsageError):
            list(find([name]))
    with pytest.raises(UsageError, match="Protocol not known"):
        list(find(["nothing://a/b.wav"]))
    with pytest.raises((RuntimeUnavailable, UsageError)):
        list(find(["abfs://a/b.wav"]))


def names(*relative: str) -> list[str]:
    return [item.name for item in named(Found(f"/{path}", path) for path in relative)]


def test_names_are_paths_without_extension() -> None:
    assert names("a/song.mp3", "b/song.mp3", "x.tar.wav") == ["a/song", "b/song", "x.tar"]


def test_files_of_one_name_keep_their_extension_and_so_does_the_name_of_a_folder() -> None:
    assert names("a/song.mp3", "a/SONG.wav", "b.wav", "b/c.wav") == ["a/song.mp3", "a/SONG.wav", "b.wav", "b/c"]


def test_each_file_comes_once_and_keeps_its_name() -> None:
    found = [Found("/a.mp3", "a.mp3"), Found("/a.mp3", "x/a.mp3"), Found("/a.wav", "a.wav")]
    known = {"/a.mp3": "a"}
    assert [item.name for item in named(found[:1])] == ["a"]
    assert [item.name for item in named([found[0], found[2]], known)] == ["a", "a.wav"]
    assert len(named(found)) == 2


def test_two_files_of_one_path_are_told_apart() -> None:
    one, other = named([Found("/p/x.wav", "x.wav"), Found("/q/x.wav", "x.wav")])
    assert one.name == "x.wav" and other.name.startswith("x.wav-")
    _, foreign = named([Found("/p/\udcff.wav", "\udcff.wav"), Found("/q/\udcff.wav", "\udcff.wav")])  # not UTF-8
    assert foreign.name.startswith("\udcff.wav-")


@pytest.mark.parametrize("path", ["../x.wav", "a/../../x.wav", "", "."])
def test_names_never_lead_out(path: str) -> None:
    with pytest.raises(UsageError, match="gives no name for its outputs"):
        names(path)


def test_names_are_possible_everywhere() -> None:
    assert names(".x/a:b.wav", "c. /d.wav") == ["_x/a_b", "c/d"]
    (long,) = names("ä" * 300 + ".wav")
    assert len(long.encode()) <= 200
