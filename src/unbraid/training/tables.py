"""What the tables of a recipe have in common: numbers in the ranges that their fields declare (see files/ranges.py)."""

import math
from dataclasses import dataclass
from typing import Annotated

from unbraid.files.ranges import Range, check_ranges

Positive = Annotated[int, Range(1, math.inf)]
Whole = Annotated[int, Range(0, math.inf)]
NonNegative = Annotated[float, Range(0, math.inf)]
Above = Annotated[float, Range(0, math.inf, above=True)]
Share = Annotated[float, Range(0, 1)]
PartialShare = Annotated[float, Range(0, 1, below=True)]
Number = Annotated[float, Range(-math.inf, math.inf)]
Speed = Annotated[float, Range(0.5, 2)]  # of sounds, which become unrecognisable beyond it
Span = tuple[Number, Number]  # the ends of a uniform distribution
SpeedSpan = tuple[Speed, Speed]


@dataclass(frozen=True)
class Table:
    """A table of a recipe.

    Raises:
        ValueError: a number outside its range.
    """

    def __post_init__(self) -> None:
        check_ranges(self)
