"""Counting the packets of a format without time stamps, to measure how much audio is damaged.

Only damaged files are read once more for this, without decoding. The table of an mp3 states its number of frames, so
that the missing ones are known exactly even at a variable bit rate.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import av

from unbraid.audio import mpeg_frames
from unbraid.audio.demuxers import open_container
from unbraid.audio.info import Unreadable
from unbraid.audio.view import opened


@dataclass(frozen=True)
class Loss:
    """The audio that a file has lost to damage."""

    packets_per_byte: float | None = None  # between intact packets; None: as within them
    hidden_bytes: int = 0  # outside of packets: FFmpeg gives no true positions in ADTS


def measure_loss(source: Path | BinaryIO, container: str, stated_packets: int | None) -> Loss:
    """Count intact packets; the position of a file object is restored."""
    sound, between, whole, end = 0, 0, 0, 0
    with opened(source) as file:
        position, size = file.tell(), file.seek(0, 2)
        try:
            with open_container(file) as packed:
                for packet in packed.demux(packed.streams.audio[0]):
                    if packet.size and packet.pos is not None:
                        between += max(0, packet.pos - end) if end else 0
                        end, whole = packet.pos + packet.size, whole + packet.size
                        if mpeg_frames.is_whole(bytes(packet)):
                            sound += 1
                        else:
                            between += packet.size
        except (av.FFmpegError, Unreadable, OSError, IndexError):  # damaged as it is
            return Loss()
        finally:
            file.seek(position)
    if container == "aac":
        return Loss(hidden_bytes=max(0, size - whole))
    if stated_packets is None or stated_packets <= sound or not between:
        return Loss()
    return Loss((stated_packets - sound) / between)
