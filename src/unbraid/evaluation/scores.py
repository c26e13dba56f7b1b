"""The scores of single items in the tables of evaluations: which columns are measures, in which unit and direction.

An item is a mixture, song, conversation, recording, word, pair or speaker; the rows of one item, such as the stems of a
song, count together. A score is a fraction: a sum over a weight. The mean of a measure of sounds is the sum of its
values over their number; an error rate the sum of edits over that of the symbols that were right.
"""

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unbraid.errors import UsageError
from unbraid.evaluation.measures import measures_at
from unbraid.evaluation.music.scoring import BSS, USDR
from unbraid.evaluation.report import REPORT
from unbraid.files.bounded import read_bytes, readable

NAMES = ("name", "recording", "word", "source")  # the columns that name an item
PARTS = ("stem",)  # columns that name one of several rows of an item
Fractions = NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """A measure as tables have it."""

    column: str
    name: str
    unit: str = "dB"
    is_error: bool = False  # lower is better
    weight: str = ""  # the column of the weight; empty: 1
    factor: float = 1.0  # from the column's unit to this one

    @property
    def key(self) -> str:
        """The column, and its weight, which together identify it."""
        return f"{self.column}/{self.weight}" if self.weight else self.column


def _speech() -> Iterable[Scale]:
    found = {m.column: Scale(m.column, m.name, m.unit) for rate in (8000, 16000) for m in measures_at(rate)}
    return found.values()


SCALES = (  # the first that a table has is its main one
    *_speech(),
    *(Scale(scale.column, scale.name) for scale in (USDR, *BSS)),
    Scale("edits", "word error rate", "%", is_error=True, weight="words", factor=100),
    Scale("edits", "phoneme error rate", "%", is_error=True, weight="phonemes_of_closest", factor=100),
    Scale("edits", "symbol error rate", "%", is_error=True, weight="symbols", factor=100),
    Scale("der", "DER", "%", is_error=True),
    Scale("jer", "JER", "%", is_error=True),
    Scale("cp_wer", "cpWER", "%", is_error=True),
    Scale("alone_on_track", "speech alone on its track", "%"),
    Scale("si_sdr_db", "SI-SDR"),
    Scale("stoi", "STOI", ""),
    Scale("lsd", "log-spectral distance", is_error=True),
    Scale("log_spectral_distance_db", "log-spectral distance", is_error=True),
    Scale("distance_of_levels_db", "distance of levels", is_error=True),
    Scale("eer", "EER of a speaker's trials", "%", is_error=True, factor=100),
)


@dataclass(frozen=True)
class ItemScores:
    """The scores of a model on the items of a dataset."""

    name: str  # of the model, or of the table
    rows: Mapping[tuple[str, ...], Mapping[str, str]]  # the cells of each row, by item, part and occurrence

    @property
    def columns(self) -> set[str]:
        """The columns of the table."""
        return set(next(iter(self.rows.values()), {}))

    def has(self, scale: Scale) -> bool:
        """Whether the table has a measure."""
        return scale.column in self.columns and (not scale.weight or scale.weight in self.columns)

    def fraction(self, row: tuple[str, ...], scale: Scale) -> tuple[float, float]:
        """The score of a row as (sum, weight); NaN where it has none."""
        cells = self.rows[row]
        weight = _number(cells.get(scale.weight, "")) if scale.weight else 1.0
        return scale.factor * _number(cells.get(scale.column, "")), weight


def paired(a: ItemScores, b: ItemScores, scale: Scale) -> tuple[list[str], Fractions]:
    """The items that have scores of both models: their names, and (items, 2 models, sum and weight)."""
    sums: dict[str, Fractions] = {}
    for row in a.rows:
        if row not in b.rows:
            continue
        both = np.array([a.fraction(row, scale), b.fraction(row, scale)])
        if np.isfinite(both).all() and (both[:, 1] > 0).all():
            sums[row[0]] = sums.get(row[0], 0) + both
    return list(sums), np.array(list(sums.values())).reshape(-1, 2, 2)


def read_scores(text: str, name: str, where: str) -> ItemScores:
    """The scores in the text of a table.

    Raises:
        UsageError: it has no column that names its items, or no measure.
    """
    lines = list(csv.DictReader(io.StringIO(text)))
    head = set(lines[0]) if lines else set()
    named = next((key for key in NAMES if key in head), None)
    if named is None:
        raise UsageError(
            f"{where} has no scores of single items; name the table of an evaluation, such as mixtures.csv."
        )
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for line in lines:
        cells = {key: value for key, value in line.items() if isinstance(key, str) and isinstance(value, str)}
        item = (cells.get(named, ""), *(cells.get(part, "") for part in PARTS))
        count = 0
        while (*item, str(count)) in rows:
            count += 1
        rows[*item, str(count)] = cells
    found = ItemScores(name, rows)
    if not any(found.has(scale) for scale in SCALES):
        raise UsageError(f"{where} has none of the columns {', '.join(dict.fromkeys(s.column for s in SCALES))}.")
    return found


def score_file(path: Path) -> Path | None:
    """The table of an earlier evaluation: the file itself, or that in the folder of one; None if it is neither."""
    if path.is_file() and path.suffix == ".csv":
        return path
    if path.is_dir() and (path / REPORT).is_file():
        return next(iter(sorted(path.glob("*.csv"))), None)
    return None


def load_scores(path: Path) -> ItemScores:
    """The scores in the table of an earlier evaluation.

    Raises:
        UsageError: it cannot be read, or has no scores.
    """
    with readable(f"The table {path}", UsageError, "is not UTF-8"):
        text = read_bytes(path).decode("utf-8")
    name = path.parent.name if (path.parent / REPORT).is_file() else path.stem
    return read_scores(text, name or path.stem, str(path))


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan
