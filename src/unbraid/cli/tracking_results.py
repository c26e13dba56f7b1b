"""The outcome of `unbraid melody` and `unbraid notes` for one input."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unbraid.cli.report import Result


@dataclass(frozen=True)
class TrackingResult(Result):
    """The outcome of tracking a melody or notes in one input."""

    model: str | None = None
    stem: str | None = None
    separator: str | None = None
    output: Path | None = None  # None: printed, or in the JSON
    found: str = ""  # in words: 212 notes
    reason: str | None = None  # why there is nothing
    content: dict[str, Any] | None = None  # the frames or notes, where they are in the JSON

    def as_json(self) -> dict[str, Any]:
        """The object of this input in --json."""
        values = {key: value for key, value in vars(self).items() if key not in ("content", "found")}
        return values | (self.content or {})

    def lines(self) -> list[str]:
        """The lines about this input in the summary."""
        return [self.speed(f"{shlex.quote(str(self.output))}: {self.found}")] if self.output else []

    def remarks(self) -> list[str]:
        """Remarks on this input that are no warnings."""
        return [f"{self.input}: nothing was found, as {self.reason}"] if self.reason else []
