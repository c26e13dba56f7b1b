"""A run of a model: its results as they come, and diagnostics, which are complete once the last one has come."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Result = TypeVar("Result")


@dataclass
class Diagnostics:
    """Facts about a run besides its results."""

    model: str  # that made them
    notice: str | None = None  # anything unusual about how they were made
    notices: tuple[str, ...] = ()  # warnings about the file, as `Reader.notices`
    agreement_db: list[float] = field(default_factory=list)  # of neighbouring windows: SNR of one against the other

    def note(self, text: str) -> None:
        """Add to the notice."""
        self.notice = f"{self.notice}; {text}" if self.notice else text


class Run(Iterator[Result], Generic[Result]):
    """An iterator over the results of a run; see `diagnostics` after the last one."""

    def __init__(self, results: Generator[Result, None, None], diagnostics: Diagnostics):
        self._results, self.diagnostics = results, diagnostics

    def __next__(self) -> Result:
        return next(self._results)

    def close(self) -> None:
        """Stop before the end, and let go of the file."""
        self._results.close()
