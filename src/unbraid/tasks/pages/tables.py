"""A table for people and for machines: aligned on a terminal, HTML on a page, CSV in a file."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

DASH = "–"


class Column(NamedTuple):
    """A column by its names; without a name it is left out there."""

    key: str  # on a terminal and in CSV
    head: str  # on a page


class Cell(NamedTuple):
    """A value as people read it, and as CSV files and sorting take it."""

    shown: str
    exact: str


def text(value: object) -> Cell:
    """A cell that is the same everywhere."""
    return Cell(str(value), str(value))


def cell(value: float | None, digits: int, *, sign: bool = False, exact: int = 4) -> Cell:
    """A number with DIGITS decimals for people and EXACT in CSV; without a number, a dash and an empty cell."""
    known = value is not None and math.isfinite(value)
    return Cell(number(value, digits, sign), f"{value:.{exact}f}" if known else "")


def number(value: float | None, digits: int, sign: bool = False) -> str:
    """A number for people, a dash where there is none."""
    if value is None or not math.isfinite(value):
        return DASH
    rounded = round(value, digits) + 0.0  # no minus before a zero
    return f"{rounded:{'+' if sign and rounded else ''}.{digits}f}"


def percent(rate: float) -> str:
    """An error rate for people."""
    return f"{100 * rate:.2f} %"


@dataclass(frozen=True)
class Table:
    """Columns, and rows with a cell for each."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]

    def lines(self) -> list[str]:
        """Lines for a terminal, the first column on the left."""
        used = [i for i, column in enumerate(self.columns) if column.key]
        rows = [[self.columns[i].key for i in used], *([row[i].shown for i in used] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return ["  ".join(_justified(row, widths)) for row in rows]

    def csv(self) -> str:
        """The text of a CSV file."""
        used, out = [i for i, column in enumerate(self.columns) if column.key], io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([self.columns[i].key for i in used])
        writer.writerows([row[i].exact for i in used] for row in self.rows)
        return out.getvalue()

    def html(self, kind: str = "") -> str:
        """A table element of a class; those of the class sortable are sorted by a click on a heading.

        The rows of others become cards on a narrow screen, for which each cell holds its heading.
        """
        used = [i for i, column in enumerate(self.columns) if column.head]
        heads = [None if "sortable" in kind.split() else column.head for column in self.columns]
        head = "".join(f'<th scope="col">{escape(self.columns[i].head)}</th>' for i in used)
        body = "\n".join(f"<tr>{''.join(_td(row[i], heads[i]) for i in used)}</tr>" for row in self.rows)
        return (
            f'<div class="scroll"><table class="{kind}"><thead><tr>{head}</tr></thead>\n'
            f"<tbody>\n{body}\n</tbody></table></div>"
        )


def _td(cell: Cell, head: str | None) -> str:
    labelled = "" if head is None else f' data-head="{escape(head)}"'
    return f'<td data-value="{escape(cell.exact)}"{labelled}>{escape(cell.shown)}</td>'


def _justified(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Words padded to widths, the first on the left, the others on the right."""
    first, *others = zip(row, widths, strict=True)
    return [first[0].ljust(first[1]), *(word.rjust(width) for word, width in others)]
