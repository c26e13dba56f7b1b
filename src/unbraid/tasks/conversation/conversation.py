"""The result of listening to a conversation: who speaks when, and a track for each person."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from unbraid.corpora.rttm import Segment, speaking_seconds
from unbraid.dsp.arrays import FloatArray
from unbraid.files.frames import frame

if TYPE_CHECKING:
    from pandas import DataFrame

UNCERTAIN = 0.6  # segments below this confidence are marked: another person is nearly as likely


@dataclass(frozen=True)
class Conversation:
    """Who speaks when in a recording; of `separate_speakers` with the tracks.

    Segments of different people overlap where they speak at the same time. Each has a confidence from 0 to 1 that it
    is this person and no other of the recording.
    """

    speakers: tuple[str, ...]  # in the order in which they begin to speak
    segments: tuple[Segment, ...]  # in order of time
    seconds: float  # of the recording
    absent: tuple[str, ...] = ()  # enrolled people who do not speak in it
    muted_seconds: float = 0.0  # of outputs that were active with a copy of another output's voice
    tracks: dict[str, FloatArray] = field(default_factory=dict)  # speaker: (C, T); empty where no audio was asked for
    residual: FloatArray | None = None  # (C, T), with the tracks: what nobody speaks
    sample_rate: int | None = None  # of the tracks, Hz

    @property
    def overlap_seconds(self) -> float:
        """How long several people speak at once."""
        return speaking_seconds(self.segments)[1]

    @property
    def speaking_seconds(self) -> dict[str, float]:
        """How long each person speaks."""
        return {name: sum(s.seconds for s in self.segments if s.speaker == name) for name in self.speakers}

    def to_pandas(self) -> "DataFrame":
        """A table of who speaks when: start and end in seconds, speaker, confidence.

        Raises:
            RuntimeUnavailable: pandas is not installed.
        """
        columns = ("start", "end", "speaker", "confidence")
        return frame({name: getattr(segment, name) for name in columns} for segment in self.segments)

    @property
    def uncertain(self) -> tuple[Segment, ...]:
        """Segments that may well be another person's."""
        return tuple(s for s in self.segments if s.confidence is not None and s.confidence < UNCERTAIN)
