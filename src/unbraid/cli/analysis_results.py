"""The outcome of `unbraid analyse` for one input."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from unbraid.cli.report import Result
from unbraid.evaluation.statistics import many
from unbraid.tasks.analysis.lyrics import NO_LYRICS


@dataclass(frozen=True)
class Found:
    """What was found in a song."""

    key: str | None
    chords: int
    melody_notes: int
    notes: dict[str, int]  # of each stem that has pitches
    drums: int  # hits
    singers: dict[str, float]  # seconds of singing
    lyrics: tuple[str, ...]  # lines
    sung_seconds: float
    missing: dict[str, str]  # parts that were not found, with the reasons

    @classmethod
    def of(cls, song: Mapping[str, Any]) -> Self:
        """The counts of a `song.json`."""
        stems = {name: name.removeprefix("notes_") for name in song if name.startswith("notes_")}
        parts = {name: f"notes of {stem}" for name, stem in stems.items()}
        singing: dict[str, float] = {}
        for passage in song["singers"]:
            singing[passage["singer"]] = singing.get(passage["singer"], 0.0) + passage["end"] - passage["start"]
        reasons = {parts.get(part, part): origin["reason"] for part, origin in song["made_by"].items()}
        return cls(
            key=song["key"]["name"],
            chords=len(song["chords"]),
            melody_notes=len(song["melody_notes"]),
            notes={stem: len(song[name]) for name, stem in stems.items()},
            drums=len(song["drums"]),
            singers={name: round(seconds, 3) for name, seconds in singing.items()},
            lyrics=tuple(line["text"] for line in song["lyrics"]),
            sung_seconds=round(sum(passage["end"] - passage["start"] for passage in song["sung"]), 3),
            missing={part: reason for part, reason in reasons.items() if reason and reason != NO_LYRICS},
        )


@dataclass(frozen=True)
class AnalysisResult(Result):
    """The outcome of analysing one input."""

    model: str | None = None  # that separated it
    output: Path | None = None  # the folder
    files: tuple[str, ...] = ()  # in it
    found: Found | None = None

    def as_json(self) -> dict[str, Any]:
        """The object of this input in --json."""
        values = {key: value for key, value in vars(self).items() if key != "found"}
        return values | (vars(self.found) if self.found else {})

    def lines(self) -> list[str]:
        """The lines about this input in the summary."""
        if self.output is None or self.found is None:
            return []
        song = self.found
        found = [
            song.key or "",
            many(song.chords, "chord") if song.chords else "",
            f"a melody of {many(song.melody_notes, 'note')}" if "melody" not in song.missing else "",
            f"{many(song.drums, 'hit')} of drums" if song.drums else "",
            many(len(song.singers), "singer") if song.singers else "",
            f"{many(len(song.lyrics), 'line')} of lyrics" if song.lyrics else "",
            *(f"{many(count, 'note')} of {stem}" for stem, count in song.notes.items() if count),
        ]
        told = ", ".join(part for part in found if part) or "no music is heard in it"
        page = shlex.quote(str(self.output / "index.html"))
        return [self.speed(shlex.quote(str(self.output))), f"  {told}", f"  page: {page}"]

    def remarks(self) -> list[str]:
        """Remarks on this input that are no warnings."""
        if self.found is None:
            return []
        parts: dict[str, list[str]] = {}
        for part, reason in self.found.missing.items():
            parts.setdefault(reason, []).append(part)
        return [f"{self.input}: no {', no '.join(named)}: {reason}" for reason, named in parts.items()]
