"""Transcripts: all words of a recording, as text, subtitles, JSON or a table."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Self

from unbraid.files.frames import frame
from unbraid.files.texts import save_text
from unbraid.tasks.results import Diagnostics
from unbraid.tasks.transcription.subtitles import check_text_format, lines_of, written
from unbraid.tasks.transcription.transcript import Word, spoken

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS = ("text", "start", "end", "confidence", "voice")  # of a table of words


@dataclass(frozen=True)
class Transcript:
    """All words of a recording."""

    words: tuple[Word, ...]
    model: str
    notice: str | None = None  # anything unusual about how it was made
    notices: tuple[str, ...] = ()  # warnings about the file, as `Reader.notices`

    @classmethod
    def of(cls, words: Iterable[Word], diagnostics: Diagnostics) -> Self:
        """Take all words of a run, and then its diagnostics."""
        return cls(tuple(words), diagnostics.model, diagnostics.notice, diagnostics.notices)

    @property
    def text(self) -> str:
        """The words, blanks between them; of separate channels, a line for each turn: "channel 1: 3 1 4"."""
        turns = ((voice, spoken(turn)) for voice, turn in groupby(self.words, attrgetter("voice")))
        return "\n".join(f"{voice}: {said}" if voice else said for voice, said in turns)

    @property
    def voices(self) -> dict[str, tuple[Word, ...]]:
        """The words of each voice, where channels are transcribed apart."""
        names = sorted({word.voice for word in self.words if word.voice}, key=lambda name: (len(name), name))
        return {name: tuple(word for word in self.words if word.voice == name) for name in names}

    def to_srt(self) -> str:
        """Subtitles in SubRip's format."""
        return self._as("srt")

    def to_vtt(self) -> str:
        """Subtitles in WebVTT."""
        return self._as("vtt")

    def to_json(self) -> str:
        """JSON with lines, words and their times."""
        return self._as("json")

    def to_pandas(self) -> "DataFrame":
        """A table of words: text, start and end in seconds, confidence, voice.

        Raises:
            RuntimeUnavailable: pandas is not installed.
        """
        return words_table(self.words)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the transcript in the format that the file's extension names: txt, srt, vtt or json.

        Raises:
            UsageError: there is no such format, or the file exists and `overwrite` is not set.
            AudioError: the disk refuses.
        """
        place = Path(path)
        form = check_text_format(place.suffix)
        save_text(place, self._as(form), overwrite=overwrite)

    def _as(self, form: str) -> str:
        return "".join(written(lines_of(self.words), form, self.model))


def words_table(words: Iterable[Word]) -> "DataFrame":
    """A table of words: text, start and end in seconds, confidence, voice.

    Raises:
        RuntimeUnavailable: pandas is not installed.
    """
    return frame({name: getattr(word, name) for name in COLUMNS} for word in words)
