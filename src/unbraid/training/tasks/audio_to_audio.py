"""Training of frame-aligned models from audio to audio: an audio Transformer without a decoder.

    waveform or spectrogram of a noisy voice -> waveform or spectrogram of the voice alone
    spectrogram of a voice -> its waveform (a vocoder; there is no noise)

The loss of waveforms is a weighted sum of the negative SNR, which keeps the level, and a multi-resolution STFT loss
(Yamamoto et al., arXiv 1910.11480); that of spectrograms is the mean distance of levels, |y − ŷ|. The dev score is the
SI-SDR improvement from waveform to waveform, otherwise the log-spectral distance,

    LSD = mean over frames of √(mean over bands of (ΔdB)²),

as its reduction from input to output in %, or for a vocoder its negative.
"""

import dataclasses
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, default_collate

from unbraid.corpora import Wanted, find_noises
from unbraid.corpora.noise import AddedNoise
from unbraid.corpora.pairs import find_pairs
from unbraid.dsp.mel import mel_levels
from unbraid.errors import UsageError
from unbraid.hub.spec import Mel
from unbraid.models.audio_transformer.config import (
    AudioTransformerConfig,
    Side,
    SpectrogramSide,
    WaveSide,
)
from unbraid.models.sepformer.config import SepFormerConfig
from unbraid.training import losses
from unbraid.training.data import Mixing
from unbraid.training.data.aside import UsableItems
from unbraid.training.data.pairs import FilePairs, Pair, pair_of
from unbraid.training.data.utterances import Hearing
from unbraid.training.tables import NonNegative, PartialShare, Table
from unbraid.training.tasks.folders import check_given
from unbraid.training.tasks.speech import SILENT_POWER, Data, Speech, can_improve
from unbraid.training.tasks.task import Score
from unbraid.training.tasks.transformer import TransformerModel, TransformerTask

DECIBELS = 40  # of a level of 1
SILENT_LEVEL = -1.0
LEAST_DISTANCE_DB = 0.1  # of a noisy input: from less there is nothing to take away


@dataclass(frozen=True, kw_only=True)
class AudioModel(TransformerModel):
    """The sizes of the network, and its source and target."""

    source: Literal["waveform", "spectrogram"]
    target: Literal["waveform", "spectrogram"]
    features: int = 128
    hidden: int = 512
    dropout: PartialShare = 0.0
    kernels: tuple[int, ...] = ()  # of a waveform's convolutions
    strides: tuple[int, ...] = ()
    filters: int = 128
    frame_strides: tuple[int, ...] = (1,)  # of a spectrogram's convolutions
    bins: int = 64  # mel bands of a spectrogram

    def __post_init__(self) -> None:
        super().__post_init__()
        if "waveform" in (self.source, self.target) and not self.kernels:
            raise ValueError("kernels and strides are needed where one side is a waveform; one of each, or more.")
        _ = self.geometry  # refuses sizes that do not go together

    @property
    def geometry(self) -> AudioTransformerConfig:
        """The network."""
        return AudioTransformerConfig(self.side(self.source), self.side(self.target), decoder_layers=0, **self.sizes)

    def side(self, kind: Literal["waveform", "spectrogram"]) -> Side:
        """The source or the target of the network."""
        if kind == "spectrogram":
            return SpectrogramSide(self.bins, self.frame_strides)
        return WaveSide(self.kernels, self.strides, self.filters)


@dataclass(frozen=True)
class AudioData(Data):
    """The training and dev data, and the noise of dev mixtures."""

    folder: str = ""
    pairs: str = ""  # instead of it: a CSV of one's own (see corpora/pairs.py); mixing.crop_seconds are read of each
    noise_dev: str = "dev"  # split of the noises
    dev_snr_db: tuple[float, float] = (0.0, 10.0)  # drawn anew for each mixture, from its name

    def __post_init__(self) -> None:
        super().__post_init__()
        check_given("folder", self.folder, self.pairs)

    def dev_noise(self) -> AddedNoise:
        """The noise of dev mixtures, the same in every run."""
        noises = find_noises(
            Path(self.noise or self.folder), self.noise_dev, Wanted(sources=1, sample_rate=self.sample_rate)
        )
        return AddedNoise(tuple(noises), *self.dev_snr_db)


@dataclass(frozen=True)
class MelFrames:
    """The log-mel spectrogram: how frames are cut; `[model] bins` is how many bands there are."""

    frame_samples: int = 256
    hop_samples: int = 80

    def __post_init__(self) -> None:
        self.of(1)  # refuses sizes that do not go together

    def of(self, bins: int) -> Mel:
        """The spectrogram with `bins` bands."""
        return Mel(self.frame_samples, self.hop_samples, bins)


@dataclass(frozen=True)
class AudioLoss(Table):
    """The loss of waveforms; that of spectrograms is the distance of levels."""

    snr_weight: NonNegative = 1.0  # of the negative SNR in dB
    most_db: float = 30.0  # soft limit of SNR
    stft_weight: NonNegative = 0.0  # of the multi-resolution STFT loss
    stft_frames: tuple[int, ...] = (128, 256, 512)  # its frames in samples, hops a quarter of them; for 8 kHz

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.stft_frames or min(self.stft_frames) < 4:
            raise ValueError(f"stft_frames must be some frames of 4 samples or more, got {self.stft_frames}.")


@dataclass(frozen=True)
class AudioToAudio(TransformerTask):
    """The task (see task.py): a waveform or spectrogram -> a waveform or spectrogram."""

    item: ClassVar[str] = "mixture"
    dev_batch: ClassVar[int] = 1
    epoch: ClassVar[str] = "epoch_mixtures"
    fixed: ClassVar[tuple[str, ...]] = (*Speech.fixed, "mel.")
    parts: ClassVar[tuple[str, ...]] = ("sound",)

    model: AudioModel
    data: AudioData
    mixing: Mixing = field(default_factory=Mixing)
    mel: MelFrames = field(default_factory=MelFrames)
    loss: AudioLoss = field(default_factory=AudioLoss)

    def __post_init__(self) -> None:
        source, target = (hearing.step_samples for hearing in self.hearings)
        if source != target:
            raise ValueError(f"a step must be as long on both sides of the network, not {source} and {target} samples.")

    @property
    def score(self) -> Score:
        """SI-SDRi of waveforms; else the log-spectral distance: of a vocoder itself, or its reduction."""
        if self._is_wave_to_wave:
            return Score("dev_si_sdri", "SI-SDRi", "dB")
        if self.model.target == "waveform":
            return Score("dev_lsd", "log-spectral distance", "dB")
        return Score("dev_lsd", "log-spectral distance taken away", "%")

    @property
    def geometry(self) -> AudioTransformerConfig:
        """The sizes of [model]."""
        return self.model.geometry

    @property
    def hearings(self) -> tuple[Hearing, Hearing]:
        """The conversions of audio to the network's source and target."""
        source, target = (
            Hearing(self.data.sample_rate, side, self._mel if isinstance(side, SpectrogramSide) else None)
            for side in (self.geometry.source, self.geometry.target)
        )
        return source, target

    def training_data(self, seed: int, together: int) -> Dataset[Any]:
        """Mixtures of one voice, drawn anew at every position, or those of the folder; or excerpts of pairs."""
        if self.data.pairs:
            crop = max(1, self.mixing.crop_samples(self.data.sample_rate) // self.hearings[0].step_samples)
            return self._own(self.data.train, crop, seed)
        return self._voices.training_data(seed, together)

    def dev_data(self) -> UsableItems:
        """The mixtures of the dev split, with the same noise in every run; or its pairs."""
        if self.data.pairs:
            return self._own(self.data.dev)
        if self.mixing.noise_probability:
            return self._voices.dev_data(self.data.dev_noise())
        clean = self._voices.dev_data()
        makes_voices = (self.model.source, self.model.target) == ("spectrogram", "waveform")
        if not makes_voices and not any(mixture.mixture or mixture.noise for mixture in clean.recordings):
            raise UsageError(
                f"The voices of {self.data.folder} have no noise that could be taken away; set "
                "mixing.noise_probability=1 and data.noise=FOLDER."
            )
        return clean

    def collate(self, items: list[Any]) -> Pair:
        """Pairs of noisy and clean audio, or of audio and its spectrogram, all of the same length."""
        if self.data.pairs:
            return Pair(*default_collate(items))
        pairs = [pair_of(heard.numpy(), voices[0].numpy(), *self.hearings) for heard, voices in items]
        return Pair(*default_collate(pairs))

    def losses(self, model: nn.Module, batch: Pair) -> dict[str, Tensor]:
        """The loss of waveforms, or the distance of levels."""
        made = model(batch.source, self._lengths(batch.source))
        with torch.autocast(made.device.type, enabled=False):
            of = (
                wave_loss(self.loss, made.float(), batch)
                if self.model.target == "waveform"
                else level_loss(made, batch)
            )
        return {"sound": of}

    def scores(self, model: nn.Module, batch: Pair) -> dict[str, Tensor]:
        """The score of each pair; silent targets and clean sources are left out."""
        made = model.forward(batch.source, self._lengths(batch.source))
        if self._is_wave_to_wave:
            found = losses.si_sdr(made, batch.target) - losses.si_sdr(batch.heard, batch.target)
            found = found[can_improve(batch.heard, batch.target)]
        elif self.model.target == "waveform":
            sounds = batch.target.square().mean(-1) > SILENT_POWER
            found = -spectral_distance(*(self._levels(audio[sounds]) for audio in (made, batch.target)))
        else:
            before = spectral_distance(batch.heard, batch.target)
            found = 100 * (1 - spectral_distance(made, batch.target) / before)
            found = found[(before > LEAST_DISTANCE_DB) & (batch.target.amax((1, 2)) > SILENT_LEVEL)]
        return {"sound": found.to(batch.source.device)}

    def record(self) -> dict[str, Any]:
        """The sample rate, and the spectrogram if there is one."""
        values: dict[str, Any] = {"sample_rate": self.data.sample_rate, "level": "own"}
        return values if self._is_wave_to_wave else values | {"mel": dataclasses.asdict(self._mel)}

    def describe(self, batch: Pair) -> dict[str, str]:
        """The batch, and the encoder's steps."""
        step = self.hearings[0].step_samples
        steps = int(self._lengths(batch.source)[0])
        mixtures = f"{len(batch.source)} × {steps * step} samples at {self.data.sample_rate} Hz"
        return {"mixtures": mixtures, "encoder": f"{steps} steps of {step} samples"}

    def _own(self, split: str, crop_steps: int | None = None, seed: int = 0) -> FilePairs:
        """One's own pairs of a split."""
        found = find_pairs(Path(self.data.pairs), split)
        if crop_steps is None:
            found = found[: self.data.dev_mixtures or None]
        return FilePairs(found, *self.hearings, crop_steps=crop_steps, seed=seed)

    @cached_property
    def _voices(self) -> Speech:
        """The mixtures: those for a network that finds one voice."""
        return Speech(SepFormerConfig(sources=1), self.data, self.mixing)

    @property
    def _is_wave_to_wave(self) -> bool:
        return self.model.source == self.model.target == "waveform"

    @property
    def _mel(self) -> Mel:
        return self.mel.of(self.model.bins)

    def _lengths(self, source: Tensor) -> Tensor:
        """The steps (B,) of sources (B, T) or (B, N, F): they are all of one length."""
        side = self.geometry.source
        assert isinstance(side, WaveSide | SpectrogramSide)
        return torch.full((len(source),), source.shape[1] // side.stride, device=source.device)

    def _levels(self, audio: Tensor) -> Tensor:
        return torch.from_numpy(mel_levels(audio.cpu().numpy(), self._mel, self.data.sample_rate))


def wave_loss(values: AudioLoss, made: Tensor, batch: Pair) -> Tensor:
    """Of waveforms (B, T): () in dB, and whatever the STFT loss is weighted by."""
    loss = made.new_zeros(())
    if values.snr_weight:
        each = losses.pit_active_snr(made[:, None], batch.target[:, None], batch.heard, values.most_db)
        loss = loss + values.snr_weight * each.mean()
    if values.stft_weight:
        resolutions = tuple((frame, frame, frame // 4) for frame in values.stft_frames)
        loss = loss + values.stft_weight * losses.multi_resolution_stft(made, batch.target, resolutions).mean()
    return loss


def level_loss(made: Tensor, batch: Pair) -> Tensor:
    """Of log-mel spectrograms (B, N, F): (), the mean distance of two levels."""
    return (made.float() - batch.target).abs().mean()


def spectral_distance(made: Tensor, target: Tensor) -> Tensor:
    """Log-spectral distance in dB of levels (B, N, F), of which none is below -1: (B,)."""
    difference = DECIBELS * (made.float().clamp(min=-1) - target)
    return difference.square().mean(-1).sqrt().mean(-1)
