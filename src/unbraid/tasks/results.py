"""A run of a model: its results as they come, and diagnostics, which are complete once the last one has come."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Generic, Self, TypeVar

from unbraid.audio import Excerpt, Reader, Source
from unbraid.tasks.conversation.conversation import Conversation
from unbraid.tasks.separation.stream import Track

Result = TypeVar("Result")


@dataclass
class Diagnostics:
    """Facts about a run besides its results."""

    model: str  # that made them
    notice: str | None = None  # anything unusual about how they were made
    notices: tuple[str, ...] = ()  # warnings about the file, as `Reader.notices`
    voices_found: int | None = None  # by counting; None for a model that always gives as many, and with raw
    conversation: Conversation | None = None  # who speaks when, of a model that counts voices; from the first result on
    agreement_db: list[float] = field(default_factory=list)  # of neighbouring windows: SNR of one against the other

    def note(self, text: str) -> None:
        """Add to the notice."""
        self.notice = f"{self.notice}; {text}" if self.notice else text


class Run(Iterator[Result], Generic[Result]):
    """An iterator over the results of a run; see `diagnostics` after the last one."""

    def __init__(self, results: Generator[Result, None, None], diagnostics: Diagnostics):
        self._results, self.diagnostics = results, diagnostics

    @classmethod
    def over_file(
        cls, source: Source, excerpt: Excerpt, results: Callable[[Track], Iterator[Result]], diagnostics: Diagnostics
    ) -> Self:
        """A run over an excerpt of a file, which is open as long as results come."""

        def read() -> Generator[Result, None, None]:
            with Reader(source, excerpt) as reader:
                try:
                    yield from results(Track.through(reader))
                finally:
                    diagnostics.notices = reader.notices

        return cls(read(), diagnostics)

    def __next__(self) -> Result:
        return next(self._results)

    def close(self) -> None:
        """Stop before the end, and let go of the file."""
        self._results.close()
