"""TextGrids of Praat: intervals on tiers, such as who says what when.

The format is the long text format of the manual of Praat, "TextGrid file formats". On a tier, intervals follow each
other from the beginning to the end.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from unbraid.files.printable import printable


class Interval(NamedTuple):
    """A part of a tier, in seconds; its text is empty where there is nothing."""

    start: float
    end: float
    text: str


def textgrid(tiers: Mapping[str, Iterable[Interval]], seconds: float) -> str:
    """The text of a TextGrid of so many seconds, of tiers whose intervals are in order of time and do not overlap."""
    filled = {name: _filled(intervals, seconds) for name, intervals in tiers.items()}
    return "\n".join(_lines(filled, seconds)) + "\n"


def in_turn(intervals: Iterable[Interval]) -> list[Interval]:
    """Intervals in order of time, each cut where the one before ends; a tier cannot hold two at once."""
    found, reached = list[Interval](), 0.0
    for interval in sorted(intervals):
        if (start := max(reached, interval.start)) < interval.end:
            found.append(interval._replace(start=start))
            reached = interval.end
    return found


def _filled(intervals: Iterable[Interval], seconds: float) -> list[Interval]:
    """Intervals that do not overlap, with empty ones between, from 0 to the end."""
    found, reached = list[Interval](), 0.0
    for start, end, text in intervals:
        start, end = max(round(start, 6), 0.0), min(round(end, 6), seconds)
        if start > reached:
            found.append(Interval(reached, start, ""))
        if end > start:
            found.append(Interval(start, end, text))
            reached = end
    if reached < seconds or not found:
        found.append(Interval(reached, seconds, ""))
    return found


def _lines(tiers: Mapping[str, Sequence[Interval]], seconds: float) -> Iterator[str]:
    """The lines of a TextGrid in the long format."""
    yield from ('File type = "ooTextFile"', 'Object class = "TextGrid"', "")
    yield from ("xmin = 0 ", f"xmax = {_number(seconds)} ", "tiers? <exists> ", f"size = {len(tiers)} ", "item []: ")
    for number, (name, intervals) in enumerate(tiers.items(), 1):
        yield f"    item [{number}]:"
        yield '        class = "IntervalTier" '
        yield f"        name = {_text(name)} "
        yield "        xmin = 0 "
        yield f"        xmax = {_number(seconds)} "
        yield f"        intervals: size = {len(intervals)} "
        for place, interval in enumerate(intervals, 1):
            yield f"        intervals [{place}]:"
            yield f"            xmin = {_number(interval.start)} "
            yield f"            xmax = {_number(interval.end)} "
            yield f"            text = {_text(interval.text)} "


def _number(seconds: float) -> str:
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


def _text(text: str) -> str:
    """A text in quotes; quotes in it are doubled."""
    return '"' + printable(text).replace('"', '""') + '"'
