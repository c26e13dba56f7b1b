"""What an evaluation hands over: while it runs how far it is, and at the end all that is said of it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unbraid.evaluation.run import Failure

REPORT, SUMMARY = "report.html", "summary.json"


@dataclass(frozen=True)
class Told:
    """All that is said of an evaluation."""

    values: dict[str, Any]  # as JSON
    lines: Sequence[str]  # for a terminal
    files: Mapping[str, str]  # their names and texts


@dataclass(frozen=True)
class Running:
    """An evaluation under way."""

    device: str
    count: int  # how many there are to score
    outcomes: Iterator[Failure | None]  # one after the other being scored, or failing


def report_files(values: dict[str, Any], table_name: str, table: str, report: str) -> dict[str, str]:
    """The files of an evaluation."""
    return {SUMMARY: json.dumps(values, indent=2) + "\n", table_name: table, REPORT: report}
