"""The places and means of a job, and what jobs of several kinds share."""

from dataclasses import dataclass
from pathlib import Path

from unbraid.audio import Reader
from unbraid.service.player import PlayerTrack, previewed
from unbraid.service.progress import JobProgress
from unbraid.tasks.results import Diagnostics


@dataclass(frozen=True)
class Bench:
    """The places and means of a job."""

    source: Path  # the recording
    text: Path  # that is aligned with it, of jobs that do that
    name: str  # of the recording, as the client calls it
    folder: Path  # of the results
    work: Path  # for temporary files
    progress: JobProgress
    threads: int | None = None  # of the engine

    def previewed(self) -> tuple[PlayerTrack, float]:
        """The recording itself as a track of the player, and its length in seconds."""
        with Reader(self.source) as reader:
            return previewed(reader.blocks(), reader.info.sample_rate, reader.info.channels, self.folder)


def notices_of(found: Diagnostics) -> tuple[str, ...]:
    """Warnings about the recording, and anything unusual about the result."""
    return (*found.notices, *filter(None, [found.notice]))
