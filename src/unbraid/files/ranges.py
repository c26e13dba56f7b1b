"""Ranges of numbers, declared where the fields of a dataclass are: `layers: Annotated[int, Range(1, 1000)] = 8`.

Sizes come from files; without ranges, memory and time would have no limit.
"""

import dataclasses
import math
import typing
from dataclasses import dataclass
from typing import Annotated, Any

from unbraid.errors import quoted

MOST_ENTRIES = 128  # of a tuple of sizes


@dataclass(frozen=True)
class Range:
    """The numbers that a field, or each entry of a tuple, may have; infinity is never one."""

    least: float
    most: float
    above: bool = False  # the least number itself is none of them
    below: bool = False  # nor is the most


Count = Annotated[int, Range(1, 64)]  # stems, channels, levels
Layers = Annotated[int, Range(1, 1000)]
Size = Annotated[int, Range(1, 65_536)]  # features, filters, kernels, frames, bins


def check_ranges(values: Any) -> None:
    """Compare each number of a dataclass with the range that its field declares; a pair is a low end and a high end.

    Raises:
        ValueError: one lies outside, or is not a number, or a pair is the wrong way round.
    """
    for name, bounds, is_whole, is_span in _ranges(type(values)):
        value = getattr(values, name)
        if isinstance(value, tuple) and len(value) > MOST_ENTRIES:
            raise ValueError(f"{name} must have at most {MOST_ENTRIES} entries, got {len(value)}.")
        for number in (value or (0,)) if isinstance(value, tuple) else (value,):
            check_range(name, number, bounds, is_whole)
        if is_span and value[0] > value[1]:
            raise ValueError(f"{name} must be a low end and a high end, got {value[0]}, {value[1]}.")


def check_range(name: str, number: Any, bounds: Range, is_whole: bool = True) -> None:
    """Compare one number with its range.

    Raises:
        ValueError: it lies outside, or is not a number.
    """
    if not isinstance(number, int if is_whole else int | float) or isinstance(number, bool):
        raise ValueError(f"{name} must be a {'whole ' * is_whole}number, got {quoted(number)}.")
    if not abs(number) < math.inf:
        raise ValueError(f"{name} must be a finite number, got {quoted(number)}.")
    if number < bounds.least or (bounds.above and number == bounds.least):
        raise ValueError(
            f"{name} must be {'above' if bounds.above else 'at least'} {_plain(bounds.least)}, got {quoted(number)}."
        )
    if number > bounds.most or (bounds.below and number == bounds.most):
        raise ValueError(
            f"{name} must be {'below' if bounds.below else 'at most'} {_plain(bounds.most)}, got {quoted(number)}."
        )


def _plain(limit: float) -> float:
    """A limit as it is told. `typing` keeps one of two equal ranges, so that 1 might be told as 1.0, or 1.0 as 1."""
    return int(limit) if limit == int(limit) else limit


def _ranges(kind: Any) -> tuple[tuple[str, Range, bool, bool], ...]:
    """Name, range, whether it holds whole numbers and whether it is a pair, for each field that declares a range."""
    hints = typing.get_type_hints(kind, include_extras=True)
    found = []
    for field in dataclasses.fields(kind):
        hint, is_span = hints[field.name], False
        if typing.get_origin(hint) is tuple:
            hint, *others = typing.get_args(hint)
            is_span = others == [hint]
        if typing.get_origin(hint) is Annotated:
            plain, *notes = typing.get_args(hint)
            found += [(field.name, note, plain is int, is_span) for note in notes if isinstance(note, Range)]
    return tuple(found)
