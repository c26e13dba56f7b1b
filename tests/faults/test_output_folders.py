"""Output folders that are shared, unpacked from an archive, left by killed runs, or written to by two runs at once."""

import hashlib
import json
import os
import threading
import time
from pathlib import Path

import pytest

from unbraid.cli.files.inputs import refuse_links
from unbraid.cli.files.journal import Arrival, Destination, arrive, complete
from unbraid.errors import AudioError, UsageError
from unbraid.files import atomic, workdir
from unbraid.files.atomic import appearing
from unbraid.files.record import Provenance, Receipt, StemRecord, claims, holds, is_complete, read_receipt
from unbraid.files.workdir import is_working_name, locked, sweep, working_folder

fcntl = pytest.importorskip("fcntl", reason="nothing is swept where there are no such locks")
NAME = ".unbraid-0123456789ab"
MAKING = Provenance(1, 2, "model", {"weights": "hash"}, {"raw": False})


def made(content: bytes, making: Provenance = MAKING) -> StemRecord:
    """What a record says of a file with that content."""
    return StemRecord(hashlib.sha256(content).hexdigest(), 0.0, "in.wav", "0", making)


def old(path: Path) -> Path:
    """Make a path look as if it had been there for long."""
    os.utime(path, (0, 0), follow_symlinks=False)
    return path


# --- what killed runs left, and what only looks like it


def test_a_folder_whose_lock_is_free_goes_at_once_and_one_whose_lock_is_held_stays(tmp_path: Path) -> None:
    for name in (NAME, NAME.replace("0123", "4567")):
        (tmp_path / name / "track").mkdir(parents=True)
        (tmp_path / name / "lock").touch()
    with open(tmp_path / NAME / "lock", "r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        old(tmp_path / NAME)
        sweep(tmp_path)
        assert os.listdir(tmp_path) == [NAME]
    sweep(tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_folder_that_was_killed_before_it_was_locked_goes(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    sweep(tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", [".unbraid-", ".unbraid-0123456789a", ".unbraid-0123456789ag", "unbraid-0123456789ab",
                                  ".unbraid-0123456789abc", ".unbraid.json", ".unbraid-????????????"])  # fmt: skip
def test_nothing_of_another_name_is_swept(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "lock").touch()
    old(tmp_path / name)
    sweep(tmp_path)
    assert not is_working_name(name)
    assert os.listdir(tmp_path / name) == ["lock"]


@pytest.mark.parametrize("kind", ["lock", "lock of a folder", "folder", "folder inside", "hard link", "pipe", "loop"])
def test_nothing_is_opened_emptied_or_deleted_through_a_link(tmp_path: Path, kind: str) -> None:
    out, victim = tmp_path / "out", tmp_path / "victim"
    out.mkdir()
    victim.mkdir()
    (victim / "lock").write_text("precious")
    if kind == "folder":
        (out / NAME).symlink_to(victim)
    else:
        (out / NAME).mkdir()
    if kind == "lock":
        (out / NAME / "lock").symlink_to(victim / "lock")
    elif kind == "lock of a folder":
        (out / NAME / "lock").symlink_to(victim)
    elif kind == "folder inside":
        (out / NAME / "lock").touch()
        (out / NAME / "track").symlink_to(victim)
    elif kind == "hard link":
        os.link(victim / "lock", out / NAME / "lock")
    elif kind == "pipe":
        os.mkfifo(out / NAME / "lock")
    elif kind == "loop":
        (out / NAME / "lock").symlink_to("lock")
    old(victim)
    old(out / NAME)
    with working_folder(out):
        pass
    assert (victim / "lock").read_text() == "precious"
    assert os.listdir(victim) == ["lock"]


def test_a_working_folder_is_for_its_owner_alone_and_made_where_asked(tmp_path: Path) -> None:
    with working_folder(tmp_path / "deep" / "er") as work:
        assert work.parent == tmp_path / "deep" / "er"
        assert is_working_name(work.name)
        assert work.stat().st_mode & 0o777 == 0o700
    assert os.listdir(tmp_path) == []


def test_folders_that_hold_something_meanwhile_stay(tmp_path: Path) -> None:
    with working_folder(tmp_path / "deep" / "er"):
        (tmp_path / "deep" / "mine").touch()
    assert os.listdir(tmp_path / "deep") == ["mine"]


def test_where_a_disk_has_no_locks_all_else_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(workdir.fcntl, "flock", none)
    with working_folder(tmp_path), locked(tmp_path, "x"), appearing(tmp_path / "file") as fresh:
        fresh.write_text("all")
    assert os.listdir(tmp_path) == ["file"]


def test_an_interrupt_while_tidying_is_raised_when_all_is_tidy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    delete, calls = workdir._delete, []

    def interrupted(path: Path) -> None:
        calls.append(path)
        if len(calls) < 4:
            raise KeyboardInterrupt
        delete(path)

    monkeypatch.setattr(workdir, "_delete", interrupted)
    with pytest.raises(KeyboardInterrupt), working_folder(tmp_path / "out"):
        pass
    assert os.listdir(tmp_path) == []


def test_locks_keep_others_out_and_leave_no_file(tmp_path: Path) -> None:
    inside, most = [], []

    def work(number: int) -> None:
        for _ in range(20):
            with locked(tmp_path, "the same"):
                inside.append(number)
                most.append(len(inside))
                time.sleep(0.0005)
                inside.remove(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("where", ["song", "album/song"])
def test_no_output_goes_through_a_linked_folder(tmp_path: Path, where: str) -> None:
    root, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = root / where
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    with pytest.raises(UsageError, match=rf"{link} is a symbolic link, and nothing is written through one"):
        refuse_links(root, [link / "voice1.wav"])
    refuse_links(link, [link / "voice1.wav", link / "deep" / "voice2.wav"])  # named by the user


# --- the record as a journal


def hidden(work: Path, files: dict[str, bytes], home: Path) -> list[Arrival]:
    """Files that were written to a working folder."""
    track = work / "track"
    track.mkdir()
    for name, content in files.items():
        (track / name).write_bytes(content)
    return [Arrival(track / name, home / name, made(content)) for name, content in files.items()]


def test_what_has_not_arrived_is_not_claimed(tmp_path: Path) -> None:
    record = tmp_path / ".unbraid.json"
    (tmp_path / "a").write_bytes(b"new a")
    (tmp_path / "b").write_bytes(b"somebody else's")
    (tmp_path / "c").write_bytes(b"old c")
    moving = {name: made(b"new " + name.encode()) for name in "abcd"}
    record.write_text(Receipt({"c": made(b"old c")}, moving=moving).to_json())
    assert claims(record) == {tmp_path / "a", tmp_path / "c"}
    assert holds(record, MAKING, [tmp_path / "a", tmp_path / "c"])
    assert not holds(record, MAKING, [tmp_path / "b"])
    assert not is_complete(record)
    complete(record, tmp_path)
    assert is_complete(record)
    assert read_receipt(record).files == {"a": moving["a"], "c": made(b"old c")}


def test_a_finished_record_is_as_it_always_was() -> None:
    assert list(json.loads(Receipt({"a": made(b"a")}).to_json())) == ["files", "format"]


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("at", range(4))
def test_a_move_that_fails_puts_all_back(tmp_path: Path, monkeypatch, at: int, links: bool) -> None:
    home, replace, calls = tmp_path / "home", os.replace, []
    home.mkdir()
    for name in "abc":
        (home / name).write_bytes(b"old")
    before = {path.name: path.read_bytes() for path in home.iterdir()}

    def failing(source: Path, place: Path) -> None:
        if Path(place).parent == home and "aside" not in str(source):
            calls.append(place)
            if len(calls) == at + 1:
                raise OSError(28, "No space left on device")
        replace(source, place)

    if not links:
        monkeypatch.setattr(os, "link", lambda *_, **__: (_ for _ in ()).throw(OSError(1, "no links")))
    with working_folder(tmp_path) as work:
        files = hidden(work, {name: b"new" for name in "abc"}, home)
        monkeypatch.setattr(os, "replace", failing)
        with pytest.raises(OSError, match="No space left"):
            arrive(files, work / "track", Destination(home, home / ".unbraid.json", replace_all=True))
    assert {path.name: path.read_bytes() for path in home.iterdir()} == before


def test_two_runs_on_one_track_keep_both_records(tmp_path: Path) -> None:
    home = tmp_path / "home"

    def run(name: str) -> None:
        with working_folder(tmp_path) as work:
            files = hidden(work, {name: name.encode()}, home)
            arrive(files, work / "track", Destination(home, home / ".unbraid.json", replace_equal=True))

    threads = [threading.Thread(target=run, args=(f"stem{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert claims(home / ".unbraid.json") == {home / f"stem{number}" for number in range(8)}
    assert sorted(os.listdir(home)) == [".unbraid.json", *(f"stem{number}" for number in range(8))]
    assert os.listdir(tmp_path) == ["home"]


def test_what_appears_meanwhile_is_replaced_by_neither_a_plain_nor_a_resumed_run(tmp_path: Path) -> None:
    for ours in (False, True):
        home = tmp_path / f"home{ours}"
        home.mkdir()
        (home / "a").write_text("mine")
        with working_folder(tmp_path) as work:
            files = hidden(work, {"a": b"new"}, home)
            with pytest.raises(AudioError, match="has appeared meanwhile"):
                arrive(files, work / "track", Destination(home, home / ".unbraid.json", replace_equal=ours))
        assert os.listdir(home) == ["a"]
        assert (home / "a").read_text() == "mine"


@pytest.mark.parametrize("kind", ["record", "stem", "pipe"])
def test_records_and_stems_are_plain_files(tmp_path: Path, kind: str) -> None:
    record, stem = tmp_path / ".unbraid.json", tmp_path / "a"
    record.write_text(Receipt({"a": made(b"a")}).to_json())
    stem.write_bytes(b"a")
    assert holds(record, MAKING, [stem])
    odd = record if kind == "record" else stem
    odd.rename(tmp_path / "elsewhere")
    os.mkfifo(odd) if kind == "pipe" else odd.symlink_to("elsewhere")
    assert not holds(record, MAKING, [stem])


# --- one function for all that appears


@pytest.mark.parametrize("swap", [True, False])
def test_a_folder_is_replaced_whole_and_nothing_is_left(tmp_path: Path, monkeypatch, swap: bool) -> None:
    if not swap:
        monkeypatch.setattr(atomic, "exchange", lambda one, other: False)
    place = tmp_path / "model"
    for version in ("one", "two"):
        with appearing(place) as fresh:
            fresh.mkdir()
            (fresh / version).touch()
        assert os.listdir(place) == [version]
        assert os.listdir(tmp_path) == ["model"]


def test_what_was_set_aside_by_a_killed_run_is_put_back_or_goes(tmp_path: Path) -> None:
    aside = tmp_path / ".mine.unbraid-replaced"
    aside.mkdir()
    (aside / "spec.json").touch()
    atomic.recover(tmp_path)
    assert os.listdir(tmp_path) == ["mine"]
    aside.mkdir()
    atomic.recover(tmp_path)
    assert os.listdir(tmp_path) == ["mine"]
    assert os.listdir(tmp_path / "mine") == ["spec.json"]


def test_a_file_that_fails_leaves_the_one_before(tmp_path: Path) -> None:
    place = tmp_path / "text"
    place.write_text("before")
    with pytest.raises(RuntimeError), appearing(place) as fresh:
        fresh.write_text("half")
        raise RuntimeError
    with pytest.raises(AudioError, match="has appeared meanwhile"), appearing(place, replace=False) as fresh:
        fresh.write_text("other")
    assert os.listdir(tmp_path) == ["text"]
    assert place.read_text() == "before"


def test_a_link_in_the_place_is_replaced_and_its_target_is_not(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("precious")
    (tmp_path / "place").symlink_to("target")
    with appearing(tmp_path / "place") as fresh:
        fresh.write_text("new")
    assert (tmp_path / "target").read_text() == "precious"
    assert not (tmp_path / "place").is_symlink()
