"""Small files that others wrote (settings, tables, records), read within bounds.

A file of a few bytes can ask for gigabytes: by a length that it states, by brackets within brackets, or because it is
no file at all but a device or a pipe that never ends. So size, depth and number of values are bounded before anything
is done with them. What is wrong is raised as a ValueError whose text says it in a few words; the caller adds which
file, and what to do about it.
"""

import json
import os
import stat
from pathlib import Path
from typing import Any

from unbraid.errors import quoted, shortened

MOST_TEXT_BYTES = 4 << 20  # of a file of settings
MOST_TABLE_BYTES = 256 << 20  # of a user's own list: a manifest, a dictionary
DEEPEST = 64  # brackets within brackets; our own files have 6


def check_regular(path: Path) -> None:
    """Refuse what is no regular file (a folder, a pipe, a device), links followed.

    Raises:
        OSError: there is nothing, or the system refuses.
        ValueError: it is something else.
    """
    if not stat.S_ISREG(mode := os.stat(path).st_mode):
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(21, "Is a directory", str(path))
        raise ValueError("it is a pipe, a socket or a device, and no file")


def read_bytes(path: Path, most: int = MOST_TEXT_BYTES) -> bytes:
    """The content of a regular file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no regular file, or too large.
    """
    check_regular(path)
    with open(path, "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it has more than {most} bytes, which is the most that is read")
    return data


def read_text(path: Path, most: int = MOST_TEXT_BYTES) -> str:
    """The content of a regular file in UTF-8, a byte order mark left out.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no regular file, too large, or not in UTF-8.
    """
    try:
        return read_bytes(path, most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not in UTF-8 (byte {error.start})") from None


def read_json(path: Path, most: int = MOST_TEXT_BYTES) -> Any:
    """The value in a JSON file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is too large, not JSON, nested too deeply, or names a key twice.
    """
    return parse_json(read_text(path, most))


def parse_json(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is not JSON, is nested too deeply, or names a key twice.
    """
    try:
        value = json.loads(text, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError(f"its brackets are more than {DEEPEST} deep") from None
    except ValueError as error:
        raise ValueError(shortened(str(error))) from None
    check_depth(value)
    return value


def check_depth(value: Any) -> None:
    """Refuse lists and tables within one another beyond what is sensible.

    Raises:
        ValueError: there are too many.
    """
    level = [value]
    for _ in range(DEEPEST):
        level = [child for item in level if isinstance(item, dict | list) for child in _children(item)]
        if not level:
            return
    raise ValueError(f"its brackets are more than {DEEPEST} deep")


def _children(item: dict[Any, Any] | list[Any]) -> list[Any]:
    return list(item.values()) if isinstance(item, dict) else item


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"it has the key {quoted(key)} twice")
        found[key] = value
    return found
