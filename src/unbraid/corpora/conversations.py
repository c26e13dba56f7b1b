"""Conversations to score: a folder for each, with the mixture, everybody alone, and who speaks when.

    FOLDER/SPLIT/NAME/mixture.flac, speaker-ID.flac …, speakers.rttm, conversation.json

`unbraid data converse` writes this layout (see `conversing/`). Where a mixture has noise, noise.flac is in it too.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from unbraid.corpora.conversing.write import MIXTURE, RECORD, SPEAKERS, reference_name
from unbraid.corpora.rttm import Segment, read_rttm
from unbraid.errors import UsageError, shortened
from unbraid.files.bounded import parse_json, read_bytes, readable
from unbraid.files.strict import build
from unbraid.files.walk import folders_in

MOST_RECORD_BYTES = 64 << 20  # of conversation.json: days of speech


@dataclass(frozen=True)
class Saying:
    """An utterance: who says it, when, and its words where they are known."""

    start: float  # seconds
    end: float
    speaker: str
    text: str = ""


@dataclass(frozen=True)
class Conversation:
    """A conversation on disk."""

    name: str
    folder: Path
    seconds: float
    speakers: tuple[str, ...]  # in the order in which they begin to speak
    segments: tuple[Segment, ...]  # in order of time
    sayings: tuple[Saying, ...]  # in order of their starts

    @property
    def mixture(self) -> Path:
        """The recording."""
        return self.folder / MIXTURE

    @property
    def texts(self) -> dict[str, str] | None:
        """What everybody says from the first word to the last; None where some of it is not known."""
        if not self.sayings or not all(saying.text for saying in self.sayings):
            return None
        said = {speaker: [s.text for s in self.sayings if s.speaker == speaker] for speaker in self.speakers}
        return {speaker: " ".join(texts) for speaker, texts in said.items()}

    def reference(self, speaker: str) -> Path:
        """A person alone, as long as the mixture."""
        return self.folder / reference_name(speaker)


def find_conversations(folder: Path, split: str) -> list[Conversation]:
    """The conversations of a split, in the order of their names.

    Raises:
        UsageError: there are none, or one cannot be read.
    """
    place = folder / split
    found = [each for each in folders_in(place) if (each / RECORD).is_file()] if place.is_dir() else []
    if not found:
        raise UsageError(
            f"{place} holds no conversations, which are folders with {MIXTURE}, {SPEAKERS} and {RECORD}; draw some "
            "with `unbraid data converse`."
        )
    return [read_conversation(each) for each in found]


def read_conversation(folder: Path) -> Conversation:
    """The conversation in a folder.

    Raises:
        UsageError: a file is missing or damaged.
    """
    path = folder / RECORD
    remedy = "Draw the conversation anew, or take it out"
    with readable(path, UsageError, "is not the record of a conversation"):
        values = parse_json(read_bytes(path, MOST_RECORD_BYTES).decode("utf-8"))
        values = values if isinstance(values, dict) else {}
        seconds = build(float, values.get("seconds"), "seconds")
        said = values.get("utterances")
        sayings = tuple(
            _saying(value, f"utterances[{i}]") for i, value in enumerate(said if isinstance(said, list) else ())
        )
    by_recording = read_rttm(folder / SPEAKERS)
    if len(by_recording) != 1:
        raise UsageError(f"{folder / SPEAKERS} has segments of {len(by_recording)} recordings, not of one. {remedy}.")
    (segments,) = by_recording.values()
    speakers = tuple(dict.fromkeys(segment.speaker for segment in segments))
    for name in (MIXTURE, *map(reference_name, speakers)):
        if Path(name).name != name or not (folder / name).is_file():
            raise UsageError(f"{folder} lacks {shortened(name)}. {remedy}.")
    if others := {saying.speaker for saying in sayings} - set(speakers):
        raise UsageError(f"{path} has an utterance of {shortened(min(others))}, who is not in {SPEAKERS}. {remedy}.")
    return Conversation(folder.name, folder, seconds, speakers, tuple(segments), sayings)


def _saying(value: Any, where: str) -> Saying:
    """An utterance of the record, whose other values are not needed.

    Raises:
        ValueError: it is none.
    """
    names = [field.name for field in fields(Saying)]
    known = {name: value[name] for name in names if name in value} if isinstance(value, dict) else value
    saying: Saying = build(Saying, known, where)
    return saying
