"""Facts about a file that FFmpeg does not report, read from its bytes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from unbraid.audio import boxes, mpeg_frames, ogg
from unbraid.audio.view import opened


@dataclass(frozen=True)
class Facts:
    """Facts about a file, read before FFmpeg opens it."""

    is_cut: bool = False
    is_damaged: bool = False
    edited_seconds: dict[int, float] = field(default_factory=dict)  # by the number of a track: with all its edits
    mp3_packets: int | None = None  # that the table of an mp3 states


def look_at(source: Path | BinaryIO, link: ogg.Link | None = None) -> Facts:
    """Read the first bytes of a file; `link` is what its survey found of Ogg."""
    if link is not None:
        return Facts(not link.is_complete, link.inspection.is_damaged)
    with opened(source) as file:
        file.seek(4)
        if file.read(4) in boxes.FIRST_BOXES:
            return Facts(edited_seconds=boxes.edited_seconds(file))
        return Facts(mp3_packets=mpeg_frames.stated_frames(file))
