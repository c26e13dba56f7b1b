"""The outcome of `unbraid analyse` for one input."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unbraid.cli.report import Result
from unbraid.evaluation.statistics import many
from unbraid.tasks.analysis.lyrics import NO_LYRICS
from unbraid.tasks.analysis.song import Song


@dataclass(frozen=True)
class AnalysisResult(Result):
    """The outcome of analysing one input."""

    model: str | None = None  # that separated it
    output: Path | None = None  # the folder
    files: tuple[str, ...] = ()  # in it
    song: Song | None = None

    def as_json(self) -> dict[str, Any]:
        """The object of this input in --json."""
        values = {key: value for key, value in vars(self).items() if key != "song"}
        song = self.song
        if song is None:
            return values
        return values | {
            "key": song.key.name,
            "chords": len(song.chords),
            "melody_notes": len(song.melody.notes),
            "notes": {stem: len(notes) for stem, notes in song.notes.items()},
            "drums": len(song.drums),
            "singers": {name: round(time, 3) for name, time in song.singers.singing_seconds.items()},
            "lyrics": song.lyrics.text or None,
            "sung_seconds": round(sum(end - start for start, end in song.sung), 3),
            "missing": missing(song),
        }

    def lines(self) -> list[str]:
        """The lines about this input in the summary."""
        if self.output is None or self.song is None:
            return []
        song = self.song
        found = [
            song.key.name or "",
            many(len(song.chords), "chord") if len(song.chords) else "",
            f"a melody of {many(len(song.melody.notes), 'note')}" if len(song.melody) else "",
            f"{many(len(song.drums), 'hit')} of drums" if len(song.drums) else "",
            many(len(song.singers.names), "singer") if len(song.singers) else "",
            f"{many(len(song.lyrics), 'line')} of lyrics" if len(song.lyrics) else "",
            *(f"{many(len(notes), 'note')} of {stem}" for stem, notes in song.notes.items() if len(notes)),
        ]
        told = ", ".join(part for part in found if part) or "no music is heard in it"
        page = shlex.quote(str(self.output / "index.html"))
        return [self.speed(shlex.quote(str(self.output))), f"  {told}", f"  page: {page}"]

    def remarks(self) -> list[str]:
        """Remarks on this input that are no warnings."""
        if self.song is None:
            return []
        parts: dict[str, list[str]] = {}
        for part, reason in missing(self.song).items():
            parts.setdefault(reason, []).append(part)
        return [f"{self.input}: no {', no '.join(named)}: {reason}" for reason, named in parts.items()]


def missing(song: Song) -> dict[str, str]:
    """The parts that were not found, with the reasons."""
    parts = {"key": song.key.reason, "chords": song.chords.reason}
    parts |= {"melody": song.melody.reason, "drums": song.drums.reason, "singers": song.singers.reason}
    if song.lyrics.reason != NO_LYRICS:
        parts["lyrics"] = song.lyrics.reason
    parts |= {f"notes of {stem}": notes.reason for stem, notes in song.notes.items()}
    return {part: reason for part, reason in parts.items() if reason}
