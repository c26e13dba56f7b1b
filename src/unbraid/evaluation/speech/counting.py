"""How often a model counts the voices right, and how faint its other outputs are where one voice speaks alone."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unbraid.dsp.metrics import Array, ratio_db
from unbraid.evaluation.statistics import many
from unbraid.tasks.pages.scores_page import tile

FAINT_DB = -30.0  # what is that far below a voice cannot be heard beside it


@dataclass(frozen=True)
class Counting:
    """The numbers of voices found in mixtures of so many."""

    voices: int
    found: Counter[int]  # mixtures by the number of voices found in each
    others_db: tuple[float, ...] = ()  # of each recording of one voice: other outputs to the loudest

    @property
    def right(self) -> float:
        """The share of mixtures in which the right number is found."""
        return self.found[self.voices] / max(1, self.found.total())

    @property
    def faint(self) -> float:
        """The share of recordings of one voice whose other outputs are faint."""
        return float(np.mean(np.array(self.others_db) <= FAINT_DB))

    def lines(self) -> list[str]:
        """Sentences for people."""
        each = ", ".join(f"{many(number, 'voice')} in {count}" for number, count in sorted(self.found.items()))
        lines = [f"counted right: {100 * self.right:.0f} % of mixtures of {many(self.voices, 'voice')} (found {each})"]
        if self.others_db:
            lines.append(
                f"other outputs beside the voice: {np.median(self.others_db):.1f} dB (median), "
                f"{FAINT_DB:g} dB or less in {100 * self.faint:.0f} %"
            )
        return lines

    def as_json(self) -> dict[str, Any]:
        """The shares as JSON values."""
        found = {str(number): count for number, count in sorted(self.found.items())}
        values: dict[str, Any] = {"counting": {"right": round(self.right, 4), "voices_found": found}}
        if self.others_db:
            median = round(float(np.median(self.others_db)), 2)
            values["other_outputs"] = {"median_db": median, "faint_db": FAINT_DB, "faint": round(self.faint, 4)}
        return values

    def tiles(self) -> list[str]:
        """The shares as headline numbers."""
        tiles = [tile("Counted right", f"{100 * self.right:.0f} %", f"of mixtures of {many(self.voices, 'voice')}")]
        if self.others_db:
            tiles.append(tile("Other outputs faint", f"{100 * self.faint:.0f} %", f"{FAINT_DB:g} dB or less"))
        return tiles


def counting_of(found: Sequence[int | None], others_db: Sequence[float | None], voices: int) -> Counting | None:
    """The counting in mixtures of so many voices; None for a model that does not count."""
    known = Counter(number for number in found if number is not None)
    return Counting(voices, known, tuple(level for level in others_db if level is not None)) if known else None


def level_of_others(estimates: Array) -> float:
    """The energy of all estimates (E, T) but the loudest, relative to it, in dB."""
    energy = np.sort(np.square(estimates, dtype=np.float64).sum(-1))
    return float(ratio_db(energy[:-1].sum(), energy[-1]))
