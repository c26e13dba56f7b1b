"""The lyrics of a song: the lines of a text that is given, or of what a recogniser heard, with their times."""

from dataclasses import dataclass

from unbraid.tasks.alignment.formats import written
from unbraid.tasks.alignment.lines import AlignedLine

NO_LYRICS = "no recogniser is named; name one with --lyrics-model (lyrics_model=), or give the text with --lyrics"


@dataclass(frozen=True)
class Lyrics:
    """The lines of a song's text with their times."""

    lines: tuple[AlignedLine, ...] = ()  # of a given text also those that were not found
    model: str | None = None
    given: bool = False  # the text, or else it was transcribed
    stem: str | None = None
    separator: str | None = None
    seconds: float = 0.0
    reason: str | None = None  # why there are none
    notice: str | None = None  # anything unusual about how they were made

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def text(self) -> str:
        """The lines."""
        return "\n".join(line.text for line in self.lines)

    def to_lrc(self, *, words: bool = False) -> str:
        """Lyrics with times; also of each of the `words`, in the A2 extension."""
        return written(self.lines, "lrc", words=words)
