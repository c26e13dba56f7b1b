"""Training from audio to text: recognisers of spectrograms or waveforms (see models/audio_transformer).

Decoder and CTC are trained together on one encoder, "Joint CTC-Attention" (Kim et al., arXiv 1609.06773):

    −log p_decoder(text | audio), smoothed (see text.py)  +  λ · −log p_CTC(text | audio) (Graves et al., 2006)

each a mean over symbols. CTC enforces a monotonic alignment and gives times; the decoder models the texts. The dev
score is 100 % minus the word error rate of greedy CTC if there is CTC, because a decoder alone repeats itself until
late in training; it only has to rescore hypotheses when the model is used (see decoder_recognizer.py).
"""

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import Dataset

from unbraid.audio.spectrogram_files import is_spectrogram
from unbraid.corpora.pairs import find_pairs
from unbraid.corpora.transcripts import Utterance, find_utterances, transcribed
from unbraid.errors import UsageError
from unbraid.files.ranges import Range
from unbraid.hub.importers.wav2vec2_backbone import Trunk
from unbraid.hub.spec import Mel, Windows
from unbraid.hub.vocabulary import PADDING, SPECIAL, Vocabulary
from unbraid.models.audio_transformer.config import AudioTransformerConfig, SpectrogramSide
from unbraid.models.audio_transformer.network.model import AudioTransformer
from unbraid.tasks.decoding import ctc
from unbraid.training.data.aside import UsableItems
from unbraid.training.data.augmentation import Perturbing
from unbraid.training.data.file_texts import FileTexts
from unbraid.training.data.length_buckets import Bunched
from unbraid.training.data.tokenizer import Units, check_units, units_of
from unbraid.training.data.utterances import (
    HeardBatch,
    HeardText,
    Hearing,
    PerturbedUtterances,
    Utterances,
    heard_batch,
)
from unbraid.training.pretrained import pretrained_trunk
from unbraid.training.tables import Above, NonNegative, Positive, Table, Whole
from unbraid.training.tasks.folders import check_given
from unbraid.training.tasks.listener import AudioTextModel
from unbraid.training.tasks.task import Score, Task
from unbraid.training.tasks.text import TextLoss, accuracies, text_loss, write
from unbraid.training.warm_start import listening_taken, voices_taken


@dataclass(frozen=True)
class AudioTextData(Table):
    """The training and dev data."""

    folder: str = ""  # with a manifest.csv (see corpora/transcripts.py)
    pairs: str = ""  # instead of it: a CSV of one's own, with the splits train and dev (see corpora/pairs.py)
    split: str = ""  # of it; "": all
    speakers: tuple[str, ...] = ()  # only these, or those in folders of such names; none: all
    without: tuple[str, ...] = ()  # not these
    dev: tuple[str, ...] = ()  # these choose; none: every `dev_every`-th utterance of each speaker does
    dev_every: Annotated[int, Range(2, math.inf)] = 10
    extra: str = ""  # another such folder, whose split train is trained on, too; such as synthetic voices
    repeats: Positive = 1  # of an utterance of `folder` for each of one in `extra`
    sample_rate: Positive = 8000
    epoch_utterances: Positive = 2000
    window_seconds: Above = 8.0  # of the model's windows; about the longest training utterance
    units: str = "auto"  # that texts are written in: characters, words, bpe-500 (see data/tokenizer.py)
    workers: Whole = 0  # processes that prepare batches; 0: the training process itself

    def __post_init__(self) -> None:
        super().__post_init__()
        check_given("folder", self.folder, self.pairs)
        check_units(self.units)


@dataclass(frozen=True)
class AudioTextLoss(TextLoss):
    """The loss: cross-entropy of the decoder and CTC."""

    ctc_weight: NonNegative = 1.0  # λ


@dataclass(frozen=True)
class AudioToText(Task):
    """The task (see task.py): speech -> text."""

    score: ClassVar[Score] = Score("dev_accuracy", "word error rate", "%", is_accuracy=True)
    item: ClassVar[str] = "utterances"
    dev_batch: ClassVar[int] = 16
    epoch: ClassVar[str] = "epoch_utterances"
    fixed: ClassVar[tuple[str, ...]] = (
        "data.sample_rate", "data.epoch_utterances", "data.repeats", "data.extra", "data.units", "mel.",
    )  # fmt: skip

    model: AudioTextModel
    data: AudioTextData
    mel: Mel = field(default_factory=Mel)
    perturbing: Perturbing = field(default_factory=Perturbing)
    loss: AudioTextLoss = field(default_factory=AudioTextLoss)

    @property
    def geometry(self) -> AudioTransformerConfig:
        """The sizes of [model] between the audio and the symbols of the texts."""
        return self.model.between(self.mel.bins, len(self.vocabulary), self._trunk)

    @property
    def parts(self) -> tuple[str, ...]:
        """The decoder and, if there is one, CTC."""
        return ("decoder", "ctc") if self.model.ctc else ("decoder",)

    @property
    def source(self) -> str:
        """The folders, the speakers left out, and the pretrained encoder."""
        names = [
            Path(self.data.pairs or self.data.folder).name,
            *([Path(self.data.extra).name] if self.data.extra else ()),
        ]
        left_out = f", without {', '.join(self.data.without)}" if self.data.without else ""
        before = f", from {self.model.pretrained}" if self.model.pretrained else ""
        return f"{' and '.join(names)}{left_out}{before}"

    @property
    def vocabulary(self) -> Vocabulary:
        """The symbols of all texts that are trained on."""
        return self.units.vocabulary

    @cached_property
    def units(self) -> Units:
        """The units of those texts: characters, words or subwords."""
        return units_of(self.data.units, [utterance.text for utterance in self._trained])

    @property
    def hearing(self) -> Hearing:
        """The input format of the network."""
        side = self.model.side(self.mel.bins, self._trunk)
        return Hearing(self.data.sample_rate, side, self.mel if isinstance(side, SpectrogramSide) else None)

    def network(self) -> AudioTransformer:
        """A new audio Transformer, with the weights of a pretrained encoder if one is named."""
        return self.model.network(self.geometry, self._trunk)

    def training_data(self, seed: int, together: int) -> Dataset[HeardText]:
        """Augmented utterances, grouped by length; of spectrograms in files, they are not augmented."""
        if self._has_spectrograms:
            texts = self._read_texts(self._own[0])
            return Bunched(texts, texts.steps, bunch=together, seed=seed)
        utterances = [*self._own[0] * self.data.repeats, *self._extra]
        encode = self.units.encode
        return PerturbedUtterances(utterances, self.hearing, encode, self.perturbing, bunch=together, seed=seed)

    def dev_data(self) -> UsableItems:
        """The dev utterances as they are."""
        if self._has_spectrograms:
            return self._read_texts(self._own[1])
        return Utterances(self._own[1], self.hearing, self.units.encode)

    def collate(self, items: list[HeardText]) -> HeardBatch:
        """A padded batch."""
        return heard_batch(items)

    def losses(self, model: nn.Module, batch: HeardBatch) -> dict[str, Tensor]:
        """Cross-entropy of the decoder and CTC, with their weights."""
        assert isinstance(model, AudioTransformer)
        memory = model.encode(batch.source, batch.lengths)
        logits = model.decode(batch.target[:, :-1], memory, batch.lengths)
        assert isinstance(logits, Tensor)
        found = {"decoder": text_loss(self.loss, logits, batch.target[:, 1:])}
        if self.model.ctc:
            found["ctc"] = self.loss.ctc_weight * ctc_loss(model.ctc(memory), batch.lengths, batch.answers)
        return found

    def scores(self, model: nn.Module, batch: HeardBatch) -> dict[str, Tensor]:
        """100 % minus the word error rate by utterance, by greedy CTC if there is one, else by the decoder."""
        assert isinstance(model, AudioTransformer)
        if self.model.ctc:
            chosen, texts = "ctc", heard(model.ctc(model.encode(batch.source, batch.lengths)), batch.lengths)
        else:
            chosen, texts = "decoder", write(model, batch.source, batch.lengths, int(batch.lengths.max()))
        answers = [[self.units.words(answer)] for answer in batch.answers]
        right = accuracies([self.units.words(text) for text in texts], answers)
        return {chosen: right.to(batch.source.device)}

    def start(self, model: nn.Module, saved: Mapping[str, Any], path: str) -> None:
        """Take over all weights, or only the encoder if the other model has other symbols."""
        own, given = model.state_dict(), saved["model"]
        writes_alike = saved.get("vocabularies") == self.record()["vocabularies"]
        model.load_state_dict(voices_taken(own, given, {}, path) if writes_alike else listening_taken(own, given, path))

    def record(self) -> dict[str, Any]:
        """The vocabulary, the sample rate, the windows, and the spectrogram if there is one."""
        seconds = self.data.window_seconds
        found = {
            "vocabularies": {"source": [], "target": list(self.vocabulary.symbols)},
            "sample_rate": self.data.sample_rate,
            "windows": dataclasses.asdict(Windows(seconds, seconds / 4)),
        }
        return found | ({"mel": dataclasses.asdict(self.mel)} if self.hearing.mel else {})

    def describe(self, batch: HeardBatch) -> dict[str, str]:
        """The batch, its longest recording and text."""
        seconds = self.hearing.step_samples / self.data.sample_rate
        longest = int(batch.lengths.max())
        return {
            "speech": f"{len(batch.lengths)} of at most {longest} steps ({longest * seconds:.1f} s)",
            "text": f"at most {batch.target.shape[1] - 2} symbols of {len(self.vocabulary) - len(SPECIAL)}",
        }

    @cached_property
    def _own(self) -> tuple[list[Utterance], list[Utterance]]:
        """The utterances of the folder: to train on, and to choose."""
        d = self.data
        if d.pairs:
            train, dev = (transcribed(find_pairs(Path(d.pairs), split)) for split in ("train", "dev"))
            return train, dev
        folder = Path(d.folder)
        found = find_utterances(folder, d.split, speakers=d.speakers, without=(*d.without, *d.dev))
        if d.dev:
            return found, find_utterances(folder, d.split, speakers=d.dev, without=d.without)
        return every_nth(found, d.dev_every)

    @cached_property
    def _extra(self) -> list[Utterance]:
        return find_utterances(Path(self.data.extra), "train") if self.data.extra else []

    @property
    def _has_spectrograms(self) -> bool:
        """Whether some sources are stored as spectrograms."""
        return any(is_spectrogram(utterance.clip.path) for part in self._own for utterance in part)

    def _read_texts(self, utterances: Sequence[Utterance]) -> FileTexts:
        return FileTexts(utterances, self.hearing, self.units.encode)

    @property
    def _trained(self) -> list[Utterance]:
        return [*self._own[0], *self._extra]

    @cached_property
    def _trunk(self) -> Trunk | None:
        """The pretrained encoder below the network's own, if there is one."""
        if not self.model.pretrained:
            return None
        trunk = pretrained_trunk(self.model.pretrained)
        if trunk.sample_rate != self.data.sample_rate:
            raise UsageError(
                f"data.sample_rate is {self.data.sample_rate}, but {self.model.pretrained} hears "
                f"{trunk.sample_rate} Hz; write that."
            )
        return trunk


def every_nth(utterances: Sequence[Utterance], n: int) -> tuple[list[Utterance], list[Utterance]]:
    """The utterances, but for every n-th of each speaker; and those.

    Raises:
        UsageError: no speaker has so many.
    """
    counts, rest, chosen = Counter[str](), list[Utterance](), list[Utterance]()
    for utterance in utterances:
        counts[utterance.speaker] += 1
        (rest if counts[utterance.speaker] % n else chosen).append(utterance)
    if not chosen:
        raise UsageError(f"No speaker has {n} utterances, so that one could choose; lower data.dev_every.")
    return rest, chosen


def ctc_loss(logits: Tensor, lengths: Tensor, answers: Sequence[Sequence[int]]) -> Tensor:
    """−log p(text | audio) from logits (B, N, V), the mean over all symbols of the batch; blank is `PADDING`.

    A text that has no room in its steps counts nothing.
    """
    log_probs = logits.float().log_softmax(-1).transpose(0, 1)  # (N, B, V)
    flat = torch.tensor([symbol for answer in answers for symbol in answer], dtype=torch.long, device=logits.device)
    counts = torch.tensor([len(answer) for answer in answers])
    each = F.ctc_loss(log_probs, flat, lengths.cpu(), counts, PADDING, reduction="none", zero_infinity=True)  # (B,)
    return each.sum() / max(1, len(flat))


@torch.no_grad()
def heard(logits: Tensor, lengths: Tensor) -> list[list[int]]:
    """Greedy CTC decoding of logits (B, N, V): repeats and blanks are left out."""
    rows = [row[:length] for row, length in zip(logits.float().cpu().numpy(), lengths.tolist(), strict=True)]
    return [[span.symbol for span in ctc.greedy(row) if span.symbol >= len(SPECIAL)] for row in rows]
