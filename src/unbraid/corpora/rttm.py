"""Who speaks when, and its file format RTTM (NIST, "The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation
Plan", appendix A).

A segment is the line `SPEAKER recording 1 start duration <NA> <NA> speaker confidence <NA>`, in seconds. Lines of other
types and comments (`;;`) are skipped.
"""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from unbraid.errors import UsageError, quoted
from unbraid.files.bounded import MOST_TABLE_BYTES, read_bytes, readable

UNKNOWN = "<NA>"
LATEST_SECONDS = 1e7  # of a segment: 115 days


@dataclass(frozen=True, order=True)
class Segment:
    """A stretch in which one person speaks, in seconds from the start of the recording."""

    start: float
    end: float
    speaker: str
    confidence: float | None = None  # 0 to 1, that it is this person; None: not known

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.start


def numbers_speaking(segments: Iterable[Segment]) -> Iterator[tuple[float, float, int]]:
    """How many people speak from one beginning or end of a segment to the next; no two segments of a person overlap."""
    edges = sorted((time, step) for s in segments for time, step in ((s.start, 1), (s.end, -1)))
    speaking = 0
    for (start, step), (end, _) in pairwise(edges):
        speaking += step
        yield start, end, speaking


def speaking_seconds(segments: Iterable[Segment]) -> tuple[float, float]:
    """How long anybody speaks, and how long several people speak at once."""
    anybody = several = 0.0
    for start, end, people in numbers_speaking(segments):
        anybody += (end - start) * (people > 0)
        several += (end - start) * (people > 1)
    return anybody, several


def overlap_share(segments: Iterable[Segment]) -> float:
    """The share of the time of speech in which several people speak at once; 0 without speech."""
    anybody, several = speaking_seconds(segments)
    return several / anybody if anybody else 0.0


def to_rttm(segments: Iterable[Segment], recording: str) -> str:
    """The text of an RTTM file, in order of time.

    Spaces in names become underscores, since they separate the fields.
    """
    lines = []
    for segment in sorted(segments, key=lambda segment: (segment.start, segment.end, segment.speaker)):
        sure = UNKNOWN if segment.confidence is None else f"{segment.confidence:.3f}"
        times = f"{segment.start:.3f} {segment.seconds:.3f}"
        names = f"<NA> <NA> {_field(segment.speaker)}"
        lines.append(f"SPEAKER {_field(recording)} 1 {times} {names} {sure} <NA>\n")
    return "".join(lines)


def read_rttm(path: Path) -> dict[str, list[Segment]]:
    """The segments of each recording of an RTTM file, in order of time.

    Raises:
        UsageError: the file cannot be read, or a line is not RTTM.
    """
    with readable(path, UsageError):
        text = read_bytes(path, MOST_TABLE_BYTES).decode("utf-8-sig")
    found: dict[str, list[Segment]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split()
        if fields and fields[0] == "SPEAKER":
            try:
                segment = _segment(fields)
            except ValueError as error:
                raise UsageError(f"{path}, line {number}, is not RTTM: {error}. Repair it.") from None
            found.setdefault(fields[1], []).append(segment)
    return {
        recording: sorted(segments, key=lambda segment: (segment.start, segment.end))
        for recording, segments in found.items()
    }


def _segment(fields: list[str]) -> Segment:
    """The segment of a line's fields; ValueError where they are none."""
    if len(fields) < 8:
        raise ValueError(f"it has {len(fields)} fields, and 8 are needed")
    start, seconds = _number(fields[3]), _number(fields[4])
    sure = fields[8] if len(fields) > 8 else UNKNOWN
    return Segment(start, start + seconds, fields[7], None if sure == UNKNOWN else min(1.0, _number(sure)))


def _number(field: str) -> float:
    """A number of seconds, or another that is not negative."""
    try:
        number = float(field)
    except ValueError:
        number = math.nan
    if not 0 <= number <= LATEST_SECONDS:
        raise ValueError(f"{quoted(field)} is not a number of seconds")
    return number


def _field(name: str) -> str:
    """A name as one field."""
    return re.sub(r"\s+", "_", name.strip()) or UNKNOWN
