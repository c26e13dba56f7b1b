"""The plan of a song: all random choices as plain values, stored in song.json. The plan determines the song."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Self, cast

from unbraid.corpora.rendering.synth import Room
from unbraid.errors import UnbraidError
from unbraid.files.bounded import read_json, readable
from unbraid.files.ranges import Range, check_ranges
from unbraid.files.strict import build


@dataclass(frozen=True)
class Rendering:
    """The settings of a rendering."""

    seconds: Annotated[float, Range(1, 600)] = 30.0
    seed: Annotated[int, Range(0, math.inf)] = 0
    sung: Annotated[float, Range(0, 1)] = (
        0.6  # the share of songs that a voice sings, by WORLD; a quarter get a recording as it is
    )
    format: str = "flac"  # or wav; 16 bit

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.format not in ("flac", "wav"):
            raise ValueError(f"format must be flac or wav, got {self.format!r}.")


@dataclass(frozen=True)
class Excerpt:
    """A piece of a MIDI file."""

    file: str
    start_seconds: float
    seconds: float  # as the file plays, before the tempo changes


@dataclass(frozen=True)
class Strip:
    """A MIDI channel on the mixing desk."""

    channel: int
    programs: tuple[tuple[int, int], ...]  # as written, as played
    volume: float  # a factor
    pan: int  # controllers, 0 to 127
    reverb: int
    chorus: int
    muted: bool


@dataclass(frozen=True)
class PartPlan:
    """The instrument of a part, and its mix."""

    soundfont: str
    kit: str | None  # drums: a Hydrogen kit in place of the SoundFont
    room: Room
    level_db: float  # RMS of where it sounds, over an even mix
    tilt_db: float  # per octave
    drive: float  # overload


@dataclass(frozen=True)
class SingerPlan:
    """A voice, and how it sings the melody, or how its recording is mixed."""

    sung: bool
    files: tuple[str, ...]
    start: float  # in the recording, as a share of the possible range
    melody_channels: tuple[int, ...]  # the next where the first is silent; none: the melody is made up
    formants: float
    stretch: float  # of voiced frames
    portamento_seconds: float
    vibrato_hz: float
    vibrato_cents: float
    harmony_semitones: float | None  # between the melody and a second voice
    pan: float
    width: float
    hall_seconds: float
    hall_db: float
    level_db: float
    tilt_db: float
    drive: float


@dataclass(frozen=True)
class Plan:
    """A song."""

    seed: int
    number: int
    seconds: float
    excerpts: tuple[Excerpt, ...]
    tempo: float
    transpose: int  # semitones; drums stay
    dynamics: float  # exponent of velocities
    drum_program: int
    drum_semitones: float  # of a kit's recordings
    drum_choice: int  # among a kit's snares
    strips: tuple[Strip, ...]
    parts: dict[str, PartPlan]
    singer: SingerPlan | None

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"song-{self.seed}-{self.number:05d}"

    @classmethod
    def read(cls, path: Path) -> Self:
        """The plan in a song.json.

        Raises:
            UnbraidError: the file cannot be read, or is no plan.
        """
        with readable(path, UnbraidError):
            return cast(Self, build(cls, read_json(path), str(path)))

    def as_json(self) -> str:
        """The text of song.json."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"
