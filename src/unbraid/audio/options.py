"""How a file is read where there is a choice: as which format, how strictly, and which of its audio tracks."""

from dataclasses import dataclass
from typing import Literal

from unbraid.audio import headerless
from unbraid.errors import UsageError

TrackChoice = int | Literal["auto"]  # counted from 0; "auto": the first that is not silent


@dataclass(frozen=True)
class ReadOptions:
    """How a file is read; the defaults take what is there and say what is odd about it (`Reader.notices`)."""

    input_format: str | None = None  # of files without a header: "ulaw:8000:1", see headerless.py
    strict: bool = False  # refuse a file that says of itself what is not so, rather than give a notice
    skip_damage: bool = False  # silence in place of what cannot be decoded, rather than an error

    def __post_init__(self) -> None:
        if self.input_format is not None:
            headerless.parse(self.input_format)


@dataclass(frozen=True)
class Cut:
    """Which part of an input is taken, and how the input is read."""

    start: float = 0.0  # seconds
    duration: float | None = None  # seconds; None: to the end
    track: TrackChoice = 0  # of the audio tracks in the file
    reading: ReadOptions = ReadOptions()


def check_track(track: TrackChoice) -> None:
    """Refuse a track that cannot be.

    Raises:
        UsageError: it is neither a number from 0 on nor "auto".
    """
    if track != "auto" and (not isinstance(track, int) or track < 0):
        raise UsageError(f'An audio track is a number from 0 on, or "auto" for the first that sounds, not {track!r}.')
