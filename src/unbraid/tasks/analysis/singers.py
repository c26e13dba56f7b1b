"""Who sings when in a song, by the embeddings of its sung pieces.

Pieces are clustered into singers as those of a conversation are into people: by average linkage of their cosines, then
along the likeliest path. With enrolment, each singer is the enrolled voice that is most alike, or unknown. On dev songs
more was right so than with each piece compared for itself, since a mean of many pieces is more certain than one.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from unbraid.corpora.rttm import Segment
from unbraid.dsp.arrays import FloatArray
from unbraid.files.printable import printable
from unbraid.files.texts import named_format, save_bytes
from unbraid.tasks.analysis.formats import csv_text, json_text
from unbraid.tasks.analysis.voice_pieces import SungVoices
from unbraid.tasks.conversation.conversation import UNCERTAIN
from unbraid.tasks.conversation.people import People, Voices, as_alike, find_people
from unbraid.tasks.conversation.segments import segments_of

UNKNOWN = "unknown"  # the name of singers who are not enrolled
FAMILIAR = 0.4  # cosine of a singer and an enrolled voice, with `voice`, above which they are one; of dev songs
MOST_SINGERS = 6
NOBODY = "nobody sings in it"
SINGER_FORMATS = {"csv": "csv", "json": "json", "labels": "txt"}  # and their file extensions
Enrolled = Mapping[str, FloatArray]  # the embedding (D,) of each name


@dataclass(frozen=True)
class Singers:
    """Who sings when in a recording."""

    passages: tuple[Segment, ...]  # in order of time, each with its singer and a confidence from 0 to 1
    model: str  # of the embeddings
    enrolled: tuple[str, ...] = ()  # the names that were looked for
    stem: str | None = None  # None: the recording as it is
    separator: str | None = None
    seconds: float = 0.0  # of the recording
    reason: str | None = None  # why there are none
    notices: tuple[str, ...] = ()  # warnings about the file

    @property
    def names(self) -> tuple[str, ...]:
        """Those who sing, in the order in which they begin: enrolled names, "unknown", or singer1, singer2, …."""
        return tuple(dict.fromkeys(passage.speaker for passage in self.passages))

    @property
    def singing_seconds(self) -> dict[str, float]:
        """How long each of them sings."""
        return {name: sum(p.seconds for p in self.passages if p.speaker == name) for name in self.names}

    @property
    def absent(self) -> tuple[str, ...]:
        """Those who are enrolled and do not sing."""
        return tuple(name for name in self.enrolled if name not in self.names)

    def __len__(self) -> int:
        return len(self.passages)

    def after(self, seconds: float) -> "Singers":
        """The same passages, so many seconds later."""
        later = (replace(p, start=p.start + seconds, end=p.end + seconds) for p in self.passages)
        return replace(self, passages=tuple(later), seconds=self.seconds + seconds)

    def to_csv(self) -> str:
        """A row for each passage: start and end in seconds, singer, confidence."""
        rows = ((f"{p.start:.3f}", f"{p.end:.3f}", p.speaker, p.confidence) for p in self.passages)
        return csv_text(("start", "end", "singer", "confidence"), rows)

    def to_labels(self) -> str:
        """A label track for Audacity."""
        return "".join(f"{p.start:.6f}\t{p.end:.6f}\t{printable(p.speaker)}\n" for p in self.passages)

    def to_json(self) -> str:
        """JSON with the singers, how long each sings, and the passages."""
        about = {
            "model": self.model,
            "stem": self.stem,
            "separator": self.separator,
            "seconds": round(self.seconds, 3),
            "singers": [{"name": name, "seconds": round(time, 3)} for name, time in self.singing_seconds.items()],
            "absent": list(self.absent),
            "reason": self.reason,
        }
        return json_text(about, "passages", map(passage_json, self.passages))

    def encoded(self, form: str) -> bytes:
        """The content of a file in one of `SINGER_FORMATS`."""
        text = {"csv": self.to_csv, "labels": self.to_labels}.get(form, self.to_json)
        return text().encode()

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write it in the format that the file's extension names: csv, json, or txt for labels.

        Raises:
            UsageError: there is no such format, or the file exists and `overwrite` is not set.
            AudioError: the disk refuses.
        """
        place = Path(path)
        save_bytes(place, self.encoded(check_singer_format(place.suffix)), overwrite=overwrite)


def check_singer_format(name: str) -> str:
    """The format of a name or file extension.

    Raises:
        UsageError: there is no such format.
    """
    return named_format(name, SINGER_FORMATS, "Who sings when is")


def passage_json(passage: Segment) -> dict[str, object]:
    """A passage as a JSON object."""
    sure = passage.confidence
    found = {"start": round(passage.start, 3), "end": round(passage.end, 3), "singer": passage.speaker}
    return found | {"confidence": sure, "uncertain": sure is not None and sure < UNCERTAIN}


def singers_of(
    sung: SungVoices, model: str, enrolled: Enrolled | None = None, number: int | tuple[int, int] | None = None
) -> Singers:
    """Who sings in a recording: of the enrolled, or else as many singers as there are, or as `number` says."""
    names = tuple(enrolled or ())
    if not sung.voices.known.any():
        return Singers((), model, names, seconds=sung.seconds, reason=NOBODY)
    bounds = (1, MOST_SINGERS) if number is None else number if isinstance(number, tuple) else (number, number)
    people = find_people(sung.voices, bounds)
    if enrolled:
        people, called = _recognised(people, sung.voices, enrolled), (*names, UNKNOWN)
    else:
        order = list(dict.fromkeys(people.persons.tolist()))
        called = tuple(f"singer{order.index(k) + 1 if k in order else 0}" for k in range(len(people.centres)))
    passages = segments_of(sung.voices.pieces, people, called, sung.frames, sung.seconds)
    return Singers(tuple(passages), model, names, seconds=sung.seconds)


def _recognised(people: People, voices: Voices, enrolled: Enrolled) -> People:
    """The enrolled as people, and after them somebody unknown: all pieces of a singer go to one of these."""
    known = np.stack(list(enrolled.values())).astype(np.float32)  # (K, D)
    alike = np.pad(people.centres @ known.T, ((0, 0), (0, 1)))  # (singers, K + 1)
    alike[:, -1] = as_alike(FAMILIAR, voices.scale)
    likeness = np.where(voices.known[:, None], alike[people.persons], 0)  # (P, K + 1)
    return People(alike.argmax(1)[people.persons], likeness.astype(np.float32), known, voices.scale)
