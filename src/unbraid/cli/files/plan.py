"""The plan of a track: its input, the signal of its stems, and their places."""

import contextlib
import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from unbraid.audio import Excerpt, OutputFormat
from unbraid.cli.files.conflict import conflict
from unbraid.cli.files.journal import complete
from unbraid.errors import AudioError
from unbraid.files.record import Provenance, holds, speakers_recorded


@dataclass(frozen=True)
class Signal:
    """The output signal of the separator, and the rate at which it is written."""

    sample_rate: int  # Hz
    channels: int
    written_rate: int  # Hz; another than sample_rate only where it was asked for
    frames: int | None = None  # in the excerpt, if the header tells
    start_seconds: float = 0.0  # of silence at its start, for a track that starts later than its file


@dataclass(frozen=True)
class TrackPlan:
    """Everything needed to write one track."""

    source: Path
    excerpt: Excerpt
    signal: Signal
    outputs: dict[str, Path]  # stem: file; or one file for those in `together`
    fmt: OutputFormat
    receipt: Path
    making: Provenance
    name: str = ""  # of the input, for people
    about: str = ""  # the format of the input, for people
    replace: bool = False  # any existing file
    replace_equal: bool = False  # files of the record that are as this would make them
    root: Path | None = None  # the folder that the run writes to; None: the nearest that is there
    tags: dict[str, str] = field(default_factory=dict)
    licence: str = ""  # of the model, for the record
    page: Path | None = None  # of --report
    turns: Path | None = None  # the RTTM file of a model that follows people
    voices: tuple[str, ...] = ()  # of such a model: all names, of which some are found and written
    together: tuple[str, ...] = ()  # the stems that one file holds, with the recording

    def found(self, speakers: Sequence[str] | None) -> Self:
        """The plan for these people; None where a model does not look for them.

        Raises:
            AudioError: none of the stems that were asked for is among them.
        """
        if not self.voices or speakers is None:
            return self
        others = [stem for stem in self.outputs if stem not in self.voices]
        outputs = {stem: self.outputs[stem] for stem in (*speakers, *others) if stem in self.outputs}
        if not outputs:
            there, missing = ", ".join(speakers), ", ".join(self.outputs)
            hint = "leave --stems or --only out for all people, or say how many there are with --speakers"
            raise AudioError(f"{missing} was not found in {self.name}, only {there}; {hint}.")
        return dataclasses.replace(self, outputs=outputs)

    def as_recorded(self) -> Self:
        """The plan for the people whom an earlier run of the same provenance has found."""
        return self.found(speakers_recorded(self.receipt, self.making)) if self.voices else self

    @property
    def signals(self) -> int:
        """How many signals are written: the stems, and the recording where they are in one file with it."""
        return len(self.together) + 1 if self.together else len(self.outputs)

    @property
    def files(self) -> list[tuple[Path, Provenance]]:
        """All files but the record, with their provenance; that of the page includes the stems that it shows."""
        files = [(path, self.making) for path in (*self.outputs.values(), self.turns) if path is not None]
        if self.page is None:
            return files
        options = {**self.making.options, "report": list(self.outputs)}
        return [*files, (self.page, dataclasses.replace(self.making, options=options))]

    def is_done(self) -> bool:
        """Whether all files exist just as they would be written now."""
        return all(holds(self.receipt, making, [path]) for path, making in self.files)

    def seems_done(self) -> bool:
        """Whether all files exist, whatever is in them."""
        with contextlib.suppress(AudioError):  # a stem that was not found
            return all(os.path.lexists(path) for path, _ in self.as_recorded().files)
        return False

    def conflict(self) -> str | None:
        """A sentence about files of the record that would be made otherwise now; None where they may be replaced."""
        return None if self.replace else conflict(self.receipt, self.files, self.name)

    def complete_record(self) -> None:
        """Complete the record of a track that is done, where a kill came just before that."""
        with contextlib.suppress(AudioError, OSError):  # an incomplete record says the same
            complete(self.receipt, self.root or self.receipt.parent)
