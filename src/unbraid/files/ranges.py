"""Ranges of numbers, declared where the fields of a dataclass are: `layers: Annotated[int, Range(1, 1000)] = 8`.

Sizes come from files; without ranges, memory and time would have no limit.
"""

import dataclasses
import typing
from dataclasses import dataclass
from typing import Annotated, Any

from unbraid.errors import quoted

MOST_ENTRIES = 64  # of a tuple of sizes


@dataclass(frozen=True)
class Range:
    """The numbers that a field, or each entry of a tuple, may have."""

    least: float
    most: float


Count = Annotated[int, Range(1, 64)]  # stems, channels, levels
Layers = Annotated[int, Range(1, 1000)]
Size = Annotated[int, Range(1, 65_536)]  # features, filters, kernels, frames, bins


def check_ranges(values: Any) -> None:
    """Compare each number of a dataclass with the range that its field declares.

    Raises:
        ValueError: one lies outside, or is not a number.
    """
    for name, bounds, is_whole in _ranges(type(values)):
        value = getattr(values, name)
        if isinstance(value, tuple) and len(value) > MOST_ENTRIES:
            raise ValueError(f"{name} must have at most {MOST_ENTRIES} entries, got {len(value)}.")
        for number in (value or (0,)) if isinstance(value, tuple) else (value,):
            check_range(name, number, bounds, is_whole)


def check_range(name: str, number: Any, bounds: Range, is_whole: bool = True) -> None:
    """Compare one number with its range.

    Raises:
        ValueError: it lies outside, or is not a number.
    """
    if not isinstance(number, int if is_whole else int | float) or isinstance(number, bool):
        raise ValueError(f"{name} must be a {'whole ' * is_whole}number, got {quoted(number)}.")
    if not number >= bounds.least:
        raise ValueError(f"{name} must be at least {bounds.least}, got {quoted(number)}.")
    if number > bounds.most:
        raise ValueError(f"{name} must be at most {bounds.most}, got {quoted(number)}.")


def _ranges(kind: Any) -> tuple[tuple[str, Range, bool], ...]:
    """Name, range and whether only whole numbers will do, for each field that declares a range."""
    hints = typing.get_type_hints(kind, include_extras=True)
    found = []
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        if typing.get_origin(hint) is tuple:
            hint = typing.get_args(hint)[0]
        if typing.get_origin(hint) is Annotated:
            plain, *notes = typing.get_args(hint)
            found += [(field.name, note, plain is int) for note in notes if isinstance(note, Range)]
    return tuple(found)
