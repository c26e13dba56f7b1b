"""Options for reading a file: raw format, strictness, treatment of damage, and choice of the audio track."""

import math
from dataclasses import dataclass
from typing import Literal

from unbraid.audio import headerless
from unbraid.errors import UsageError

TrackChoice = int | Literal["auto"]  # counted from 0; "auto": the first that is not silent


@dataclass(frozen=True)
class ReadOptions:
    """Options for reading a file; by default, irregular files are read with a warning (`Reader.notices`)."""

    input_format: str | None = None  # read as raw samples: "ulaw:8000:1", see headerless.py
    strict: bool = False  # refuse files with wrong headers instead of warning
    skip_damage: bool = False  # replace damaged audio by silence instead of failing

    def __post_init__(self) -> None:
        if self.input_format is not None:
            headerless.parse(self.input_format)


@dataclass(frozen=True)
class Excerpt:
    """An excerpt of an input, and the options for reading it.

    Raises:
        UsageError: a start before the beginning, a duration of nothing, or a track that is neither a number nor "auto".
    """

    start: float = 0.0  # seconds
    duration: float | None = None  # seconds; None: to the end
    track: TrackChoice = 0  # of the audio tracks in the file
    reading: ReadOptions = ReadOptions()

    def __post_init__(self) -> None:
        if not 0 <= self.start < math.inf:
            raise UsageError(f"A start of {self.start:g} s is not possible; it must be 0 or more.")
        if self.duration is not None and not 0 < self.duration < math.inf:
            raise UsageError(f"A duration of {self.duration:g} s is not possible; it must be more than 0.")
        if self.track != "auto" and (not isinstance(self.track, int) or self.track < 0):
            raise UsageError(
                f'An audio track is a number from 0 on, or "auto" for the first that is not silent, not {self.track!r}.'
            )
