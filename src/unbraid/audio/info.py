"""The facts of an audio track before its samples are read, and the interface of decoders.

Two decoders stand behind `read.py`: libsndfile (`sndfile.py`) and FFmpeg's libraries (`ffmpeg.py`). Both deliver
float32 blocks (C, n) from the first sample on; `read.py` cuts out the requested range.
"""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unbraid.errors import AudioError

Audio = NDArray[np.float32]  # (C, T)
MOST_HERTZ = 10_000_000  # the rate of no recording is higher; filters grow with it
BLOCK_FRAMES = 65536  # per block when the caller does not say: 1.5 s at 44.1 kHz


@dataclass(frozen=True)
class AudioInfo:
    """One audio track of a file, as its header describes it."""

    sample_rate: int
    channels: int
    frames: int | None  # of the whole track; None where only decoding it can tell
    duration: float | None  # seconds; an estimate where frames is None
    container: str  # "wav", "flac", "mp3", "mov,mp4,m4a,3gp,3g2,mj2", …
    codec: str  # "pcm_16", "vorbis", "aac", …
    bits: int | None  # per sample; None for lossy codecs
    is_float: bool
    lossy: bool
    tags: dict[str, str] = field(default_factory=dict)  # canonical names, see tags.py
    tracks: int = 1  # audio tracks in the file
    track: int = 0  # which of them this is
    start_seconds: float = 0.0  # of silence in front, for a track that starts later than its file


@dataclass(frozen=True)
class Notice:
    """A warning about an irregular file; `text` follows the file's name and a colon."""

    text: str
    is_wrong_header: bool = False  # an error where reading is strict


class Decoder(Protocol):
    """A track being decoded, from its start to its end, once."""

    info: AudioInfo
    readable: int | None = None  # frames known to be there; fewer than info.frames in a file that was cut off
    notices: list[Notice]  # so far
    obstacle: AudioError | None = None  # why nothing can be read after the readable frames; None: it was cut off
    is_cut: bool = False  # whether the file stops before its own end, although nothing states how much is missing

    def skip(self, frames: int) -> int:
        """Skip frames; fewer only at the end of the track."""
        ...

    def read(self, frames: int) -> Audio:
        """The next frames as (C, n); n < frames only when the track ends."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


def drop(decoder: Decoder, frames: int) -> int:
    """Skip frames by decoding them; fewer only at the end of the track."""
    dropped = 0
    while dropped < frames and (count := decoder.read(min(frames - dropped, BLOCK_FRAMES)).shape[1]):
        dropped += count
    return dropped


class Unreadable(Exception):
    """This decoder does not know the file; another one may. Never reaches the caller."""


class Damaged(AudioError):
    """A track whose decoding breaks off; another decoder may go on behind the damage."""


def damaged(name: str, seconds: float, reason: str) -> Damaged:
    """The error for a damaged track."""
    return Damaged(
        f"{name} is damaged after {seconds:.3f} s ({reason}). "
        f"Get an intact copy, choose a duration that ends before the damage or a start after it, or replace it by "
        f"silence with --skip-damage."
    )


def changed(name: str, first: AudioInfo, rate: int, channels: int, seconds: float) -> AudioError:
    """The error for a track that goes on at another rate, or with other channels."""
    return AudioError(
        f"{name} changes from {first.sample_rate} Hz, {first.channels} channels to {rate} Hz, "
        f"{channels} channels at {seconds:.3f} s. Convert it to one sample rate and channel count first."
    )


def no_such_track(name: str, track: int, tracks: int) -> AudioError:
    """The error for a track number that the file lacks."""
    if tracks == 1:
        return AudioError(f"{name} has no audio track {track}: it has one, track 0.")
    return AudioError(f"{name} has no audio track {track}: it has {tracks}, tracks 0 to {tracks - 1}.")
