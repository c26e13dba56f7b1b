"""Utterances for training: a log-mel spectrogram or waveform, and the text as indices.

An item is a pure function of (seed, position). If a speaker's recordings can be cut into their words, some items are
new texts joined from these words, because a decoder would memorise a small number of texts.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from unbraid.corpora.levels import Array
from unbraid.corpora.transcripts import Utterance
from unbraid.dsp.mel import mel_levels
from unbraid.errors import AudioError, UsageError
from unbraid.hub.spec import Mel
from unbraid.hub.vocabulary import BEGIN, END, PADDING
from unbraid.models.audio_transformer.config import Side, samples_in_step
from unbraid.models.audio_transformer.padding import steps_in, whole_steps
from unbraid.training.data.aside import Aside, UsableItems, check_sounds
from unbraid.training.data.augmentation import Perturbing, cut_at_pauses, joined, masked, milder, perturbed, silence
from unbraid.training.data.clip_cache import Shelf
from unbraid.training.data.length_buckets import Bunches

_SILENCE_SECONDS = (0.5, 3.0)
_TRIES = 4  # to find a recording that can be cut
_KEPT_BYTES = 1 << 30


@dataclass(frozen=True)
class Hearing:
    """The input of a network: samples or a spectrogram, and their number in a step."""

    sample_rate: int
    side: Side  # the network's source
    mel: Mel | None = None  # None: samples

    @property
    def step_samples(self) -> int:
        """Samples in a step."""
        return samples_in_step(self.side, self.mel)

    @property
    def stride(self) -> int:
        """Samples or frames in a step."""
        return self.step_samples // (self.mel.hop_samples if self.mel else 1)

    def __call__(self, audio: Array) -> Array:
        """Audio (T,) as whole steps: samples (N·stride,) or log-mel (N·stride, F)."""
        return whole_steps(mel_levels(audio, self.mel, self.sample_rate) if self.mel else audio, self.side)


class HeardText(NamedTuple):
    """One item."""

    source: Tensor  # log-mel (N·stride, F) or samples (N·stride,)
    steps: int  # N
    symbols: tuple[int, ...]  # without any special ones


class HeardBatch(NamedTuple):
    """Items side by side, with zeros behind the shorter ones."""

    source: Tensor  # (B, N·stride, F) or (B, N·stride)
    lengths: Tensor  # (B,) int64, in steps
    target: Tensor  # (B, M) int64: begin, the symbols, end
    answers: list[tuple[int, ...]]


Encode = Callable[[str], Sequence[int]]


class Utterances(UsableItems):
    """Utterances for scoring, in order and as they were recorded."""

    def __init__(self, utterances: Sequence[Utterance], hearing: Hearing, encode: Encode):
        self._hearing, self._encode, self._shelf = hearing, encode, Shelf(hearing.sample_rate)
        super().__init__(utterances, "There is no speech to choose by.")

    def _check(self, utterance: Utterance) -> None:
        _check(utterance, self._shelf, self._hearing, self._encode)

    def _item(self, utterance: Utterance) -> HeardText:
        speech = _whole(utterance, self._shelf)
        return _item(self._hearing, self._hearing(speech), self._encode(utterance.text))


class PerturbedUtterances(Dataset[HeardText]):
    """Utterances altered at random (see augmentation.py), in batches of similar length, without end.

    An utterance that is given several times occurs several times in a round.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        hearing: Hearing,
        encode: Encode,
        values: Perturbing,
        *,
        bunch: int,
        seed: int,
    ):
        self._hearing, self._encode, self._aside = hearing, encode, Aside()
        self._values, self._seed = values, seed
        self._shelf = Shelf(hearing.sample_rate, room_bytes=_KEPT_BYTES, keep_all=True)
        utterances = self._aside.usable(utterances, lambda u: _check(u, self._shelf, hearing, encode))
        if not utterances:
            raise UsageError(f"There is no speech to train on.{self._aside.told()}")
        self._utterances = utterances
        sizes = {u: self._shelf.samples(u.clip) for u in dict.fromkeys(utterances)}
        self._order = Bunches(np.array([sizes[u] for u in utterances]), bunch=bunch, seed=seed)
        self._by_speaker: dict[str, list[Utterance]] = {}
        for utterance in sizes:
            self._by_speaker.setdefault(utterance.speaker, []).append(utterance)
        self._cuts: dict[Utterance, list[slice]] = {}  # places only: all audio would not fit into memory

    @property
    def round_items(self) -> int:
        """Items in a round."""
        return self._order.round_items

    def __getitem__(self, position: int) -> HeardText:
        random = np.random.default_rng((self._seed, position))
        values, hearing = self._values_at(position), self._hearing
        place = self._order[position]
        utterance, whole = self._aside.first(place, self._utterances, lambda u: (u, _whole(u, self._shelf)))
        if random.random() < values.silence_probability:
            speech, text = silence(round(hearing.sample_rate * random.uniform(*_SILENCE_SECONDS)), values, random), ""
        else:
            joint = self._joined(utterance, count, random) if (count := self._words_joined(position, values)) else None
            speech, text = joint or (whole, utterance.text)
            speech = perturbed(speech, values, hearing.sample_rate, random)
        heard = hearing(speech)
        if hearing.mel is not None:
            heard = masked(heard, values, hearing.mel.hop_samples / hearing.sample_rate, random)
        return _item(hearing, heard, self._encode(text))

    def _values_at(self, position: int) -> Perturbing:
        """The strength of augmentation at a position; the same in a whole batch."""
        first = position // self._order.bunch * self._order.bunch
        return (
            self._values if first >= self._values.full_after else milder(self._values, first / self._values.full_after)
        )

    def _words_joined(self, position: int, values: Perturbing) -> int:
        """The number of words to join into each text of a batch, the same for similar lengths; 0: none are joined."""
        random = np.random.default_rng((self._seed, position // self._order.bunch, 1))
        if random.random() >= values.joined_probability:
            return 0
        return int(random.integers(1, values.joined_words + 1))

    def _joined(self, place: Utterance, count: int, random: np.random.Generator) -> tuple[Array, str] | None:
        """Join `count` words of one speaker; None if no utterance can be split into its words."""
        theirs = self._by_speaker[place.speaker]
        drawn = (theirs[k] for k in random.integers(len(theirs), size=_TRIES * count))
        cut = itertools.islice(((u, places) for u in drawn if (places := self._cut(u))), count)
        found = [(u, k, places[k]) for u, places in cut for k in [int(random.integers(len(places)))]]
        if not found:
            return None
        pieces = [_whole(u, self._shelf)[place] for u, _, place in found]
        speech = joined(pieces, self._values, self._hearing.sample_rate, random)
        return speech, " ".join(u.words[k] for u, k, _ in found)

    def _cut(self, utterance: Utterance) -> list[slice]:
        """The places of the words; empty if the utterance cannot be split at pauses."""
        if utterance not in self._cuts:
            speech = self._aside.attempt(utterance, lambda: _whole(utterance, self._shelf))
            rate = self._hearing.sample_rate
            self._cuts[utterance] = [] if speech is None else cut_at_pauses(speech, len(utterance.words), rate)
        return self._cuts[utterance]


def heard_batch(items: Sequence[HeardText]) -> HeardBatch:
    """Items side by side."""
    targets = [torch.tensor([BEGIN, *item.symbols, END]) for item in items]
    return HeardBatch(
        pad_sequence([item.source for item in items], batch_first=True),
        torch.tensor([item.steps for item in items]),
        pad_sequence(targets, batch_first=True, padding_value=PADDING),
        [item.symbols for item in items],
    )


def _check(utterance: Utterance, shelf: Shelf, hearing: Hearing, encode: Encode) -> None:
    """Refuse a recording that, by its header, cannot be read or is too short for its text."""
    steps, symbols = shelf.checked(utterance.clip) / hearing.step_samples, len(encode(utterance.text))
    if steps < symbols:
        seconds = shelf.samples(utterance.clip) / hearing.sample_rate
        raise AudioError(f"{utterance.clip.path} lasts {seconds:.3f} s, too short for its text of {symbols} symbols.")


def _whole(utterance: Utterance, shelf: Shelf) -> Array:
    (speech,) = shelf.piece(utterance.clip, 0, shelf.samples(utterance.clip))
    return check_sounds(np.asarray(speech), utterance.clip.path)


def _item(hearing: Hearing, heard: Array, symbols: Sequence[int]) -> HeardText:
    source = torch.from_numpy(np.ascontiguousarray(heard, np.float32))
    return HeardText(source, steps_in(hearing.side, len(heard)), tuple(symbols))
