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
from torch.utils.data import Dataset

from unbraid.corpora.levels import Array
from unbraid.corpora.mixtures import Clip
from unbraid.dsp.mel import mel_levels
from unbraid.errors import UsageError
from unbraid.hub.spec import Mel
from unbraid.hub.vocabulary import END, PADDING
from unbraid.training.data.aside import Aside, check_sounds
from unbraid.training.data.clip_cache import Shelf
from unbraid.training.data.length_buckets import Bunches

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


class SpokenTexts(Dataset[SpokenText]):
    """Recordings to be judged by, one after the other."""

    def __init__(self, scripts: Sequence[Script], form: Form):
        self._form, self._aside = form, Aside()
        self._shelf = Shelf(form.sample_rate, room_bytes=_KEPT_BYTES, keep_all=True)
        self._scripts = self._aside.usable(scripts, lambda script: self._shelf.checked(script.clip))
        if not self._scripts:
            raise UsageError(f"There is no speech to learn from.{self._aside.told()}")

    def __len__(self) -> int:
        return len(self._scripts)

    def __getitem__(self, position: int) -> SpokenText:
        return self._aside.first(position, self._scripts, self._item)

    def _item(self, script: Script) -> SpokenText:
        (audio,) = self._shelf.piece(script.clip, 0, self._shelf.samples(script.clip))
        check_sounds(audio, script.clip.path)
        return SpokenText(torch.tensor([*script.symbols, END]), frames_of(audio, self._form))

    def seconds(self, position: int) -> float:
        """The length of a recording, silence included."""
        return self._shelf.samples(self._scripts[position].clip) / self._form.sample_rate


class ShuffledTexts(Dataset[SpokenText]):
    """Recordings in bunches of like length, without end. A batch is a bunch where `bunch` is its size."""

    def __init__(self, texts: SpokenTexts, *, bunch: int, seed: int):
        self._texts = texts
        self._order = Bunches(np.array([texts.seconds(n) for n in range(len(texts))]), bunch=bunch, seed=seed)

    def __getitem__(self, position: int) -> SpokenText:
        return self._texts[self._order[position]]

    @property
    def round_items(self) -> int:
        """Recordings in a round, without an incomplete last batch."""
        return self._order.round_items


def frames_of(audio: Array, form: Form) -> Tensor:
    """A recording (T,) as frames, r at a step: (M, r·F)."""
    levels = mel_levels(without_silence(audio, form.sample_rate), form.mel, form.sample_rate)
    padded = np.pad(levels, ((0, -len(levels) % form.stride), (0, 0)), constant_values=SILENT_LEVEL)
    return torch.from_numpy(padded.reshape(-1, form.stride * form.mel.bins))


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
