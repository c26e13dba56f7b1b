"""The journal is true after a kill at any byte, and belongs to one run."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from batch_fakes import item

from unbraid.batch.items import Found
from unbraid.batch.journal import Journal
from unbraid.batch.outcome import Outcome, OutputFile
from unbraid.batch.places import Folder
from unbraid.batch.plan import check_same_run, planned
from unbraid.batch.settings import Settings
from unbraid.errors import UsageError

SETTINGS = Settings("/out", model="music-4")


def outcome(name: str, status: str = "done", attempts: int = 1) -> Outcome:
    one = item(name)
    files = (OutputFile("vocals.flac", 3, "ab"),)
    return Outcome(one.address, name, status, attempts, 1000, "1", outputs=files, notices=("ü",))  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with three lines about files."""
    path = tmp_path / "run.jsonl"
    with Journal.opened(path) as journal:
        journal.begin(SETTINGS.identity)
        journal.add(outcome("a", "again"))
        journal.add(outcome("b"))
        journal.add(outcome("a", attempts=2))
    return path


def test_the_last_line_of_a_file_counts(path: Path) -> None:
    with Journal.opened(path) as journal:
        assert [(o.name, o.status, o.attempts) for o in journal.outcomes()] == [("b", "done", 1), ("a", "done", 2)]
        assert journal.settings == SETTINGS.identity
        assert next(journal.outcomes()) == outcome("b")


def test_a_kill_at_any_byte_loses_the_last_line_at_most(path: Path) -> None:
    whole = path.read_bytes()
    ends = [at for at, byte in enumerate(whole) if byte == ord("\n")]
    for size in sorted({*range(0, len(whole), 13), *ends, *(end + 1 for end in ends), *(end + 2 for end in ends[:-1])}):
        path.write_bytes(whole[:size])
        with Journal.opened(path) as journal:
            lines = whole[:size].count(b"\n")
            assert (journal.settings is not None) == (lines > 0)
            assert len(journal.entries) == max(0, min(lines - 1, 2))
            if lines:
                journal.add(outcome("c"))
        if lines:
            assert [json.loads(line) for line in path.read_bytes().splitlines()][-1]["name"] == "c"


@pytest.mark.parametrize("text", ["hello", '{"a": 1}\n', "[]\n", '{"format": 2, "settings": {}}\n', "x" * (1 << 20)])
def test_another_file_is_refused_and_stays_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(text)
    with pytest.raises(UsageError, match="is no journal of a batch"), Journal.opened(path):
        pass
    assert path.read_text() == text


def test_damage_in_the_middle_is_told(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"garbage\n" + lines[2])
    with pytest.raises(UsageError, match=rf"at byte {len(lines[0])}: .*; move it away"), Journal.opened(path):
        pass


def test_two_runs_do_not_write_to_one_journal(path: Path) -> None:
    with (
        Journal.opened(path),
        pytest.raises(UsageError, match=r"^Another run is writing to .*; wait for it"),
        Journal.opened(path),
    ):
        pass


def test_the_manifest_of_another_run_is_refused(path: Path) -> None:
    with Journal.opened(path) as journal:
        check_same_run(journal, replace(SETTINGS, threads=4, device="cpu"), resume=True)
        told = "its model is 'music-4', not 'speech'. Give the options of that run, or choose another --manifest."
        with pytest.raises(UsageError, match=re.escape(told)):
            check_same_run(journal, replace(SETTINGS, model="speech"), resume=True)
        with pytest.raises(UsageError, match=r"exists already; go on with --resume"):
            check_same_run(journal, SETTINGS, resume=False)


def test_what_is_left(path: Path, tmp_path: Path) -> None:
    with Journal.opened(path) as journal:
        journal.add(outcome("gone"))
        journal.add(outcome("failed", "failed", 3))
        journal.add(outcome("interrupted", "again", 1))
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            (tmp_path / name / ".unbraid.json").write_text("{}")
        found = [Found(f"/raw/{n}.wav", f"{n}.wav", 10, "1") for n in ("a", "gone", "failed", "interrupted", "new")]
        found.append(Found("/raw/b.wav", "b.wav", 10, "2"))  # which has changed
        plan = planned(found, journal, Folder(tmp_path))
        assert {one.name for one in plan.left} == {"gone", "interrupted", "new", "b"}
        assert (plan.done, plan.set_aside, plan.attempts) == (1, 1, {"/raw/interrupted.wav": 1})
        again = planned(found, journal, Folder(tmp_path), "failed")
        assert {one.name for one in again.left} == {"gone", "interrupted", "new", "b", "failed"}
        assert again.attempts == {"/raw/interrupted.wav": 1}


def test_the_manifest_has_a_row_for_each_file(path: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="no batch extra: pip install 'unbraid[batch]'")
    from unbraid.batch.manifest import write_manifest

    with Journal.opened(path) as journal:
        journal.add(replace(outcome("c"), address="/raw/\udcff.wav", audio_seconds=10.0, elapsed_seconds=2.0))
        write_manifest(journal, tmp_path / "run.parquet")
    table = parquet.read_table(tmp_path / "run.parquet")
    rows = table.to_pylist()
    assert [row["name"] for row in rows] == ["b", "a", "c"]
    assert rows[0]["outputs"] == [{"name": "vocals.flac", "bytes": 3, "sha256": "ab"}]
    assert rows[2]["address"] == "/raw/\\xff.wav" and rows[2]["realtime_factor"] == 5.0
    assert json.loads(rows[0]["options"]) == SETTINGS.identity
    assert json.loads(table.schema.metadata[b"unbraid"]) == SETTINGS.identity
