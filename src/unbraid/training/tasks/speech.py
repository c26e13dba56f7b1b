"""Training of speech separation: SepFormer (Subakan et al., arXiv 2010.13154), Conv-TasNet (Luo & Mesgarani,
arXiv 1809.07454), TIGER (Xu et al., arXiv 2410.01469) and the band-split Transformer (`models.band_split`), on dynamic
or fixed mixtures, with permutation-invariant losses.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from unbraid.corpora import Clip, Mixture, Wanted, find_mixtures, find_speakers
from unbraid.corpora.noise import AddedNoise
from unbraid.errors import UsageError
from unbraid.files.ranges import Range
from unbraid.models.band_split.config import BandSplitConfig
from unbraid.models.causal_lstm.config import CausalLSTMConfig
from unbraid.models.conv_tasnet.config import ConvTasNetConfig
from unbraid.models.family import family_of, module_of
from unbraid.models.resepformer.config import ResepformerConfig
from unbraid.models.sepformer.config import SepFormerConfig
from unbraid.models.sepformer.network import chunk
from unbraid.models.tiger.config import TigerConfig
from unbraid.training import losses
from unbraid.training.data import DynamicMixtures, FixedMixtures, Mixing
from unbraid.training.tables import Positive, Table, Whole
from unbraid.training.tasks.folders import data_folder, training_noises
from unbraid.training.tasks.task import Score, Task

SILENT_POWER = 1e-7  # -70 dBFS, as in evaluations
# The axis along which a layer has one block for each source: of a SepFormer, a Conv-TasNet, a band-split Transformer.
PER_SOURCE = {"masknet.split.": 0, "outlet.1.": 0, "outlet.weight": 2, "outlet.bias": 1}

Config = SepFormerConfig | ResepformerConfig | ConvTasNetConfig | BandSplitConfig | TigerConfig | CausalLSTMConfig
Batch = tuple[Tensor, Tensor]  # mixture (B, T), sources (B, S, T)


@dataclass(frozen=True)
class Data(Table):
    """The training and dev data."""

    folder: str
    layout: str = "auto"
    train: str = "train"  # splits
    dev: str = "dev"
    sample_rate: Positive = 8000
    condition: str = "clean"
    mode: Literal["min", "max"] = "min"
    dynamic: bool = True  # mixtures are drawn anew, never twice the same; else those of the folder
    speakers: Annotated[float, Range(0, 1, above=True)] = (
        1.0  # share of the training speakers to use, spread evenly over the list
    )
    epoch_mixtures: Positive = 20000
    dev_mixtures: Whole = 0  # the number of mixtures to use; 0: all
    dev_voices: tuple[int, ...] = ()  # numbers of voices in the dev mixtures; empty: as many as the network has outputs
    workers: Whole = 0  # processes that read and mix; 0: the training process itself
    noise: str = ""  # folder of noises for dynamic mixing; empty: the data folder's own


@dataclass(frozen=True)
class Loss:
    """The loss, always permutation-invariant."""

    kind: Literal["si_sdr", "snr", "active_snr"] = "si_sdr"  # active_snr knows silent voices
    threshold_db: float = -30.0  # mixtures that are separated better than this are left alone
    stft_weight: float = 0.0  # of a multi-resolution STFT loss that is added


@dataclass(frozen=True)
class Speech(Task):
    """The task (see task.py): mixture (B, T) -> voices (B, S, T)."""

    score: ClassVar[Score] = Score("dev_si_sdri", "SI-SDRi", "dB")
    item: ClassVar[str] = "mixture"
    dev_batch: ClassVar[int] = 1
    epoch: ClassVar[str] = "epoch_mixtures"
    fixed: ClassVar[tuple[str, ...]] = ("data.sample_rate", "data.dynamic", "data.epoch_mixtures")
    parts: ClassVar[tuple[str, ...]] = ("voices",)
    per_source: ClassVar[Mapping[str, int]] = PER_SOURCE

    model: Config
    data: Data
    mixing: Mixing = field(default_factory=Mixing)
    loss: Loss = field(default_factory=Loss)

    def __post_init__(self) -> None:
        samples, least = self.mixing.crop_samples(self.data.sample_rate), self.model.least_samples
        if samples < least:
            names = [name for name in ("frame_samples", "kernel_samples") if getattr(self.model, name, 0) == least]
            what = f"[model] {names[0]} is {least}" if names else f"the network needs {least}"
            raise ValueError(f"[mixing] crop_seconds is {samples} samples, but {what}; make crops longer.")
        if self.model.has_stem_graphs:
            raise ValueError("[model] chosen is for networks that were trained elsewhere; leave it out.")
        if (most := max((*self.data.dev_voices, len(self.mixing.voice_shares)))) > self.model.sources:
            raise ValueError(f"{most} voices are asked for, but [model] sources is {self.model.sources}.")

    @property
    def wanted(self) -> Wanted:
        """The criteria for recordings in the folder."""
        data = self.data
        return Wanted(data.layout, self.model.sources, data.sample_rate, data.condition, data.mode)

    def network(self) -> nn.Module:
        """A new SepFormer, Conv-TasNet, TIGER or band-split Transformer."""
        network: nn.Module = module_of(self.model, "network").build(self.model)
        return network

    def training_data(self, seed: int, together: int) -> Dataset[Any]:
        """Mixtures drawn anew at every position, or crops of those in the folder."""
        data, folder = self.data, data_folder(self.data.folder)
        if not data.dynamic:
            mixtures = find_mixtures(folder, data.train, self.wanted)
            if not mixtures:
                raise UsageError(
                    f"{folder} has no mixtures in its split {data.train}; set data.train, or data.dynamic=true."
                )
            crop = self.mixing.crop_seconds
            return FixedMixtures(mixtures, sample_rate=data.sample_rate, crop_seconds=crop, seed=seed)
        speakers = find_speakers(folder, data.train, self.wanted)
        names = list(speakers)
        kept = np.unique(np.arange(0, len(names), 1 / data.speakers).astype(int))
        return DynamicMixtures(
            {names[i]: speakers[names[i]] for i in kept},
            self.mixing,
            sources=self.model.sources,
            sample_rate=data.sample_rate,
            seed=seed,
            noises=self._noises(folder),
        )

    def dev_data(self, noise: AddedNoise | None = None) -> FixedMixtures:
        """The fixed mixtures of the dev split, whole, with noise or as they are."""
        folder = data_folder(self.data.folder)
        mixtures: list[Mixture] = []
        for voices in self.data.dev_voices or (self.model.sources,):
            found = find_mixtures(folder, self.data.dev, dataclasses.replace(self.wanted, sources=voices))
            mixtures += found[: self.data.dev_mixtures or None]
        if not mixtures:
            raise UsageError(f"{folder} has no dev mixtures: nothing is in its split {self.data.dev}.")
        sources, rate = self.model.sources, self.data.sample_rate
        return FixedMixtures(mixtures, sample_rate=rate, sources=sources, noise=noise)

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """The recipe's loss under the best order of the voices."""
        mixture, sources = batch
        return {"voices": loss_of(self.loss, model(mixture), sources, mixture)}

    def scores(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """SI-SDR improvement in dB of each mixture."""
        mixture, sources = batch
        estimates = model.forward(mixture)  # not the compiled one: each mixture has another length
        return {"voices": improvement(estimates, sources, mixture)}

    def record(self) -> dict[str, Any]:
        """The sample rate, and whether outputs have a level of their own and are silent where fewer voices speak."""
        level = "fitted" if self.loss.kind == "si_sdr" else "own"  # does the loss give the outputs a level?
        learns_silence = level == "own" and self.data.dynamic and self.mixing.has_fewer(self.model.sources)
        return {"sample_rate": self.data.sample_rate, "level": level, "silent_outputs": learns_silence}

    def describe(self, batch: Batch) -> dict[str, str]:
        """The batch, and the encoder's frames and chunks."""
        count, samples = batch[0].shape
        mixtures = f"{count} × {samples} samples at {self.data.sample_rate} Hz"
        if not hasattr(self.model, "frames"):  # one's own network need not tell
            return {"mixtures": mixtures}
        frames, cut = self.model.frames(samples), ""
        if isinstance(self.model, SepFormerConfig):  # the only one that cuts its frames
            size = self.model.chunk_frames
            cut = f", in {chunk(torch.empty(1, frames, 1), size).shape[1]} chunks of {size}"
        return {"mixtures": mixtures, "encoder": f"{frames} frames{cut}"}

    def check_export(self) -> None:
        """Refuse a network of one's own that model folders do not know.

        Raises:
            UsageError: it is of no family.
        """
        if not family_of(self.model):
            raise UsageError(
                f"{type(self.model).__name__} is not in unbraid.models.family.FAMILIES, so that it cannot be exported; "
                "add it there, or leave the export out."
            )

    def _noises(self, folder: Path) -> Sequence[Clip]:
        if self.mixing.noise_probability == 0:
            return ()
        return training_noises(self.data.noise, folder, self.data.train, self.wanted)


def loss_of(values: Loss, estimates: Tensor, sources: Tensor, mixture: Tensor) -> Tensor:
    """The recipe's loss: (B, S, T) twice and the mixture (B, T) -> ()."""
    with torch.autocast(estimates.device.type, enabled=False):
        estimates = estimates.float()
        if values.kind == "active_snr":
            each = losses.pit_active_snr(estimates, sources, mixture, most_db=-values.threshold_db)
        else:
            each = (losses.pit_si_sdr if values.kind == "si_sdr" else losses.pit_snr)(estimates, sources)
        loss = losses.above_threshold(each, values.threshold_db)
        if values.stft_weight:
            order = losses.best_order(losses.pairwise(losses.si_sdr, estimates, sources))
            spectral = losses.multi_resolution_stft(estimates, losses.in_order_of(sources, order))
            loss = loss + values.stft_weight * spectral.mean()
        return loss


def improvement(estimates: Tensor, sources: Tensor, mixture: Tensor) -> Tensor:
    """SI-SDR improvement in dB, mean over the sources in their best order: (B, S, T) twice, (B, T) -> (≤ B,).

    A source that is silent, or all that sounds in its mixture, has none; a mixture of such sources alone is left out.
    """
    heard = mixture[:, None].expand_as(sources)
    counts = can_improve(heard, sources)  # (B, S)
    after = losses.pairwise(losses.si_sdr, estimates, sources)  # (B, estimates, S)
    order = losses.best_order(torch.where(counts[:, None], after, 0.0))
    matched = torch.where(counts.gather(-1, order), after.gather(-1, order[..., None])[..., 0], 0.0)
    before = torch.where(counts, losses.si_sdr(heard, sources), 0.0)
    some = counts.any(-1)
    return (matched.sum(-1) - before.sum(-1))[some] / counts.sum(-1)[some]


def can_improve(heard: Tensor, target: Tensor) -> Tensor:
    """Whether a target is there to be found, and something else to be taken away: waveforms (…, T) twice -> (…)."""
    target, heard = (signal.double() - signal.double().mean(-1, keepdim=True) for signal in (target, heard))
    power = target.square().mean(-1)
    scale = (heard * target).mean(-1) / power.clamp(min=SILENT_POWER)
    rest = (heard - scale[..., None] * target).square().mean(-1)
    return (power > SILENT_POWER) & (rest > SILENT_POWER)
