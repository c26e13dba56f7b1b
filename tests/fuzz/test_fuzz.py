"""A minute of mutated files with a fixed seed, and old findings."""

from pathlib import Path

import pytest
from fuzz_targets import TARGETS
from fuzz_worker import _read, case

from fuzz import FINDINGS, Worker, run
from unbraid.errors import UnbraidError

SEED = 1
SECONDS = 60.0  # of all targets together


@pytest.mark.parametrize("target", TARGETS)
def test_mutated_files_are_read_or_refused(target: str) -> None:
    TARGETS[target].check()
    count, found = run(target, SEED, SECONDS / len(TARGETS))
    assert found == []
    assert count > 0


def test_what_was_found_once_is_read_or_refused() -> None:
    for path in sorted(FINDINGS.glob("*.bin")):
        target = path.stem.split("-")[0]
        TARGETS[target].check()
        assert [line for line in Worker(target, path).lines() if line[0] != "case"] == [], path


def _fails(place: Path, data: bytes) -> None:
    raise ZeroDivisionError(data)


def _tells_much(place: Path, data: bytes) -> None:
    raise UnbraidError("x" * 5000)


def test_the_fuzzer_finds_what_it_looks_for(tmp_path: Path) -> None:
    assert _read(lambda place, data: None, tmp_path, b"") is None
    assert "ZeroDivisionError at test_fuzz.py" in (_read(_fails, tmp_path, b"") or "")
    assert _read(_tells_much, tmp_path, b"") == "a message of 5000 characters"
    assert case("torch", 1, 7, [b"abcdef"]) == case("torch", 1, 7, [b"abcdef"]) != case("torch", 1, 8, [b"abcdef"])
