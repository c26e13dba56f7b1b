"""The record beside a track's stems (`.unbraid.json`): the provenance and the hash of each.

`--resume` skips a track whose record still holds: same input (size and time), same model files, same options, and
stems on disk that hash to what was written. Missing stems are made; one that was made otherwise, or was changed since,
is kept, and the track fails (see `conflict`). Each stem has its own provenance, so that stems of several runs
can lie side by side.

Where stems are moved into a folder one by one, the record is a journal as well: before the first one moves, it names
all that will, with their hashes (`moving`), and afterwards it is completed. A file counts as moved only if its
hash is the recorded one, so that a run that was killed in between claims exactly the files that it wrote.
Records and stems are read as plain files only, never through a symbolic link.
"""

import dataclasses
import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any, Self

from unbraid.files.bounded import MOST_TEXT_BYTES, parse_json
from unbraid.files.walk import places_in

FORMAT = 1
_PLAIN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True)
class Provenance:
    """The provenance of a stem: equal provenance gives equal stems."""

    input_bytes: int
    input_mtime_ns: int
    model: str
    model_files: dict[str, str]  # name: sha256
    options: dict[str, Any]  # JSON values only


@dataclass(frozen=True)
class StemRecord:
    """One stem that was written."""

    sha256: str
    gain_db: float  # of all stems of its run
    input: str  # its name, for people
    version: str  # of unbraid, for people
    making: Provenance
    speakers: list[str] | None = None  # whom the run has found, of a model that follows people
    licence: str = ""  # of the model's weights, and what is known of their data, for people


@dataclass(frozen=True)
class Receipt:
    """The whole record: stems by their file, relative to the record's folder and with '/'."""

    files: dict[str, StemRecord] = field(default_factory=dict)
    format: int = FORMAT
    moving: dict[str, StemRecord] = field(default_factory=dict)  # being moved while this is written

    def to_json(self) -> str:
        """The text of the file."""
        data = dataclasses.asdict(self)
        if not self.moving:
            del data["moving"]
        for made in (*data["files"].values(), *data.get("moving", {}).values()):
            for name, unset in (("speakers", None), ("licence", "")):
                if made[name] == unset:
                    del made[name]
        return json.dumps(data, indent=2) + "\n"

    @classmethod
    def of_json(cls, text: str) -> Self:
        """The record in the text of a file, as it was written; an empty one where that is none."""
        try:
            data = parse_json(text)
            if data["format"] != FORMAT:
                return cls()
            return cls(_made_of(data["files"]), FORMAT, _made_of(data.get("moving", {})))
        except (ValueError, TypeError, KeyError, AttributeError):
            return cls()


def read_receipt(path: Path) -> Receipt:
    """The record in that file; an empty one where it is missing or invalid.

    Files that were moving when it was written count if they have arrived.
    """
    journal = _read_journal(path)
    arrived = {name: made for name, made in journal.moving.items() if hash_if_there(path.parent / name) == made.sha256}
    return Receipt({**journal.files, **arrived})


def is_complete(path: Path) -> bool:
    """Whether the record lists no file as still moving."""
    return not _read_journal(path).moving


def claims(path: Path) -> set[Path]:
    """The files that the record at PATH lists, as absolute paths."""
    return {Path(os.path.abspath(path.parent / name)) for name in read_receipt(path).files}


def holds(path: Path, making: Provenance, outputs: Iterable[Path]) -> bool:
    """Whether the record at PATH lists all outputs with this provenance, and none has changed since."""
    files = read_receipt(path).files
    recorded = {output: files.get(name_in(path, output)) for output in outputs}
    if not all(made is not None and made.making == making for made in recorded.values()):
        return False
    return all(made is not None and hash_if_there(output) == made.sha256 for output, made in recorded.items())


def speakers_recorded(path: Path, making: Provenance) -> list[str] | None:
    """Whom a run with this provenance has found, by the record at PATH; None where that says nothing."""
    made = (made for made in read_receipt(path).files.values() if made.making == making)
    return next((stem.speakers for stem in made), None)


def name_in(receipt: Path, output: Path) -> str:
    """The name of a file in the record."""
    return Path(os.path.relpath(output, receipt.parent)).as_posix()


def stems_recorded_for(folder: Path, *, recursive: bool) -> set[Path]:
    """The files that records in or just above FOLDER list, so that outputs are not taken for inputs."""
    here = Path(os.path.abspath(folder))
    records = [*_records(here, recursive), *(here.parent / ".unbraid").rglob("*.json")]
    return {file for record in records for file in claims(record)}


def _records(folder: Path, recursive: bool) -> Iterator[Path]:
    """Possible records: hidden files (song/.unbraid.json) and all in hidden folders (.unbraid/a/song.json)."""
    for place in places_in(folder, recursive=recursive):
        for path in (place / name for name in os.listdir(place) if _is_ours(name)):
            yield from path.rglob("*.json") if os.path.isdir(path) else [path] if path.suffix == ".json" else []


def _is_ours(name: str) -> bool:
    return name.startswith(".") and "unbraid" in name


def _read_journal(path: Path) -> Receipt:
    """The record as it was written."""
    try:
        with _plain_file(path) as file:
            return Receipt.of_json(file.read(MOST_TEXT_BYTES).decode())
    except (OSError, UnicodeDecodeError):
        return Receipt()


def _made_of(files: dict[str, Any]) -> dict[str, StemRecord]:
    return {name: StemRecord(**{**made, "making": Provenance(**made["making"])}) for name, made in files.items()}


def hash_if_there(path: Path) -> str | None:
    """The SHA-256 of a plain file; None where there is none."""
    try:
        with _plain_file(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _plain_file(path: Path) -> BufferedReader:
    """A file opened for reading.

    Raises:
        OSError: there is none, or it is a symbolic link, a pipe, or something else that is no plain file.
    """
    number = os.open(path, os.O_RDONLY | _PLAIN)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(f"{path} is no plain file")
    return os.fdopen(number, "rb")
