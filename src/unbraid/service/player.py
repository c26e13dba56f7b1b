"""The data of the player: the peaks and a preview of each track, and what is shown along with it.

    player.json    {"model": "music-4", "seconds": 3.2, "lines": [...], "turns": [...], "tracks": [
                    {"name": "vocals", "peaks": [...], "sound": "vocals.preview.ogg", "file": "vocals.flac"}]}

The previews are those of the pages of `--report`: Opus, 12 minutes at most.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.tasks.pages.sound import LIMIT_SECONDS, Sound

NAME = "player.json"
COLUMNS = 1000  # of a waveform
_PEAKS_PER_SECOND = 50


@dataclass(frozen=True)
class PlayerTrack:
    """A track of the player."""

    name: str
    peaks: list[float]  # 0 to 1, the largest magnitude in each column
    sound: str  # the file of the preview
    file: str | None  # of the track itself; None: the recording, which the client has


@dataclass
class PlayerData:
    """All that the player shows."""

    model: str  # that was run
    seconds: float
    tracks: list[PlayerTrack]
    lines: list[dict[str, Any]] = field(default_factory=list)  # of a transcript
    turns: list[dict[str, Any]] = field(default_factory=list)  # who speaks when
    notices: tuple[str, ...] = ()  # warnings, which the job has as well
    song: dict[str, Any] | None = None  # what is found in a song

    def write(self, folder: Path) -> None:
        """Write the data beside its previews."""
        whole = {
            "model": self.model,
            "seconds": round(self.seconds, 3),
            "heard_seconds": round(min(self.seconds, LIMIT_SECONDS), 3),
            "tracks": [vars(track) for track in self.tracks],
            "lines": self.lines,
            "turns": self.turns,
            "song": self.song,
        }
        (folder / NAME).write_text(json.dumps(whole), encoding="utf-8")


class Preview:
    """The peaks and the preview of a track that comes in blocks (C, n)."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._step = max(1, sample_rate // _PEAKS_PER_SECOND)
        self._sound = Sound(sample_rate, channels, 1.0)
        self._peaks: list[FloatArray] = []
        self._rest = np.zeros(0, np.float32)
        self.seconds, self._rate = 0.0, sample_rate

    def add(self, block: FloatArray) -> None:
        """Add a block."""
        self._sound.add(block)
        self.seconds += block.shape[1] / self._rate
        loudest = np.concatenate([self._rest, np.abs(block).max(0)])  # (n,)
        whole = len(loudest) // self._step * self._step
        self._peaks.append(loudest[:whole].reshape(-1, self._step).max(1))
        self._rest = loudest[whole:]

    def finish(self, folder: Path, name: str, file: str | None) -> PlayerTrack:
        """Write the preview into a folder."""
        if len(self._rest):
            self._peaks.append(self._rest.max(keepdims=True))
        sound = f"{name}.preview.ogg"
        (folder / sound).write_bytes(self._sound.finish())
        return PlayerTrack(name, columns(np.concatenate(self._peaks)), sound, file)


def columns(peaks: FloatArray, most: int = COLUMNS) -> list[float]:
    """Peaks (n,) in at most so many columns of the same length."""
    if not len(peaks):
        return []
    edges = np.linspace(0, len(peaks), min(most, len(peaks)) + 1).astype(int)
    return [round(float(peak), 3) for peak in np.maximum.reduceat(peaks, edges[:-1]).clip(0, 1)]


def previewed(blocks: Iterable[FloatArray], sample_rate: int, channels: int, folder: Path) -> tuple[PlayerTrack, float]:
    """The track of a recording that comes in blocks (C, n), and its length in seconds."""
    preview = Preview(sample_rate, channels)
    for block in blocks:
        preview.add(block)
    return preview.finish(folder, "recording", None), preview.seconds


def turns_of(segments: Sequence[Any]) -> list[dict[str, Any]]:
    """Segments of a conversation for the player."""
    return [{"start": round(s.start, 2), "end": round(s.end, 2), "speaker": s.speaker} for s in segments]
