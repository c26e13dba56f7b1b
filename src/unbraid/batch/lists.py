"""Lists of inputs: a path on each line of a text, or a column of a CSV, JSON Lines or Parquet file, here or elsewhere.

They are read row by row, since an archive may have millions.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import TextIO

from unbraid.batch.addresses import opened, suffix
from unbraid.errors import RuntimeUnavailable, UsageError, quoted, shortened

LISTS = (".txt", ".csv", ".jsonl", ".parquet")
_LINE_CHARACTERS = 1 << 20


def entries(name: str, column: str) -> Iterator[str]:
    """The entries of a list, as they are written there.

    Raises:
        UsageError: it cannot be read, is no such list, or lacks the column.
        RuntimeUnavailable, NetworkError: a place elsewhere cannot be reached.
    """
    return _parquet(name, column) if suffix(name) == ".parquet" else _text(name, column)


def _text(name: str, column: str) -> Iterator[str]:
    with io.TextIOWrapper(opened(name), encoding="utf-8-sig", newline="") as file:
        try:
            match suffix(name):
                case ".csv":
                    yield from _csv(file, name, column)
                case ".jsonl":
                    yield from _jsonl(file, name, column)
                case _:
                    yield from (line for line in _lines(file) if not line.startswith("#"))
        except UnicodeDecodeError as error:
            raise UsageError(f"{quoted(name)} is no list of inputs: it is not in UTF-8 (byte {error.start}).") from None
        except (ValueError, csv.Error) as error:
            raise UsageError(f"{quoted(name)} is no list of inputs: {shortened(str(error))}.") from None


def _lines(file: TextIO) -> Iterator[str]:
    number = 0
    while line := file.readline(_LINE_CHARACTERS):
        number += 1
        if len(line) == _LINE_CHARACTERS:
            raise ValueError(f"line {number} is longer than {_LINE_CHARACTERS:,} characters")
        yield line.rstrip("\r\n")


def _csv(file: TextIO, name: str, column: str) -> Iterator[str]:
    rows = csv.reader(f"{line}\n" for line in _lines(file))
    head = next(rows, [])
    if column not in head:
        raise _no_column(name, column, head)
    at = head.index(column)
    for number, row in enumerate(rows, 2):
        if row:
            if len(row) <= at:
                raise ValueError(f"row {number} has no {column}")
            yield row[at]


def _jsonl(file: TextIO, name: str, column: str) -> Iterator[str]:
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"line {number} is not JSON ({shortened(str(error))})") from None
        if not isinstance(row, dict):
            raise ValueError(f"line {number} is not an object")
        if column not in row:
            raise _no_column(name, column, list(row))
        yield _checked(row[column], number)


def _parquet(name: str, column: str) -> Iterator[str]:
    try:
        from pyarrow import ArrowException, parquet
    except ModuleNotFoundError:
        raise RuntimeUnavailable(
            f"{quoted(name)} needs pyarrow, which is not installed; get it with `pip install 'unbraid[batch]'`."
        ) from None
    with opened(name) as binary:
        try:
            table = parquet.ParquetFile(binary)
            if column not in table.schema_arrow.names:
                raise _no_column(name, column, table.schema_arrow.names)
            for batch in table.iter_batches(columns=[column]):
                yield from (_checked(entry, None) for entry in batch.column(0).to_pylist())
        except (ArrowException, OSError, ValueError) as error:
            raise UsageError(f"{quoted(name)} is no list of inputs: {shortened(str(error))}.") from None


def _checked(entry: object, line: int | None) -> str:
    if not isinstance(entry, str):
        raise ValueError(f"{f'line {line} has' if line else 'it has'} {quoted(entry)} where a path should be")
    return entry


def _no_column(name: str, column: str, columns: Sequence[str]) -> UsageError:
    there = ", ".join(map(quoted, columns[:8])) or "none"
    return UsageError(f"{quoted(name)} has no column {quoted(column)}; name one with --column: {there}.")
