"""Reading small untrusted files (settings, tables, records) within limits.

A file of a few bytes can demand gigabytes: by a length that it states, by deep nesting, or because it is a device or an
endless pipe. So size, depth and number of values are checked first. Errors are ValueErrors with a short reason; the
caller adds the file and the remedy.
"""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from unbraid.errors import UnbraidError, quoted, shortened

MOST_TEXT_BYTES = 4 << 20  # of a file of settings
MOST_TABLE_BYTES = 256 << 20  # of a user's own list: a manifest, a dictionary
DEEPEST = 64  # levels of nesting; our own files have 6


@contextmanager
def readable(place: object, kind: type[UnbraidError], otherwise: str = "cannot be read") -> Iterator[None]:
    """Turn failures to read a file into errors of a kind: the system refuses, or OTHERWISE, as "is not JSON"."""
    try:
        yield
    except OSError as error:
        raise kind(f"{place} cannot be read: {error.strerror or error}.") from None
    except (ValueError, IndexError) as error:
        raise kind(f"{place} {otherwise}: {error}.") from None


def check_regular(path: Path) -> None:
    """Refuse anything but a regular file (links are followed).

    Raises:
        OSError: there is nothing, or the system refuses.
        ValueError: it is something else.
    """
    if not stat.S_ISREG(mode := os.stat(path).st_mode):
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(21, "Is a directory", str(path))
        raise ValueError("it is a pipe, a socket or a device, not a file")


def read_bytes(path: Path, most: int = MOST_TEXT_BYTES) -> bytes:
    """The content of a regular file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not a regular file, or too large.
    """
    check_regular(path)
    with open(path, "rb") as file:
        return read_at_most(file, most)


def read_at_most(file: BinaryIO, most: int = MOST_TEXT_BYTES) -> bytes:
    """The rest of an open file or pipe.

    Raises:
        ValueError: it is too large.
    """
    data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it is larger than the limit of {most} bytes")
    return data


def read_text(path: Path) -> str:
    """The content of a regular file in UTF-8, a byte order mark left out.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not a regular file, too large, or not in UTF-8.
    """
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not in UTF-8 (byte {error.start})") from None


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is too large, not JSON, nested too deeply, or names a key twice.
    """
    return parse_json(read_text(path))


def parse_json(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is not JSON, is nested too deeply, or names a key twice.
    """
    try:
        value = json.loads(text, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError(f"it is nested more than {DEEPEST} deep") from None
    except ValueError as error:
        raise ValueError(shortened(str(error))) from None
    check_depth(value)
    return value


def check_depth(value: Any) -> None:
    """Refuse lists and tables that are nested too deeply.

    Raises:
        ValueError: there are too many.
    """
    level = [value]
    for _ in range(DEEPEST):
        parents = (item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list))
        level = [child for children in parents for child in children]
        if not level:
            return
    raise ValueError(f"it is nested more than {DEEPEST} deep")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"it has the key {quoted(key)} twice")
        found[key] = value
    return found
