"""Notes: start, end, pitch and loudness of each, as a value that writes itself as MIDI, CSV, JSON or a layer."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from unbraid.dsp.pitch import note_name, pitch_hz
from unbraid.files.frames import frame
from unbraid.files.texts import named_format, save_bytes
from unbraid.tasks.analysis.formats import csv_text, json_text, layer_text
from unbraid.tasks.analysis.midi import midi_file
from unbraid.tasks.analysis.tracked import Tracked

if TYPE_CHECKING:
    from pandas import DataFrame

NOTE_FORMATS = {"mid": "mid", "csv": "csv", "json": "json", "svl": "svl"}
PROGRAMS = {"piano": 0, "bass": 33, "vocals": 52, "melody": 52, "drums": -1}  # of General MIDI, from 0; -1: percussion


@dataclass(frozen=True)
class Note:
    """A note of a recording."""

    start: float  # seconds
    end: float
    pitch: int  # of MIDI: 69 is A4, 440 Hz
    amplitude: float  # 0 to 1: the model's mean activation, or of a voice its confidence

    @property
    def velocity(self) -> int:
        """Of MIDI, 1 to 127."""
        return min(127, max(1, round(127 * self.amplitude)))

    @property
    def hz(self) -> float:
        """The frequency of its pitch in equal temperament."""
        return pitch_hz(self.pitch)

    @property
    def name(self) -> str:
        """The name of its pitch: C#4."""
        return note_name(self.pitch)


@dataclass(frozen=True)
class Notes(Tracked):
    """The notes of a recording, or of one of its stems, in the order of their starts."""

    notes: tuple[Note, ...]
    model: str  # that heard them
    stem: str | None = None  # None: the recording as it is
    separator: str | None = None  # the model that separated the stem
    seconds: float = 0.0  # of the recording
    reason: str | None = None  # why there are none
    notices: tuple[str, ...] = ()  # warnings about the file, as `Reader.notices`

    def __iter__(self) -> Iterator[Note]:
        return iter(self.notes)

    def __len__(self) -> int:
        return len(self.notes)

    def after(self, seconds: float) -> "Notes":
        """The same notes, so many seconds later."""
        later = (replace(note, start=note.start + seconds, end=note.end + seconds) for note in self.notes)
        return replace(self, notes=tuple(later), seconds=self.seconds + seconds)

    def to_midi(self, path: str | os.PathLike[str] | None = None) -> bytes:
        """A Standard MIDI File, 120 beats a minute, in which a tick is a millisecond; also written to `path` if given.

        Raises:
            UsageError: a file exists there.
            AudioError: the disk refuses.
        """
        part = self.stem or "notes"
        content = midi_file({part: self.notes}, {part: PROGRAMS.get(part, 0)})
        if path is not None:
            save_bytes(Path(path), content, overwrite=False)
        return content

    def to_csv(self) -> str:
        """A row for each note: start and end in seconds, pitch of MIDI, its name, velocity."""
        rows = ((f"{n.start:.3f}", f"{n.end:.3f}", n.pitch, n.name, n.velocity) for n in self.notes)
        return csv_text(("start", "end", "pitch", "name", "velocity"), rows)

    def to_json(self) -> str:
        """JSON with all notes, and the model and stem that they are of."""
        return json_text(self._about(), "notes", map(as_json, self.notes))

    def to_svl(self) -> str:
        """A layer of notes for Sonic Visualiser."""
        points = (
            {
                "frame": round(1000 * note.start),
                "value": note.pitch,
                "duration": max(1, round(1000 * (note.end - note.start))),
                "level": round(note.amplitude, 3),
                "label": note.name,
            }
            for note in self.notes
        )
        return layer_text("notes", self.stem or "notes", points, ends_at=round(1000 * self.seconds))

    def to_pandas(self) -> "DataFrame":
        """A table with a row for each note: start, end, pitch, name, velocity.

        Raises:
            RuntimeUnavailable: pandas is not installed.
        """
        return frame(map(as_json, self.notes))

    @staticmethod
    def check_format(name: str) -> str:
        """The format of a name or file extension.

        Raises:
            UsageError: there is no such format.
        """
        return named_format(name, NOTE_FORMATS, "Notes are")

    def _about(self) -> dict[str, object]:
        about = {"model": self.model, "stem": self.stem, "separator": self.separator}
        return {**about, "seconds": round(self.seconds, 3), "reason": self.reason}


def as_json(note: Note) -> dict[str, object]:
    """A note as a JSON object."""
    times = {"start": round(note.start, 3), "end": round(note.end, 3)}
    return {**times, "pitch": note.pitch, "name": note.name, "velocity": note.velocity}
