"""A folder with a manifest.csv: a row for each recording, with its path in the folder, its speaker and its split."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from unbraid.corpora.mixtures import Clip
from unbraid.errors import UsageError, shortened
from unbraid.files.bounded import check_regular

NAME = "manifest.csv"
LONGEST_LINE = 1 << 20  # characters


def find_speakers(folder: Path, split: str) -> dict[str, list[Clip]]:
    """The recordings of each speaker of a split."""
    found: dict[str, list[Clip]] = {}
    for row in _of_split(folder, split, ("path", "speaker", "split")):
        found.setdefault(row["speaker"], []).append(Clip(folder / row["path"]))
    return found


def find_clips(folder: Path, split: str) -> list[Clip]:
    """The recordings of a split regardless of speaker, for noises."""
    return [Clip(folder / row["path"]) for row in _of_split(folder, split, ("path", "split"))]


def read_rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """The rows of a CSV that has (at least) these columns.

    Raises:
        UsageError: the file is unreadable, lacks a column or has an empty cell.
    """
    try:
        check_regular(path)
        file = path.open(newline="", encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{path} cannot be read: {reason}.") from None
    with file:
        reader = csv.DictReader(_lines(file))
        try:
            names = reader.fieldnames or ()
            rows = list(reader)
        except (csv.Error, ValueError) as error:
            told = "not in UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
            raise UsageError(f"{path} cannot be read after line {reader.line_num}: {told}. Repair it.") from None
    if missing := [name for name in columns if name not in names]:
        raise UsageError(f"{path} lacks the columns {', '.join(missing)}; it needs {', '.join(columns)}.")
    for number, row in enumerate(rows, 2):
        if empty := [name for name in columns if not row[name]]:
            raise UsageError(f"{path} has nothing in column {empty[0]} of line {number}; fill it in.")
    return rows


def _lines(file: TextIO) -> Iterator[str]:
    """The lines of a table, which are not endless and hold no zero bytes (no path can have one)."""
    while line := file.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE or "\0" in line:
            raise ValueError(
                "there is a zero byte" if "\0" in line else f"a line has {LONGEST_LINE} characters or more"
            )
        yield line


def _of_split(folder: Path, split: str, columns: tuple[str, ...]) -> list[dict[str, str]]:
    rows = read_rows(folder / NAME, columns) if (folder / NAME).is_file() else []
    found = [row for row in rows if row["split"] == split]
    if not found:
        there = ", ".join(sorted({row["split"] for row in rows})) or "nothing"
        raise UsageError(f"{folder / NAME} has no recording of the split {split!r}; it has {shortened(there)}.")
    return found
