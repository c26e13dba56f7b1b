"""What the tables of a recipe have in common: numbers in the ranges that their fields declare (see files/ranges.py)."""

import math
from dataclasses import dataclass
from typing import Annotated

from unbraid.files.ranges import Range, check_ranges

Positive = Annotated[int, Range(1, math.inf)]
Whole = Annotated[int, Range(0, math.inf)]
NonNegative = Annotated[float, Range(0, math.inf)]
Share = Annotated[float, Range(0, 1)]


@dataclass(frozen=True)
class Table:
    """A table of a recipe.

    Raises:
        ValueError: a number outside its range.
    """

    def __post_init__(self) -> None:
        check_ranges(self)
