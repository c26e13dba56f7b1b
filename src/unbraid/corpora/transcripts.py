"""Transcribed speech: a folder with a manifest.csv whose rows have a path, a speaker and a text.

Speakers are selected by name, or by the name of a folder that contains them: "fsdd" selects fsdd/george and fsdd/theo,
"fsdd/george" george alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unbraid.corpora.manifest import NAME, read_rows
from unbraid.corpora.mixtures import Clip
from unbraid.corpora.pairs import SourceTarget
from unbraid.errors import UsageError, shortened
from unbraid.files.normalization import normalized

_COLUMNS = ("path", "speaker", "split")
TEXT = "text"  # may be empty in rows, and must be there as a column
_NAMES = ", ".join((*_COLUMNS, TEXT))


@dataclass(frozen=True)
class Utterance:
    """A recording of a text."""

    clip: Clip
    speaker: str
    text: str  # its words with one blank between them, normalised
    name: str  # its path in the folder

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the text."""
        return tuple(self.text.split())


def find_utterances(
    folder: Path, split: str = "", *, speakers: Sequence[str] = (), without: Sequence[str] = ()
) -> list[Utterance]:
    """The recordings with a text of a split ("": of all), in the order of the manifest.

    Of these speakers only, where any are named, and of none that is named in `without`.

    Raises:
        UsageError: there is no manifest, it lacks something, no speaker has such a name, or nothing is left.
    """
    path = folder / NAME
    if not path.is_file():
        raise UsageError(f"{folder} has no {NAME}, which says what is spoken; its columns are {_NAMES}.")
    rows = read_rows(path, _COLUMNS)
    if not all(TEXT in row for row in rows):
        raise UsageError(f"{path} lacks the column {TEXT}; it needs {_NAMES}.")
    for name in (*speakers, *without):
        if not any(_is_of(row, name) for row in rows):
            raise UsageError(f"{path} has no speaker and no folder {name!r}.")
    found = [
        Utterance(Clip(folder / row["path"]), row["speaker"], " ".join(normalized(row[TEXT]).split()), row["path"])
        for row in rows
        if normalized(row[TEXT] or "").strip()
        and split in ("", row["split"])
        and (not speakers or any(_is_of(row, name) for name in speakers))
        and not any(_is_of(row, name) for name in without)
    ]
    if not found:
        there = ", ".join(sorted({row["split"] for row in rows})) or "nothing"
        where = f" in the split {split!r}" if split else ""
        raise UsageError(
            f"{path} has no recording with a text of these speakers{where}; its splits are {shortened(there)}."
        )
    return found


def transcribed(pairs: Sequence[SourceTarget]) -> list[Utterance]:
    """One's own pairs of a recording (or a spectrogram) and its text, of one speaker each."""
    return [Utterance(Clip(p.source.path), p.source.written, p.target.text, p.source.written) for p in pairs]


def are_spelled(texts: Sequence[str]) -> bool:
    """Whether texts are read by characters, blanks included; else each word is a symbol, as of digits: "3 5 7"."""
    return any(len(word) > 1 for text in texts for word in text.split())


def symbols_of(text: str, spelled: bool) -> tuple[str, ...]:
    """A text as a vocabulary's symbols."""
    return tuple(text) if spelled else tuple(text.split())


def _is_of(row: dict[str, str], name: str) -> bool:
    inside = name.rstrip("/") + "/"
    return row["speaker"] == name or row["speaker"].startswith(inside) or row["path"].startswith(inside)
