"""The result of a survey: the recordings in a file, one after the other, and how each is decoded."""

from collections.abc import Sequence
from dataclasses import dataclass

from unbraid.audio import ogg
from unbraid.audio.headerless import Headerless
from unbraid.audio.heads import Behind
from unbraid.audio.info import Notice
from unbraid.audio.view import Piece

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
class Found:
    """Recordings of one format, one after the other, and what lies behind them."""

    parts: Sequence[Part]
    behind: Behind
    wrong: Sequence[str] = ()  # warnings about their headers


@dataclass(frozen=True)
class Survey:
    """All recordings in a file, one after the other."""

    parts: tuple[Part, ...]
    notices: tuple[Notice, ...] = ()
