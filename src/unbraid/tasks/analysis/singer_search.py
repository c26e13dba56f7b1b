"""Singers of blocks as they come: whom to look for, and the tracker that finds them.

    tracker = SingerSearch(embedder, {"anna": voice}).tracker(sample_rate)
    for stems in separator.blocks("song.mp3"):
        tracker.push(stems["vocals"], sum(stems.values()))
    tracker.finish().passages

How a stem is cut, and how singers are told apart: `voice_pieces.py` and `singers.py`.
"""

from dataclasses import dataclass

from unbraid.dsp.arrays import FloatArray
from unbraid.errors import UsageError
from unbraid.tasks.analysis.singers import Enrolled, Singers, singers_of
from unbraid.tasks.analysis.voice_pieces import VoicePieces
from unbraid.tasks.conversation.tracking import Embedder

Number = int | tuple[int, int] | None


@dataclass(frozen=True)
class SingerSearch:
    """Whom to look for, and by which embeddings."""

    embedder: Embedder
    enrolled: Enrolled | None = None  # None: anybody, singer1, singer2, …
    number: Number = None  # of singers where nobody is enrolled, or the fewest and most

    def tracker(self, sample_rate: int) -> "SingerTracker":
        """Take blocks of a recording, or of its vocals, as they come."""
        return SingerTracker(sample_rate, self)

    def nobody(self, reason: str) -> Singers:
        """The result for a recording in which nobody is looked for."""
        return Singers((), self.embedder.spec.name, tuple(self.enrolled or ()), reason=reason)


class SingerTracker:
    """Takes the blocks of a stem, and of the recording around it, and says at the end who sings."""

    def __init__(self, sample_rate: int, search: SingerSearch) -> None:
        self._pieces, self._search = VoicePieces(sample_rate, search.embedder), search

    def push(self, stem: FloatArray, recording: FloatArray | None = None) -> None:
        """Take a block (C, n) of a stem, and the same samples of the recording that it was separated from."""
        self._pieces.push(stem, recording)

    def finish(self) -> Singers:
        """The singers of all blocks."""
        search = self._search
        return singers_of(self._pieces.finish(), search.embedder.spec.name, search.enrolled, search.number)


def check_number(number: Number, enrol: object) -> None:
    """Refuse a number of singers that is none, or that the enrolled say already.

    Raises:
        UsageError: it is.
    """
    if number is not None and enrol:
        raise UsageError("Who is enrolled says which singers there may be; leave the number of singers out.")
    fewest, most = number if isinstance(number, tuple) else (number or 1, number or 1)
    if not 1 <= fewest <= most:
        raise UsageError(f"The number of singers counts from 1, the fewest first, not {number!r}.")
