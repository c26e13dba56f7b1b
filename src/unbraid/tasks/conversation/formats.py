r"""Who speaks when, as text: RTTM, JSON, Audacity labels, TextGrid of Praat, and a picture.

    rttm       SPEAKER meeting 1 1.250 1.750 <NA> <NA> anna 0.930 <NA>
    json       {"seconds": 60.0, "speakers": [...], "segments": [{"start": 1.25, "end": 3.0, "speaker": "anna", ...}]}
    labels     1.250000\t3.000000\tanna                     (File, Import, Labels)
    textgrid   a tier of intervals for each speaker, and one for their words where these are known
    svg        a picture with a lane for each speaker

Formats: NIST, "The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan", appendix A (RTTM); the manual
of Audacity, "Importing and Exporting Labels"; for TextGrid see `textgrid.py`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from unbraid.corpora.rttm import Segment, to_rttm
from unbraid.errors import UsageError
from unbraid.files.printable import printable
from unbraid.tasks.conversation.conversation import UNCERTAIN, Conversation
from unbraid.tasks.conversation.textgrid import Interval, in_turn, textgrid
from unbraid.tasks.pages.turns import to_svg
from unbraid.tasks.transcription.transcript import Word

Format = Literal["rttm", "json", "labels", "textgrid", "svg"]
FORMATS = {
    "rttm": "rttm",
    "json": "json",
    "labels": "txt",
    "textgrid": "TextGrid",
    "svg": "svg",
}  # and their file extensions


def written(conversation: Conversation, fmt: str, recording: str) -> str:
    """A conversation as the text of a file.

    Raises:
        UsageError: there is no such format.
    """
    match fmt:
        case "rttm":
            return to_rttm(conversation.segments, recording)
        case "json":
            return to_json(conversation, recording)
        case "labels":
            return to_labels(conversation.segments)
        case "textgrid":
            return to_textgrid(conversation)
        case "svg":
            return to_svg(conversation, recording)
    raise UsageError(f"There is no format {fmt!r} of who speaks when; choose {', '.join(FORMATS)}.")


def to_json(conversation: Conversation, recording: str) -> str:
    """JSON with the speakers, how long each speaks, and all segments; those that are uncertain are marked."""
    values = {
        "recording": recording,
        "seconds": round(conversation.seconds, 3),
        "overlap_seconds": round(conversation.overlap_seconds, 3),
        "speakers": [
            {"name": name, "seconds": round(seconds, 3)} for name, seconds in conversation.speaking_seconds.items()
        ],
        "absent": list(conversation.absent),
        "segments": [_as_data(segment) for segment in conversation.segments],
    }
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def to_labels(segments: Iterable[Segment]) -> str:
    """A label track of Audacity: a line for each segment, in order of time."""
    return "".join(f"{s.start:.6f}\t{s.end:.6f}\t{printable(s.speaker)}\n" for s in sorted(segments, key=_place))


def to_textgrid(conversation: Conversation, words: Mapping[str, Sequence[Word]] | None = None) -> str:
    """A TextGrid, with a tier "NAME" for each speaker, and "NAME words" for each of whom words are given."""
    tiers: dict[str, list[Interval]] = {}
    for name in conversation.speakers:
        spoken = [Interval(s.start, s.end, name) for s in conversation.segments if s.speaker == name]
        tiers[name] = _joined(spoken)
        if words and name in words:
            tiers[f"{name} words"] = in_turn(Interval(word.start, word.end, word.text) for word in words[name])
    return textgrid(tiers, conversation.seconds)


def _as_data(segment: Segment) -> dict[str, object]:
    confidence = segment.confidence
    values = {"start": round(segment.start, 3), "end": round(segment.end, 3), "speaker": segment.speaker}
    known = {} if confidence is None else {"confidence": round(confidence, 3), "uncertain": confidence < UNCERTAIN}
    return values | known


def _place(segment: Segment) -> tuple[float, float, str]:
    return segment.start, segment.end, segment.speaker


def _joined(intervals: Iterable[Interval]) -> list[Interval]:
    """Intervals of one text as their union, in order of time."""
    found: list[Interval] = []
    for interval in sorted(intervals):
        if found and interval.start <= found[-1].end:
            found[-1] = found[-1]._replace(end=max(found[-1].end, interval.end))
        else:
            found.append(interval)
    return found
