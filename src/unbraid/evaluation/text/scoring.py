"""Text against right answers: edits, and the error rates made of them.

Edits are insertions, deletions and substitutions of symbols (Levenshtein, 1966). A text is compared to the right answer
that it is closest to; the symbol error rate is all edits over the symbols of those answers, and a text is wrong when it
is none of its answers.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

WORST = 50  # results that a page shows


@dataclass(frozen=True)
class Distance:
    """How far a text is from the closest answer."""

    edits: int
    symbols: int  # of that answer


def edit_distance(one: Sequence[Hashable], two: Sequence[Hashable]) -> int:
    """The fewest insertions, deletions and substitutions that make one sequence of the other."""
    row = list(range(len(two) + 1))  # from nothing to the first j of `two`
    for i, symbol in enumerate(one, 1):
        corner, row[0] = row[0], i
        for j, other in enumerate(two, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (symbol != other))
    return row[-1]


def closest(text: Sequence[Hashable], answers: Iterable[Sequence[Hashable]]) -> Distance:
    """The distance to the closest of one or more answers; to the first of equally close ones."""
    distances = (Distance(edit_distance(text, answer), len(answer)) for answer in answers)
    return min(distances, key=lambda distance: distance.edits)


def symbol_error_rate(distances: Iterable[Distance]) -> float:
    """Edits over symbols, 0 to 1 and above; 0 where there are no symbols."""
    each = list(distances)
    return sum(d.edits for d in each) / max(1, sum(d.symbols for d in each))


def text_error_rate(distances: Iterable[Distance]) -> float:
    """The share of texts that are not one of their answers."""
    each = list(distances)
    return sum(d.edits > 0 for d in each) / max(1, len(each))


class Answered(Protocol):
    """A text with its distance to the right answer."""

    @property
    def distance(self) -> Distance:
        """To the closest answer."""
        ...


AnyAnswered = TypeVar("AnyAnswered", bound=Answered)


def most_edits(results: Sequence[AnyAnswered]) -> list[AnyAnswered]:
    """The few wrong texts with most edits, the worst first."""
    wrong = [result for result in results if result.distance.edits]
    return sorted(wrong, key=lambda result: -result.distance.edits)[:WORST]
