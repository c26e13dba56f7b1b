"""Pairs for speech synthesis: texts as indices, and recordings as log-mel spectrograms.

Silence around a recording is trimmed to a moment. An item is a pure function of (seed, position); a batch has
recordings of similar length (see length_buckets.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from unbraid.audio.spectrogram_files import checked_levels, is_spectrogram, open_spectrogram
from unbraid.corpora.levels import Array
from unbraid.corpora.mixtures import Clip
from unbraid.dsp.mel import mel_levels
from unbraid.hub.spec import Mel
from unbraid.hub.vocabulary import END, PADDING
from unbraid.training.data.aside import UsableItems, check_sounds
from unbraid.training.data.clip_cache import Shelf

SILENT_LEVEL = -1.0  # of a log-mel spectrogram
LEAD_SECONDS, TAIL_SECONDS = 0.05, 0.15  # of silence that is left
QUIET_DB = -40.0  # relative to the loudest moment: softer is silence
_KEPT_BYTES = 1 << 30


@dataclass(frozen=True)
class Script:
    """A recording and its text in numbers, the end left out."""

    clip: Clip
    symbols: tuple[int, ...]


@dataclass(frozen=True)
class Form:
    """The conversion of recordings to frames."""

    sample_rate: int
    mel: Mel
    stride: int  # r, frames that are written at a step


class SpokenText(NamedTuple):
    """One item."""

    source: Tensor  # (N,) int64, the text and its end
    frames: Tensor  # (M, r·F)


class SpokenBatch(NamedTuple):
    """Items side by side, with padding behind the shorter texts and silence behind the shorter recordings."""

    source: Tensor  # (B, N) int64
    lengths: Tensor  # (B,) int64, of the texts
    frames: Tensor  # (B, M, r·F)
    steps: Tensor  # (B,) int64, of the recordings


class SpokenTexts(UsableItems):
    """Texts with their recordings, one after the other."""

    def __init__(self, scripts: Sequence[Script], form: Form):
        self._form, self._shelf = form, Shelf(form.sample_rate, room_bytes=_KEPT_BYTES, keep_all=True)
        super().__init__(scripts, "There is no speech to learn from.")

    @property
    def samples(self) -> np.ndarray:
        """The length of each recording, silence included: (items,)."""
        return np.array([self._check(script) for script in self.recordings])

    def _check(self, script: Script) -> int:
        path = script.clip.path
        if is_spectrogram(path):
            return len(open_spectrogram(path, self._form.mel.bins)) * self._form.mel.hop_samples
        return self._shelf.checked(script.clip)

    def _item(self, script: Script) -> SpokenText:
        return SpokenText(torch.tensor([*script.symbols, END]), self._frames(script.clip))

    def _frames(self, clip: Clip) -> Tensor:
        """The frames (M, r·F) of a recording, or of a spectrogram as it is stored."""
        if is_spectrogram(clip.path):
            levels = checked_levels(open_spectrogram(clip.path, self._form.mel.bins), clip.path)
            return stacked(levels, self._form.stride)
        (audio,) = self._shelf.piece(clip, 0, self._shelf.samples(clip))
        return frames_of(check_sounds(audio, clip.path), self._form)


def frames_of(audio: Array, form: Form) -> Tensor:
    """A recording (T,) as frames, r at a step: (M, r·F)."""
    return stacked(mel_levels(without_silence(audio, form.sample_rate), form.mel, form.sample_rate), form.stride)


def stacked(levels: Array, stride: int) -> Tensor:
    """Levels (N, F), r of them at a step: (M, r·F)."""
    padded = np.pad(levels, ((0, -len(levels) % stride), (0, 0)), constant_values=SILENT_LEVEL)
    return torch.from_numpy(padded.reshape(len(padded) // stride, -1))


def without_silence(audio: Array, sample_rate: int) -> Array:
    """A recording (T,) with silence trimmed to a moment at both ends."""
    moment = max(1, sample_rate // 100)
    pieces = np.pad(audio, (0, -len(audio) % moment)).reshape(-1, moment)
    power = np.square(pieces).mean(-1)
    loud = np.flatnonzero(power > power.max(initial=0.0) * 10 ** (QUIET_DB / 10))
    if not len(loud):
        return audio[:moment]
    start = int(loud[0]) * moment - round(LEAD_SECONDS * sample_rate)
    return audio[max(0, start) : (int(loud[-1]) + 1) * moment + round(TAIL_SECONDS * sample_rate)]


def spoken_batch(items: Sequence[SpokenText]) -> SpokenBatch:
    """Items side by side."""
    return SpokenBatch(
        pad_sequence([item.source for item in items], batch_first=True, padding_value=PADDING),
        torch.tensor([len(item.source) for item in items]),
        pad_sequence([item.frames for item in items], batch_first=True, padding_value=SILENT_LEVEL),
        torch.tensor([len(item.frames) for item in items]),
    )
