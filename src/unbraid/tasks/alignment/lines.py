"""Lines of a text with their times."""

import dataclasses
from dataclasses import dataclass
from statistics import fmean
from typing import Self

from unbraid.tasks.transcription.transcript import Word


@dataclass(frozen=True)
class AlignedLine:
    """A line of a text: its words with their times, or none if it was not found in the recording."""

    text: str
    words: tuple[Word, ...]
    number: int  # of the line in the text, from 1
    verse: int = 1
    voice: str | None = None  # who says it, where the text tells

    def after(self, seconds: float) -> Self:
        """The same line in a recording that begins so much earlier."""
        return dataclasses.replace(self, words=tuple(word.after(seconds) for word in self.words))

    @property
    def found(self) -> bool:
        """Whether it is said in the recording."""
        return bool(self.words)

    @property
    def start(self) -> float | None:
        """In seconds; None if it was not found."""
        return self.words[0].start if self.words else None

    @property
    def end(self) -> float | None:
        """In seconds; None if it was not found."""
        return self.words[-1].end if self.words else None

    @property
    def confidence(self) -> float:
        """0 … 1: the mean of its words', 0 if it was not found."""
        return fmean(word.confidence for word in self.words) if self.words else 0.0
