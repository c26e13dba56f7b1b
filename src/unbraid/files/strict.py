"""Dataclasses from parsed JSON or TOML, read strictly: an error names the place of an invalid value.

No silent defaults and no conversions: an unknown key, a missing one, or a value of another type than the field's is an
error. Fields may be dataclasses, tuples, dicts, literals, plain types, or unions: with None, or of dataclasses with
different values of their field `kind`.
"""

import dataclasses
import difflib
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from unbraid.errors import MOST_QUOTED, quoted

MOST_ITEMS = 1 << 20  # of a list; a vocabulary of 65 536 symbols is a large one
LARGEST = 1e100
Choices = Mapping[str, Callable[[Any], Any]]  # name of a field: its type, by its value
_WORDS = {
    int: "a whole number",
    float: "a finite number",
    str: "a text",
    bool: "true or false",
    dict: "a set of named values",
}


def build(kind: Any, value: Any, where: str, choices: Choices = types.MappingProxyType({})) -> Any:
    """Turn a parsed value into `kind`: a dataclass, tuple, dict, literal or plain type; `where` is what errors name.

    Raises:
        ValueError: it does not fit.
    """
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, value, where, choices)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(value, list | dict) and len(value) > MOST_ITEMS:
        raise ValueError(f"{where} has {len(value)} items, more than the {MOST_ITEMS} allowed.")
    if origin is Literal and isinstance(value, str) and value in arguments:
        return value
    if origin is tuple and isinstance(value, list):
        kinds = arguments[:1] * len(value) if arguments[1:] == (...,) else arguments
        if len(kinds) == len(value):
            return tuple(build(kinds[i], item, f"{where}[{i}]", choices) for i, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {key: build(arguments[1], item, f"{where}.{_named(key)}", choices) for key, item in value.items()}
    if kind is float and type(value) in (int, float) and abs(value) <= LARGEST:
        return float(value)
    if kind in (int, str, bool, types.NoneType) and type(value) is kind:
        return value
    raise ValueError(f"{where} must be {_expected(kind)}, got {quoted(value)}.")


def unknown_name(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about a name that is not known: the nearest one that is, or all."""
    near = difflib.get_close_matches(name, names := list(known), n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"it knows {', '.join(names)}."
    return f"does not know {quoted(name)}; {hint}"


def _expected(kind: Any) -> str:
    """The type, in words."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return f"one of {', '.join(arguments)}"
    if origin is tuple:
        return "a list" if arguments[-1] is ... else f"a list of {len(arguments)}"
    return _WORDS[origin or kind]


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
        raise ValueError(f"{where}: kind must be one of {', '.join(named)}, got {quoted(wanted)}.")
    return named[wanted]


def _named(key: str) -> str:
    """A key as part of a place in the file."""
    return key if key.isprintable() and len(key) <= MOST_QUOTED else quoted(key)


def _build_dataclass(kind: Any, value: Any, where: str, choices: Choices) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be {_WORDS[dict]}, got {quoted(value)}.")
    fields = {f.name: f for f in dataclasses.fields(kind)}
    hints = typing.get_type_hints(kind)
    if unknown := [key for key in value if key not in fields]:
        raise ValueError(f"{where} {unknown_name(unknown[0], fields)}")
    required = (n for n, f in fields.items() if f.default is f.default_factory is dataclasses.MISSING)
    if missing := [name for name in required if name not in value]:
        raise ValueError(f"{where} lacks {', '.join(missing)}.")
    built = {}
    for name, item in value.items():
        hint = choices[name](item) if name in choices else _chosen(hints[name], item, f"{where}: {name}")
        built[name] = build(hint, item, f"{where}: {name}", choices)
    try:
        return kind(**built)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
