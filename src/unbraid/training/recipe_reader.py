"""Strict reading of a TOML file into frozen dataclasses: an unknown key is an error.

A recipe holds values, never code: each table fills one dataclass, and an unknown key is refused with the
nearest valid name. `key=value` words from the command line change the tables before they are read.
"""

import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from unbraid.errors import UsageError, quoted
from unbraid.files.bounded import read_bytes, readable
from unbraid.files.strict import build
from unbraid.hub.recipes import parse_toml

T = TypeVar("T")


def read_tables(path: Path, overrides: Iterable[str] = ()) -> dict[str, Any]:
    """The tables of a TOML file, `section.key=value` words applied.

    Raises:
        UsageError: a file that is not there or not TOML, or a word that is no override.
    """
    with readable(f"The recipe {path}", UsageError, "is not TOML"):
        tables = parse_toml(read_bytes(path).decode("utf-8"))
    for word in overrides:
        _override(tables, word)
    return tables


def fill(kind: type[T], table: object, name: str) -> T:
    """A dataclass from a table; `name` is its name in errors.

    Raises:
        UsageError: a key that is unknown or missing, or a value that does not fit.
    """
    if isinstance(table, dict):
        hints = typing.get_type_hints(kind)
        table = {key: _as_meant(hints.get(key), value) for key, value in table.items()}
    try:
        filled: T = build(kind, table, name)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return filled


def choose(kinds: dict[str, type[T]], table: object, key: str, name: str) -> T:
    """A dataclass that the table itself chooses: its `key` is one of `kinds`, the other keys are the fields.

    Raises:
        UsageError: `key` is missing, or its value unknown.
    """
    if not isinstance(table, dict) or key not in table:
        raise UsageError(f"{name} lacks {key}; it is one of {', '.join(kinds)}.")
    if table[key] not in kinds:
        raise UsageError(f"{name}: {key} must be one of {', '.join(kinds)}, got {quoted(table[key])}.")
    return fill(kinds[table[key]], {k: v for k, v in table.items() if k != key}, name)


def _as_meant(hint: Any, value: Any) -> Any:
    """A value as it was meant on the command line: 32 as a name, a text as a list of one."""
    if typing.get_origin(hint) is typing.Literal and str(value) in typing.get_args(hint):
        return str(value)
    return [value] if hint == tuple[str, ...] and isinstance(value, str) else value


def _override(tables: dict[str, Any], word: str) -> None:
    dotted, equals, text = word.partition("=")
    *sections, key = dotted.split(".")
    if not equals or not all((*sections, key)):
        raise UsageError(f"{word!r} changes nothing; write section.key=value, such as optimizer.rate=3e-4.")
    try:
        value = parse_toml(f"value = {text}")["value"]
    except ValueError:
        value = text  # a path, a name
    table = tables
    for section in sections:
        table = table.setdefault(section, {})
        if not isinstance(table, dict):
            raise UsageError(f"{word!r}: {section} is a value, not a table of values.")
    table[key] = value
