"""Dataclasses from parsed JSON, read strictly: an error names the place of an invalid value.

No silent defaults and no conversions: an unknown key, a missing one, or a value of another type than the field's is an
error. Fields may be dataclasses, tuples, dicts, literals, plain types, or unions: with None, or of dataclasses with
different values of their field `kind`.
"""

import dataclasses
import types
import typing
from collections.abc import Callable
from typing import Any, Literal

from unbraid.errors import MOST_QUOTED, SpecError, quoted

MOST_ITEMS = 1 << 20  # of a list; a vocabulary of 65 536 symbols is a large one
LARGEST = 1e100
Choices = dict[str, Callable[[Any], Any]]  # name of a field: its type, by its value


def build(kind: Any, value: Any, where: str, choices: Choices) -> Any:
    """Turn parsed JSON into `kind`: a dataclass, tuple, dict, literal or plain type; `where` is what errors name.

    Raises:
        SpecError: it does not fit.
    """
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, value, where, choices)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal and isinstance(value, str) and value in arguments:
        return value
    if isinstance(value, list | dict) and len(value) > MOST_ITEMS:
        raise SpecError(f"{where}: it has {len(value)} items, more than the {MOST_ITEMS} allowed.")
    if origin is tuple and isinstance(value, list):
        return tuple(build(arguments[0], item, f"{where}[{i}]", choices) for i, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {key: build(arguments[1], item, f"{where}.{_named(key)}", choices) for key, item in value.items()}
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        if not abs(value) <= LARGEST:
            raise SpecError(f"{where}: {quoted(value)} is not a finite number.")
        return float(value)
    if kind in (int, str, bool, types.NoneType) and type(value) is kind:
        return value
    expected = f"one of {arguments}" if origin is Literal else getattr(kind, "__name__", str(kind))
    raise SpecError(f"{where}: {quoted(value)} is not {expected}.")


def _chosen(hint: Any, item: Any, where: str) -> Any:
    """Which type of a union an item is of: None, the only other one, or the one whose `kind` it names."""
    if typing.get_origin(hint) is not types.UnionType:
        return hint
    if item is None and types.NoneType in typing.get_args(hint):
        return types.NoneType
    kinds = [kind for kind in typing.get_args(hint) if kind is not types.NoneType]
    if len(kinds) == 1 or not isinstance(item, dict):
        return kinds[0]
    named = {kind.kind: kind for kind in kinds}
    if (wanted := item.get("kind", kinds[0].kind)) not in tuple(named):
        raise SpecError(f"{where}: kind: {quoted(wanted)} is not one of {tuple(named)}.")
    return named[wanted]


def _named(key: str) -> str:
    """A key as part of a place in the file."""
    return key if key.isprintable() and len(key) <= MOST_QUOTED else quoted(key)


def _build_dataclass(kind: Any, value: Any, where: str, choices: Choices) -> Any:
    if not isinstance(value, dict):
        raise SpecError(f"{where}: expected an object with the fields of {kind.__name__}, found {quoted(value)}.")
    fields = {f.name: f for f in dataclasses.fields(kind)}
    hints = typing.get_type_hints(kind)
    if unknown := sorted(value.keys() - fields.keys()):
        raise SpecError(f"{where}: unknown key {quoted(unknown[0])}; allowed are {', '.join(fields)}.")
    required = {n for n, f in fields.items() if f.default is f.default_factory is dataclasses.MISSING}
    if missing := sorted(required - value.keys()):
        raise SpecError(f"{where}: key {missing[0]!r} is missing.")
    built = {}
    for name, item in value.items():
        hint = choices[name](item) if name in choices else _chosen(hints[name], item, f"{where}: {name}")
        built[name] = build(hint, item, f"{where}: {name}", choices)
    try:
        return kind(**built)
    except ValueError as error:
        raise SpecError(f"{where}: {error}") from None
