"""One's own pairs of source and target: a CSV with the columns source, target and split.

    source,target,split
    kitten,kittens,train                   text and text
    calls/1.wav,three four,train           a recording, or a spectrogram in a .npy or .npz file, and its text
    noisy/2.wav,clean/2.wav,dev            two recordings

A cell is a text where the model reads or writes text, else the path of a file: from the folder of the CSV, or absolute.
The splits are train, dev (the pairs that training chooses the best weights by) and test.
"""

from dataclasses import dataclass
from pathlib import Path

from unbraid.corpora.manifest import read_rows
from unbraid.errors import UsageError, shortened
from unbraid.files.normalization import normalized

SUFFIX = ".csv"
COLUMNS = ("source", "target", "split")


@dataclass(frozen=True)
class Cell:
    """One side of a pair."""

    written: str
    folder: Path  # of the table

    @property
    def text(self) -> str:
        """The cell as a text, normalised, with one blank between words."""
        return " ".join(normalized(self.written).split())

    @property
    def path(self) -> Path:
        """The cell as a file."""
        return self.folder / self.written


@dataclass(frozen=True)
class SourceTarget:
    """A row of the table."""

    source: Cell
    target: Cell

    @property
    def name(self) -> str:
        """The source as it is written, for messages and tables."""
        return shortened(self.source.written)


def is_pairs(place: Path) -> bool:
    """Whether a dataset is a table of pairs: a CSV file, where others are folders."""
    return place.suffix.lower() == SUFFIX and not place.is_dir()


def find_pairs(path: Path, split: str) -> list[SourceTarget]:
    """The pairs of a split, in the order of the table.

    Raises:
        UsageError: the table cannot be read, lacks a column, or has no such split.
    """
    rows = read_rows(path, COLUMNS)
    found = [
        SourceTarget(Cell(row["source"], path.parent), Cell(row["target"], path.parent))
        for row in rows
        if row["split"] == split
    ]
    if not found:
        there = ", ".join(sorted({row["split"] for row in rows})) or "nothing"
        raise UsageError(f"{path} has no pair of the split {split!r}; it has {shortened(there)}.")
    return found
