"""Facts about a file that FFmpeg does not report, read from its bytes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from unbraid.audio import edits, mp3, ogg_pages


@dataclass(frozen=True)
class Facts:
    """Facts about a file, read before FFmpeg opens it."""

    is_cut: bool = False
    is_damaged: bool = False
    edited_seconds: dict[int, float] = field(default_factory=dict)  # by the number of a track: with all its edits
    mp3_packets: int | None = None  # that the table of an mp3 states


def look_at(source: Path | BinaryIO) -> Facts:
    """Read the first bytes of a file; of Ogg, all pages."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            return look_at(file)
    source.seek(0)
    head = source.read(4)
    if head == b"OggS":
        pages = ogg_pages.examine(source)
        return Facts(pages.is_cut, pages.is_damaged) if pages else Facts()
    if source.read(4) in edits.FIRST_BOXES:
        return Facts(edited_seconds=edits.edited_seconds(source))
    return Facts(mp3_packets=mp3.stated_packets(source) if mp3.is_mp3(source) else None)
