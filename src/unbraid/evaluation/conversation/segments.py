"""Scores of who spoke when: diarization and Jaccard error rates, by pyannote.metrics (Bredin, Interspeech 2017).

DER = (missed + false alarm + confusion) / speech of the reference, overlaps counted, with a collar of 0.25 s around
each boundary of the reference left out. JER (Ryant et al., DIHARD II) is the mean over people of one minus the Jaccard
index.
"""

import importlib.util
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from unbraid.corpora.rttm import Segment
from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.stretches import stretches
from unbraid.errors import RuntimeUnavailable
from unbraid.tasks.conversation.activity import FRAME_SECONDS, active

COLLAR_SECONDS = 0.25  # on both sides of a boundary
MISSING = "DER and JER need the package pyannote.metrics; get it with `pip install pyannote.metrics`."

PAUSE_SECONDS, LEAST_SECONDS = 0.5, 0.2  # a longer pause splits a segment; a shorter segment is none


@dataclass(frozen=True)
class SegmentScores:
    """Error rates of segments, as shares; times in seconds."""

    der: float
    jer: float
    missed: float
    false_alarm: float
    confusion: float
    total: float  # speech of the reference, each person's counted


def has_diarization_metrics() -> bool:
    """Whether pyannote.metrics is installed."""
    try:
        return importlib.util.find_spec("pyannote.metrics") is not None
    except ModuleNotFoundError:
        return False


def score_segments(reference: Iterable[Segment], found: Iterable[Segment], seconds: float) -> SegmentScores:
    """DER and JER of the segments found in a recording.

    Raises:
        RuntimeUnavailable: pyannote.metrics is not installed.
    """
    try:
        from pyannote.core import Annotation, Timeline
        from pyannote.core import Segment as Span
        from pyannote.metrics import diarization
    except ImportError:
        raise RuntimeUnavailable(MISSING) from None

    def annotated(segments: Iterable[Segment]) -> Annotation:
        annotation = Annotation()
        for number, segment in enumerate(segments):
            annotation[Span(segment.start, segment.end), number] = segment.speaker
        return annotation.support()  # segments of one person that overlap count once

    metrics: Any = diarization  # not all of it has types
    sides, everything = 2 * COLLAR_SECONDS, Timeline([Span(0, seconds)])  # its collar is both sides together
    pair = annotated(reference), annotated(found)
    parts = metrics.DiarizationErrorRate(collar=sides, skip_overlap=False)(*pair, uem=everything, detailed=True)
    jer = metrics.JaccardErrorRate(collar=sides, skip_overlap=False)(*pair, uem=everything)
    return SegmentScores(
        float(parts["diarization error rate"]),
        float(jer),
        *(float(parts[name]) for name in ("missed detection", "false alarm", "confusion", "total")),
    )


def active_segments(powers: FloatArray, names: Sequence[str]) -> list[Segment]:
    """Who speaks when, from the power of each track in frames of 0.1 s (E, N), of models that do not say it."""
    pause, least = (round(seconds / FRAME_SECONDS) for seconds in (PAUSE_SECONDS, LEAST_SECONDS))
    found = [
        Segment(start * FRAME_SECONDS, end * FRAME_SECONDS, name)
        for name, frames in zip(names, active(powers), strict=True)
        for start, end in stretches(frames, pause + 1)
        if end - start >= least
    ]
    return sorted(found, key=lambda segment: (segment.start, segment.end, segment.speaker))
