"""The result of a survey: the recordings in a file, one after the other, and how each is decoded."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from unbraid.audio import ogg
from unbraid.audio.headerless import Headerless
from unbraid.audio.info import Notice
from unbraid.audio.view import Piece
from unbraid.errors import AudioError

MOST_PARTS = 10_000  # recordings in one file


@dataclass(frozen=True)
class Part:
    """One recording in a file, and how it is to be decoded."""

    pieces: tuple[Piece, ...] | None = None  # the bytes that hold it; None: the whole file
    headerless: Headerless | None = None
    is_known: bool = False  # whether it is in a format of libsndfile's, by its first bytes
    needs_ffmpeg: bool = False
    missing: int = 0  # bytes of samples that the header states and the file lacks
    there: int = 0  # bytes of samples, then
    link: ogg.Link | None = None
    is_cut: bool = False


WHOLE = Part()


@dataclass(frozen=True)
class Survey:
    """The recordings in a file, one after the other."""

    parts: tuple[Part, ...]
    notices: tuple[Notice, ...] = ()
    following: int | None = None  # where one of another kind begins, behind all of these


WHOLE_FILE = Survey((WHOLE,))


def as_notices(wrong: Iterable[str]) -> tuple[Notice, ...]:
    """Warnings about wrong headers, without duplicates."""
    return tuple(Notice(text, is_wrong_header=True) for text in dict.fromkeys(wrong))


def check_count(parts: Sequence[object], name: str) -> None:
    """Refuse a file of too many recordings."""
    if len(parts) > MOST_PARTS:
        raise AudioError(
            f"{name} holds more than {MOST_PARTS} recordings, one after the other. Convert it to a single one first."
        )
