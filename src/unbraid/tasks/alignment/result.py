"""Alignments: the lines and words of a text, with their times in a recording."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from unbraid.files.texts import save_text
from unbraid.tasks.alignment.formats import check_alignment_format, written
from unbraid.tasks.alignment.lines import AlignedLine
from unbraid.tasks.transcription.result import words_table
from unbraid.tasks.transcription.transcript import Word

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Alignment:
    """A text with its times in a recording."""

    lines: tuple[AlignedLine, ...]  # of the text, also those that were not found
    model: str
    seconds: float = 0.0  # of the recording
    not_in_text: tuple[tuple[float, float], ...] = ()  # where something is said that the text does not have
    notice: str | None = None  # anything unusual about how it was made
    notices: tuple[str, ...] = ()  # warnings about the file, as `Reader.notices`

    @property
    def words(self) -> tuple[Word, ...]:
        """The words of all lines that were found."""
        return tuple(word for line in self.lines for word in line.words)

    @property
    def not_found(self) -> tuple[AlignedLine, ...]:
        """The lines that nobody says."""
        return tuple(line for line in self.lines if not line.found)

    def to_lrc(self, *, words: bool = False) -> str:
        """Lyrics with times; also of each of the `words`, in the A2 extension."""
        return self._as("lrc", words=words)

    def to_srt(self) -> str:
        """Subtitles in SubRip's format."""
        return self._as("srt")

    def to_vtt(self, *, words: bool = False) -> str:
        """Subtitles in WebVTT; also with the times of the `words`, for karaoke."""
        return self._as("vtt", words=words)

    def to_ass(self) -> str:
        """Subtitles in Advanced SubStation Alpha, whose words light up as they are sung."""
        return self._as("ass")

    def to_textgrid(self) -> str:
        """A TextGrid for Praat."""
        return self._as("textgrid")

    def to_json(self) -> str:
        """JSON with all lines, words, times and confidences."""
        return self._as("json")

    def to_pandas(self) -> "DataFrame":
        """A table of words: text, start and end in seconds, confidence, voice.

        Raises:
            RuntimeUnavailable: pandas is not installed.
        """
        return words_table(self.words)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False, words: bool = False) -> None:
        """Write it in the format that the file's extension names: lrc, srt, vtt, ass, json or TextGrid.

        Raises:
            UsageError: there is no such format, or the file exists and `overwrite` is not set.
            AudioError: the disk refuses.
        """
        place = Path(path)
        form = check_alignment_format(place.suffix)
        save_text(place, self._as(form, words=words), overwrite=overwrite)

    def _as(self, form: str, *, words: bool = False) -> str:
        return written(self.lines, form, about=(self.model, self.seconds, self.not_in_text), words=words)
