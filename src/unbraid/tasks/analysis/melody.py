"""The melody of a voice: its fundamental frequency over time, which writes itself as CSV, JSON, MIDI or a layer."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from unbraid.files.frames import frame
from unbraid.files.texts import named_format
from unbraid.tasks.analysis.formats import csv_text, json_text, layer_text
from unbraid.tasks.analysis.notes import Notes
from unbraid.tasks.analysis.tracked import Tracked

if TYPE_CHECKING:
    from pandas import DataFrame

MELODY_FORMATS = {"csv": "csv", "json": "json", "mid": "mid", "svl": "svl"}
Values = npt.NDArray[np.float64]

NO_NOTES = Notes((), "")


def _none() -> Values:
    return np.zeros(0)


@dataclass(frozen=True, eq=False)
class Melody(Tracked):
    """The fundamental frequency of one voice, in frames of equal distance."""

    model: str  # that heard it
    times: Values = field(default_factory=_none)  # (N,) seconds, of the middle of each frame
    hz: Values = field(default_factory=_none)  # (N,) 0 where nobody sings
    confidence: Values = field(default_factory=_none)  # (N,) 0 to 1, that there is a pitch and it is this one
    notes: Notes = NO_NOTES  # the same as a line of notes
    stem: str | None = None  # None: the recording as it is
    separator: str | None = None  # the model that separated the stem
    seconds: float = 0.0  # of the recording
    reason: str | None = None  # why there is no melody
    notices: tuple[str, ...] = ()  # warnings about the file, as `Reader.notices`

    @property
    def voiced(self) -> npt.NDArray[np.bool_]:
        """Where somebody sings (N,)."""
        return self.hz > 0

    def __len__(self) -> int:
        return len(self.times)

    def __iter__(self) -> Iterator[tuple[float, float, float]]:
        """Time, frequency and confidence of each frame."""
        return iter(zip(self.times.tolist(), self.hz.tolist(), self.confidence.tolist(), strict=True))

    def after(self, seconds: float) -> "Melody":
        """The same melody, so many seconds later."""
        notes = self.notes.after(seconds)
        return replace(self, times=self.times + seconds, notes=notes, seconds=self.seconds + seconds)

    def to_csv(self) -> str:
        """A row for each frame: time in seconds, frequency in Hz, 0 where nobody sings, and confidence."""
        rows = ((f"{time:.4f}", f"{hz:.3f}", f"{confidence:.4f}") for time, hz, confidence in self)
        return csv_text(("time", "hz", "confidence"), rows)

    def to_json(self) -> str:
        """JSON with all frames, [time, Hz, confidence], and the model and stem that they are of."""
        about = {"model": self.model, "stem": self.stem, "separator": self.separator}
        facts = {**about, "seconds": round(self.seconds, 3), "reason": self.reason}
        return json_text(facts, "frames", ([round(t, 4), round(hz, 3), round(c, 4)] for t, hz, c in self))

    def to_midi(self, path: str | os.PathLike[str] | None = None) -> bytes:
        """The line of notes as a Standard MIDI File, as `Notes.to_midi`; also written to `path` if given.

        Raises:
            UsageError: a file exists there.
            AudioError: the disk refuses.
        """
        return self.notes.to_midi(path)

    def to_svl(self) -> str:
        """A layer of frequencies for Sonic Visualiser; it has points only where somebody sings."""
        points = ({"frame": round(1000 * time), "value": round(hz, 3)} for time, hz, _ in self if hz > 0)
        return layer_text("timevalues", "melody", points, ends_at=round(1000 * self.seconds))

    def to_pandas(self) -> "DataFrame":
        """A table with a row for each frame: time, hz, confidence.

        Raises:
            RuntimeUnavailable: pandas is not installed.
        """
        return frame({"time": time, "hz": hz, "confidence": confidence} for time, hz, confidence in self)

    @staticmethod
    def check_format(name: str) -> str:
        """The format of a name or file extension.

        Raises:
            UsageError: there is no such format.
        """
        return named_format(name, MELODY_FORMATS, "A melody is")
