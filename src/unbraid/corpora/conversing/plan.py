"""The settings of drawn conversations, and the plan of one, from which it is written."""

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from unbraid.corpora.conversing.activity import Span
from unbraid.corpora.mixtures import Clip
from unbraid.corpora.rttm import Segment, overlap_share
from unbraid.dsp.stretches import joined
from unbraid.files.ranges import Range, check_range, check_ranges

MOST_PEOPLE = 6


@dataclass(frozen=True)
class Conversing:
    """The settings of conversations."""

    people: tuple[Annotated[int, Range(1, MOST_PEOPLE)], Annotated[int, Range(1, MOST_PEOPLE)]] = (2, 2)
    minutes: tuple[Annotated[float, Range(0.1, 600)], Annotated[float, Range(0.1, 600)]] = (20.0, 20.0)
    overlap: Annotated[float, Range(0, 0.4)] = 0.2  # the share of the time of speech in which several people speak
    rooms: bool = False  # everybody at a place of their own in a simulated room
    snr_db: float | None = None  # of noise, under a person of average level; None: no noise
    spread_db: Annotated[float, Range(0, 20)] = 3.0  # people's levels lie within ± this
    longest_turn: Annotated[float, Range(1, 600)] = 10.0  # s; longer recordings are cut where it is quiet
    sample_rate: Annotated[int, Range(8000, 192_000)] = 8000
    seed: Annotated[int, Range(0, math.inf)] = 0

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.snr_db is not None:
            check_range("snr_db", self.snr_db, Range(-20, 100), is_whole=False)


@dataclass(frozen=True)
class Utterance:
    """A piece of a recording, from its first speech to its last."""

    path: Path
    recording: str  # the path in the corpus
    start_ms: int  # in the recording
    spans: tuple[Span, ...]  # of speech, from the start of the utterance
    rms: float  # of its speech
    text: str = ""

    @property
    def ms(self) -> int:
        """Its length."""
        return self.spans[-1][1]

    @property
    def speech_ms(self) -> int:
        """How long there is speech in it."""
        return sum(end - start for start, end in self.spans)

    @property
    def clip(self) -> Clip:
        """The audio."""
        return Clip(self.path, self.start_ms / 1000, self.ms / 1000)


@dataclass(frozen=True)
class Person:
    """Somebody in a conversation."""

    speaker: str  # the name in the corpus
    id: str  # the name in files, and of files
    level_db: float  # over an RMS of 0.05, of speech


@dataclass(frozen=True)
class Turn:
    """An utterance of a person at a time."""

    person: int
    utterance: Utterance
    start_ms: int
    level_db: float

    @property
    def end_ms(self) -> int:
        """When it ends."""
        return self.start_ms + self.utterance.ms

    @property
    def spans(self) -> tuple[Span, ...]:
        """Its stretches of speech in the conversation, in ms."""
        return tuple((self.start_ms + start, self.start_ms + end) for start, end in self.utterance.spans)


@dataclass(frozen=True)
class ConversationPlan:
    """A conversation before it is written."""

    name: str
    number: int
    split: str
    ms: int
    people: tuple[Person, ...]  # in the order in which they begin to speak
    turns: tuple[Turn, ...]  # in the order in which they begin
    noise: str | None = None  # its folder and split

    @property
    def segments(self) -> list[Segment]:
        """Who speaks when, in order of time; the stretches of one person that touch are one."""
        found: list[Segment] = []
        for person, about in enumerate(self.people):
            spans = (span for turn in self.turns if turn.person == person for span in turn.spans)
            found += [Segment(start / 1000, end / 1000, about.id) for start, end in joined(spans)]
        return sorted(found)

    @property
    def overlap(self) -> float:
        """The share of the time of speech in which several people speak."""
        return overlap_share(self.segments)

    def as_json(self, how: Conversing) -> str:
        """The plan as the text of conversation.json."""
        said: list[dict[str, Any]] = []
        for turn in self.turns:
            utterance = turn.utterance
            said.append({
                "start": turn.start_ms / 1000,
                "end": turn.end_ms / 1000,
                "speaker": self.people[turn.person].id,
                "text": utterance.text,
                "recording": utterance.recording,
                "from": utterance.start_ms / 1000,
                "level_db": turn.level_db,
            })  # fmt: skip
        values = {
            "name": self.name,
            "split": self.split,
            "seconds": self.ms / 1000,
            "overlap": round(self.overlap, 4),
            "settings": dataclasses.asdict(how),
            "noise": self.noise,
            "people": [dataclasses.asdict(person) for person in self.people],
            "utterances": said,
        }
        return json.dumps(values, indent=1, ensure_ascii=False) + "\n"
