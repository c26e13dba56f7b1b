"""The record beside a track's stems (`.unbraid.json`): what each was made from and how, and what its bytes are.

`--resume` skips a track whose record still holds: same input (size and time), same model files, same options, and
stems on disk that hash to what was written. Anything else, a record that cannot be read included, means: do it again.
Each stem carries its own making, so that stems of several runs can lie side by side.
"""

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unbraid.bounded import read_json
from unbraid.folder import sha256

FORMAT = 1


@dataclass(frozen=True)
class Making:
    """What a stem depends on: equal makings give equal stems."""

    input_bytes: int
    input_mtime_ns: int
    model: str
    model_files: dict[str, str]  # name: sha256
    options: dict[str, Any]  # JSON values only


@dataclass(frozen=True)
class Made:
    """One stem that was written."""

    sha256: str
    gain_db: float  # that all stems of its run were turned by
    input: str  # its name, for people
    version: str  # of unbraid, for people
    making: Making


@dataclass(frozen=True)
class Receipt:
    """The whole record: stems by their file, relative to the record's folder and with '/'."""

    files: dict[str, Made] = field(default_factory=dict)
    format: int = FORMAT

    def to_json(self) -> str:
        """The text of the file."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"


def read_receipt(path: Path) -> Receipt:
    """The record in that file; an empty one when there is none that we understand."""
    try:
        data = read_json(path)
        if data["format"] != FORMAT:
            return Receipt()
        files = {name: Made(**{**made, "making": Making(**made["making"])}) for name, made in data["files"].items()}
        return Receipt(files)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return Receipt()


def claims(path: Path) -> set[Path]:
    """The files, as absolute paths, that the record at PATH says are ours."""
    return {Path(os.path.abspath(path.parent / name)) for name in read_receipt(path).files}


def holds(path: Path, making: Making, outputs: Iterable[Path]) -> bool:
    """Whether the record at PATH says that all outputs were made like this, and they still are what was written."""
    files = read_receipt(path).files
    recorded = {output: files.get(name_in(path, output)) for output in outputs}
    if not all(made is not None and made.making == making for made in recorded.values()):
        return False
    return all(made is not None and _hash_if_there(output) == made.sha256 for output, made in recorded.items())


def name_in(receipt: Path, output: Path) -> str:
    """How the record calls a file."""
    return Path(os.path.relpath(output, receipt.parent)).as_posix()


def stems_recorded_for(folder: Path, *, recursive: bool) -> set[Path]:
    """Absolute paths that records in or just above FOLDER say are ours, so that outputs are not taken for inputs."""
    here = Path(os.path.abspath(folder))
    records = [*_records(here, recursive), *(here.parent / ".unbraid").rglob("*.json")]
    return {file for record in records for file in claims(record)}


def _records(folder: Path, recursive: bool) -> Iterator[Path]:
    """What may be a record: hidden files (song/.unbraid.json) and all in hidden folders (.unbraid/a/song.json)."""
    for parent, folders, files in os.walk(folder):
        yield from (Path(parent, name) for name in files if _is_ours(name) and name.endswith(".json"))
        for name in filter(_is_ours, folders):
            yield from Path(parent, name).rglob("*.json")
        folders[:] = [name for name in folders if not name.startswith(".")] if recursive else []


def _is_ours(name: str) -> bool:
    return name.startswith(".") and "unbraid" in name


def _hash_if_there(path: Path) -> str | None:
    try:
        return sha256(path)
    except OSError:
        return None
