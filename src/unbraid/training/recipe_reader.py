"""Strict reading of a TOML file into frozen dataclasses: an unknown key is an error.

A recipe holds values, never code: each table fills one dataclass, and an unknown key is refused with the
nearest valid name. `key=value` words from the command line change the tables before they are read.
"""

import dataclasses
import difflib
import math
import tomllib
import types
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from unbraid.errors import UsageError, quoted
from unbraid.files.bounded import read_bytes, readable

T = TypeVar("T")
_WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def read_tables(path: Path, overrides: Iterable[str] = ()) -> dict[str, Any]:
    """The tables of a TOML file, `section.key=value` words applied.

    Raises:
        UsageError: a file that is not there or not TOML, or a word that is no override.
    """
    with readable(f"The recipe {path}", UsageError, "is not TOML"):
        tables = _parse(read_bytes(path).decode("utf-8"))
    for word in overrides:
        _override(tables, word)
    return tables


def fill(kind: type[T], table: object, name: str) -> T:
    """A dataclass from a table; `name` is its name in errors.

    Raises:
        UsageError: a key that is unknown or missing, or a value that does not fit.
    """
    if not isinstance(table, dict):
        raise UsageError(f"{name} must be a table of values, got {quoted(table)}.")
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(kind)
    for key in table:
        check_name(key, fields, name)
    required = (f for f in fields.values() if f.default is f.default_factory is dataclasses.MISSING)
    if missing := [field.name for field in required if field.name not in table]:
        raise UsageError(f"{name} lacks {', '.join(missing)}; write {missing[0]} = … there.")
    values = {key: _fit(hints[key], value, f"{name} {key}") for key, value in table.items()}
    try:
        return kind(**values)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None


def choose(kinds: dict[str, type[T]], table: object, key: str, name: str) -> T:
    """A dataclass that the table itself chooses: its `key` is one of `kinds`, the other keys are the fields.

    Raises:
        UsageError: `key` is missing, or its value unknown.
    """
    if not isinstance(table, dict) or key not in table:
        raise UsageError(f"{name} lacks {key}; it is one of {', '.join(kinds)}.")
    if table[key] not in kinds:
        raise UsageError(f"{name} {key} must be one of {', '.join(kinds)}, got {quoted(table[key])}.")
    return fill(kinds[table[key]], {k: v for k, v in table.items() if k != key}, name)


def check_name(key: str, known: Iterable[str], name: str) -> None:
    """Refuse a key that is not known, naming the nearest one that is."""
    if key in (names := list(known)):
        return
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"it knows {', '.join(names)}."
    raise UsageError(f"{name} does not know {quoted(key)}; {hint}")


def _parse(text: str) -> dict[str, Any]:
    """The tables of a TOML text; ValueError where it is none."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None


def _override(tables: dict[str, Any], word: str) -> None:
    dotted, equals, text = word.partition("=")
    *sections, key = dotted.split(".")
    if not equals or not all((*sections, key)):
        raise UsageError(f"{word!r} changes nothing; write section.key=value, such as optimizer.rate=3e-4.")
    try:
        value = _parse(f"value = {text}")["value"]
    except ValueError:
        value = text  # a path, a name
    table = tables
    for section in sections:
        table = table.setdefault(section, {})
        if not isinstance(table, dict):
            raise UsageError(f"{word!r}: {section} is a value, not a table of values.")
    table[key] = value


def _fit(hint: Any, value: Any, name: str) -> Any:
    """The value as the annotated type has it."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        (hint,) = (argument for argument in arguments if argument is not types.NoneType)  # TOML has no null
        return _fit(hint, value, name)
    if origin is typing.Literal:
        if str(value) not in arguments:
            raise UsageError(f"{name} must be one of {', '.join(arguments)}, got {quoted(value)}.")
        return str(value)
    if origin is tuple:
        many = arguments[1:] == (...,)
        if many and arguments[0] is str and isinstance(value, str):
            value = [value]  # from the command line, a list of one
        if not isinstance(value, list | tuple) or not (many or len(value) == len(arguments)):
            raise UsageError(f"{name} must be a list{'' if many else f' of {len(arguments)}'}, got {quoted(value)}.")
        kinds = arguments[:1] * len(value) if many else arguments
        return tuple(_fit(kind, item, name) for kind, item in zip(kinds, value, strict=True))
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is float and hint is float and not math.isfinite(value):
        raise UsageError(f"{name} must be a finite number, got {value}.")
    if type(value) is not hint:
        raise UsageError(f"{name} must be {_WORDS[hint]}, got {quoted(value)}.")
    return value
