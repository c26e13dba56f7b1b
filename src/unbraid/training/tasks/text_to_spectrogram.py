"""Training from text to spectrogram: an audio Transformer as an acoustic model (see models/audio_transformer).

Training uses teacher forcing (Li et al., arXiv 1809.08895). The losses:

    frames     |y - ŷ| + (y - ŷ)², before and after the post-net
    stop       the cross-entropy of whether a step is the last
    looking    guided attention (Tachibana et al., arXiv 1710.08969, equation 9): texts are read from left to right, so
               the attention A of half of the heads is penalised by its distance from the diagonal,

               Σ_n A_mn (1 - exp(-(n/N - m/M)² / 2g²)), mean over steps m

The dev score is minus the mean distance of levels in dB between free-running synthesis and the recordings, after time
warping (see dsp/warping.py).
"""

import dataclasses
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.corpora.mixtures import Clip
from unbraid.corpora.pairs import find_pairs
from unbraid.corpora.transcripts import Utterance, find_utterances
from unbraid.dsp.warping import warped_distance
from unbraid.errors import UsageError
from unbraid.hub.spec import Mel
from unbraid.hub.vocabulary import SPECIAL, Vocabulary
from unbraid.models.audio_transformer.config import AudioTransformerConfig, SpectrogramSide, TextSide
from unbraid.models.audio_transformer.network.model import AudioTransformer
from unbraid.tasks.synthesis.phonemizer import Phonemizer
from unbraid.tasks.synthesis.text_frontend import most_seconds, phonemes_of, sentences_of, vocabulary_of
from unbraid.training.data.length_buckets import Bunched
from unbraid.training.data.spoken import Form, Script, SpokenBatch, SpokenText, SpokenTexts, spoken_batch
from unbraid.training.data.tokenizer import units_of
from unbraid.training.tables import Above, NonNegative, PartialShare, Positive, Table, Whole
from unbraid.training.tasks.folders import check_given
from unbraid.training.tasks.greedy import Follows, decode
from unbraid.training.tasks.task import Score
from unbraid.training.tasks.transformer import TransformerModel, TransformerTask

DECIBELS = 40  # of a level of 1


@dataclass(frozen=True, kw_only=True)
class SpeakModel(TransformerModel):
    """The sizes of the network, but for those of the text, which follow from the phonemes."""

    stride: int = 5  # r, frames at a step
    features: int = 128
    hidden: int = 384
    decoder_layers: int = 3
    dropout: PartialShare = 0.0  # too little is learnt, not too much

    def __post_init__(self) -> None:
        super().__post_init__()
        self.between(len(SPECIAL) + 1, 1)  # refuses sizes that do not go together

    def between(self, symbols: int, bins: int) -> AudioTransformerConfig:
        """The network's sizes for the given symbols and mel bands."""
        sides = TextSide(symbols), SpectrogramSide(bins, (self.stride,))
        return AudioTransformerConfig(*sides, decoder_layers=self.decoder_layers, **self.sizes)


@dataclass(frozen=True)
class SpeakData(Table):
    """The training and dev data."""

    folder: str = ""  # with a manifest.csv (see corpora/transcripts.py)
    pairs: str = ""  # instead of it: a CSV of one's own, whose texts are read as they are written (corpora/pairs.py)
    units: Literal["auto", "characters", "words"] = "auto"  # of these texts (see data/tokenizer.py)
    speakers: tuple[str, ...] = ()  # names of one voice; empty: all recordings
    train: str = "train"  # splits
    dev: str = "dev"
    phonemizer: str = "g2p"  # the model for the pronunciation of words
    sample_rate: Positive = 8000
    epoch_utterances: Positive = 1000
    dev_utterances: Whole = 0  # the number of utterances to use; 0: all
    workers: Whole = 0  # processes that prepare batches; 0: the training process itself

    def __post_init__(self) -> None:
        super().__post_init__()
        check_given("folder", self.folder, self.pairs)


@dataclass(frozen=True)
class SpeakLoss(Table):
    """The weights of the losses besides the distance of frames."""

    stop_weight: NonNegative = 0.1
    stop_positive: NonNegative = 5.0  # the weight of the last step
    looking_weight: NonNegative = 1.0
    looking_width: Above = 0.2  # g


@dataclass(frozen=True)
class TextToSpectrogram(TransformerTask):
    """The task (see task.py): text -> speech, as a spectrogram."""

    score: ClassVar[Score] = Score("dev_distance", "distance of levels", "dB")
    item: ClassVar[str] = "utterances"
    dev_batch: ClassVar[int] = 32
    epoch: ClassVar[str] = "epoch_utterances"
    fixed: ClassVar[tuple[str, ...]] = (
        "data.sample_rate", "data.epoch_utterances", "data.phonemizer", "data.units", "mel.",
    )  # fmt: skip
    parts: ClassVar[tuple[str, ...]] = ("frames",)

    model: SpeakModel
    data: SpeakData
    mel: Mel = field(default_factory=Mel)
    loss: SpeakLoss = field(default_factory=SpeakLoss)

    def __post_init__(self) -> None:
        if self.mel.normalized:
            raise ValueError("[mel] normalized is for models that write text; what is spoken has a level.")

    @property
    def geometry(self) -> AudioTransformerConfig:
        """The sizes of [model] between the phonemes and the mel bands."""
        return self.model.between(len(self.vocabulary), self.mel.bins)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """All phonemes, and pauses; of pairs, the units of their texts."""
        return self._scripts[0]

    def training_data(self, seed: int, together: int) -> Bunched:
        """Texts with their spectrograms, grouped by length."""
        texts = SpokenTexts(self._scripts[1], self._form)
        return Bunched(texts, texts.samples, bunch=together, seed=seed)

    def dev_data(self) -> SpokenTexts:
        """Texts with their spectrograms, in order."""
        return SpokenTexts(self._scripts[2][: self.data.dev_utterances or None], self._form)

    def collate(self, items: list[SpokenText]) -> SpokenBatch:
        """A padded batch."""
        return spoken_batch(items)

    def losses(self, model: nn.Module, batch: SpokenBatch) -> dict[str, Tensor]:
        """The distance of frames, the stop loss and guided attention, with their weights."""
        assert isinstance(model, AudioTransformer)
        looks: list[Tensor] = []
        memory = model.encode(batch.source, batch.lengths)
        written = F.pad(batch.frames[:, :-1], (0, 0, 1, 0))  # (B, M, r·F), of which the first is zeros
        made, stop = model.decode(written, memory, batch.lengths, looks)
        there = torch.arange(batch.frames.shape[1], device=made.device) < batch.steps[:, None]  # (B, M)
        levels = (made * there[..., None]).reshape(len(made), -1, self.mel.bins)
        refined = model.back.refine(levels).reshape(made.shape)
        found = {"frames": frames_loss(made, batch.frames, there) + frames_loss(refined, batch.frames, there)}
        found["stop"] = self.loss.stop_weight * stop_loss(stop, batch.steps, there, self.loss.stop_positive)
        guided = torch.stack([look[:, : (look.shape[1] + 1) // 2] for look in looks], 1)  # (B, L, H/2, M, N)
        off = looking_loss(guided, batch.lengths, batch.steps, self.loss.looking_width)
        return found | {"looking": self.loss.looking_weight * off}

    def scores(self, model: nn.Module, batch: SpokenBatch) -> dict[str, Tensor]:
        """Minus the distance in dB of free-running synthesis to the recording, after time warping."""
        assert isinstance(model, AudioTransformer)
        seconds = most_seconds(batch.source.shape[1])
        steps = round(seconds * self.data.sample_rate / (self.mel.hop_samples * self.model.stride))
        spoken = speak(model, batch.source, batch.lengths, max(1, steps))
        right = [row[:count].reshape(-1, self.mel.bins) for row, count in zip(batch.frames, batch.steps, strict=True)]
        found = [
            -DECIBELS * warped_distance(ours.clamp(min=-1).cpu().numpy(), theirs.cpu().numpy())
            for ours, theirs in zip(spoken, right, strict=True)
        ]
        return {"frames": torch.tensor(found, device=batch.source.device)}

    def record(self) -> dict[str, Any]:
        """The vocabulary, the sample rate and the spectrogram."""
        return {
            "vocabularies": {"source": list(self.vocabulary.symbols), "target": []},
            "sample_rate": self.data.sample_rate,
            "mel": dataclasses.asdict(self.mel),
        }

    def describe(self, batch: SpokenBatch) -> dict[str, str]:
        """The batch, its longest text and recording."""
        count, symbols = batch.source.shape
        steps, seconds = int(batch.steps.max()), self.model.stride * self.mel.hop_samples / self.data.sample_rate
        return {
            "texts": f"{count} of at most {symbols - 1} phonemes, blanks and pauses",
            "speech": f"at most {steps} steps of {self.model.stride} frames ({steps * seconds:.1f} s)",
        }

    @property
    def _form(self) -> Form:
        return Form(self.data.sample_rate, self.mel, self.model.stride)

    @cached_property
    def _scripts(self) -> tuple[Vocabulary, list[Script], list[Script]]:
        """The vocabulary, and the scripts of the two splits."""
        d = self.data
        if d.pairs:
            return self._own
        splits = [find_utterances(Path(d.folder), split, speakers=d.speakers) for split in (d.train, d.dev)]
        sentences = {u: list(sentences_of(u.text, len(u.text))) for split in splits for u in split}
        if silent := [utterance.name for utterance, said in sentences.items() if not said]:
            raise UsageError(f"{silent[0]} in {d.folder} has a text without a word; take it out of the manifest.")
        with Phonemizer(d.phonemizer) as phonemizer:
            phonemes = phonemes_of((w for said in sentences.values() for s in said for w in s.words), phonemizer)
            vocabulary = vocabulary_of(phonemizer)

        def script(utterance: Utterance) -> Script:
            symbols = [symbol for sentence in sentences[utterance] for symbol in sentence.symbols(phonemes)]
            return Script(utterance.clip, tuple(vocabulary.encode(symbols)))

        train, dev = ([script(utterance) for utterance in split] for split in splits)
        return vocabulary, train, dev

    @property
    def _own(self) -> tuple[Vocabulary, list[Script], list[Script]]:
        """The same of one's own pairs, whose symbols are those of the training texts."""
        splits = [find_pairs(Path(self.data.pairs), split) for split in (self.data.train, self.data.dev)]
        units = units_of(self.data.units, [pair.source.text for pair in splits[0]])
        train, dev = (
            [Script(Clip(pair.target.path), tuple(units.encode(pair.source.text))) for pair in split]
            for split in splits
        )
        return units.vocabulary, train, dev


def frames_loss(made: Tensor, right: Tensor, there: Tensor) -> Tensor:
    """Frames (B, M, r·F) of which the steps `there` (B, M) count -> (), the mean of |difference| + difference²."""
    apart = (made.float() - right)[there]
    return apart.abs().mean() + apart.square().mean()


def stop_loss(logits: Tensor, steps: Tensor, there: Tensor, positive: float) -> Tensor:
    """Logits (B, M) of steps being the last, the steps-th (B,) -> (), the mean over those `there` (B, M)."""
    last = torch.zeros_like(logits, dtype=torch.float32).scatter_(1, steps[:, None] - 1, 1.0)
    weight = torch.tensor(positive, device=logits.device)
    return F.binary_cross_entropy_with_logits(logits.float()[there], last[there], pos_weight=weight)


def looking_loss(looks: Tensor, lengths: Tensor, steps: Tensor, width: float) -> Tensor:
    """Weights (B, L, H, M, N) of texts of lengths (B,) at steps (B,) -> (), how far off the diagonal: 0 to 1."""
    read = torch.arange(looks.shape[-1], device=looks.device) / lengths[:, None]  # (B, N)
    said = torch.arange(looks.shape[-2], device=looks.device) / steps[:, None]  # (B, M)
    off = 1 - torch.exp(-(read[:, None] - said[..., None]).square() / (2 * width**2))  # (B, M, N)
    paid = (looks.float() * off[:, None, None]).sum(-1)  # (B, L, H, M)
    return paid.mean((1, 2))[said < 1].mean()


@torch.no_grad()
def speak(model: AudioTransformer, source: Tensor, lengths: Tensor, most: int) -> list[Tensor]:
    """Log-mel (N, F) of each text, written until its stop logit says so, or for so many steps."""

    def following(follows: Follows) -> tuple[Tensor, Tensor]:
        frames, stop = follows
        return frames, stop > 0

    side = model.back.side
    first = torch.zeros(len(source), side.stride * side.bins, device=source.device)
    rows, counts = decode(model, source, lengths, first, following, most)  # (B, M, r·F)
    return [
        model.back.refine(row[:count].reshape(1, -1, side.bins))[0]
        for row, count in zip(rows, counts.tolist(), strict=True)
    ]
