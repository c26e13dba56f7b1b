"""Training on songs: Spleeter's U-Nets (Hennequin et al., JOSS 5(50), 2020), as published or with a shared trunk.

Crops of stems (B, S, 2, T) pass Spleeter's front end: frames under a periodic Hann window without padding, magnitudes
of the lowest bins. The loss is Spleeter's, too: mean |estimate − stem| of magnitudes, summed over stems. Dev songs, or
their middles, are separated with soft masks as in use, and scored by uSDR.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.corpora import Song, find_songs
from unbraid.dsp.arrays import FloatArray
from unbraid.errors import ModelError, UsageError
from unbraid.files.ranges import Range
from unbraid.hub.spec import Spectral
from unbraid.models.unet.config import UNetConfig
from unbraid.models.unet.network import UNets
from unbraid.runtime.eager import EagerExecutor
from unbraid.tasks.separation import fronts
from unbraid.training.data.remixing import Remixing
from unbraid.training.data.songs import SongCrops, SongPieces
from unbraid.training.tables import Positive, Table, Whole
from unbraid.training.tasks.task import Score, Task
from unbraid.training.warm_start import ancestors, nets_taken, trunk_taken

SILENT_POWER = 1e-7  # mean power of a stem that a song lacks
QUIET = 1e-3  # mean magnitude below which the loss of a crop is not made relative in full


@dataclass(frozen=True)
class MusicData(Table):
    """The training and dev data."""

    folders: tuple[str, ...]  # of songs
    stems: tuple[str, ...]  # in the order of the network's outputs
    shares: tuple[float, ...] = ()  # the probability of each folder for a stem; empty: all equal
    layout: str = "auto"
    train: str = "train"  # splits
    dev: str = "dev"
    sample_rate: Positive = 44100
    epoch_crops: Positive = 8000
    dev_seconds: Annotated[float, Range(1, math.inf)] = 40.0  # the middle of each song
    dev_songs: Whole = 0  # the number of songs to use; 0: all
    workers: Whole = 0  # processes that read and mix; 0: the training process itself

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.folders:
            raise ValueError("folders must name at least one folder of songs.")
        if len(set(self.stems)) < max(2, len(self.stems)):
            raise ValueError(f"stems must be two or more different ones that add up to a song, got {list(self.stems)}.")
        if self.shares and len(self.shares) != len(self.folders):
            raise ValueError(f"shares must be {len(self.folders)}, one for each folder, got {len(self.shares)}.")


@dataclass(frozen=True)
class SpectralLoss:
    """The loss: a distance of magnitudes."""

    kind: Literal["l1"] = "l1"  # between estimated and true magnitude
    relative: bool = False  # to the mixture's mean magnitude, so that soft crops have the same weight as loud ones
    emphasis_db: float = 0.0  # per octave: how much more high bins count; most of a song's power is below 1 kHz


@dataclass(frozen=True)
class Music(Task):
    """The task (see task.py): the sum of stems (B, S, 2, T) -> the stems."""

    score: ClassVar[Score] = Score("dev_usdri", "uSDRi", "dB")
    item: ClassVar[str] = "song"
    dev_batch: ClassVar[int] = 1
    epoch: ClassVar[str] = "epoch_crops"
    fixed: ClassVar[tuple[str, ...]] = ("data.sample_rate", "data.stems", "data.epoch_crops", "spectral.")

    model: UNetConfig
    data: MusicData
    mixing: Remixing = field(default_factory=Remixing)
    loss: SpectralLoss = field(default_factory=SpectralLoss)
    spectral: Spectral = field(default_factory=Spectral)

    def __post_init__(self) -> None:
        stems, multiple, s = len(self.data.stems), 2 ** len(self.model.filters), self.spectral
        if self.model.stems != stems:
            raise ValueError(f"[model] stems is {self.model.stems}, but [data] stems names {stems}; make them agree.")
        if self.model.channels != 2:
            raise ValueError(f"[model] channels must be 2, as songs are stereo; got {self.model.channels}.")
        if s.frame_samples != 4 * s.hop_samples:
            raise ValueError(f"[spectral] frame_samples must be 4 times hop_samples ({s.hop_samples}).")
        if s.frames % multiple or s.bins % multiple:
            raise ValueError(
                f"[spectral] frames and bins must be multiples of {multiple} (2 to the number of [model] filters), and "
                f"bins at most {s.frame_samples // 2 + 1}; got {s.frames} and {s.bins}."
            )
        if self.model.bins not in (0, s.bins):
            raise ValueError(f"[model] bins is {self.model.bins}, but [spectral] bins is {s.bins}; make them agree.")

    @property
    def parts(self) -> tuple[str, ...]:
        """The stems."""
        return self.data.stems

    @property
    def source(self) -> str:
        """The names of the folders, and their split."""
        return f"{', '.join(Path(folder).name for folder in self.data.folders)} ({self.data.train})"

    def network(self) -> UNets:
        """A new U-Net, or one for each stem, with convolutions in channels-last memory."""
        network = UNets(self.model)
        for weight in network.parameters():
            if weight.ndim == 4:  # of convolutions, (out, in, F, N)
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        return network

    def training_data(self, seed: int, together: int) -> SongCrops:
        """Crops whose stems are remixed at every position."""
        data = self.data
        songs = [self._songs(folder, data.train) for folder in data.folders]
        shares = data.shares or (1.0,) * len(songs)
        return SongCrops(songs, shares, data.stems, self.mixing, sample_rate=data.sample_rate, seed=seed)

    def dev_data(self) -> SongPieces:
        """The middles of the dev songs; folders without a dev split are passed over."""
        data, songs, missing = self.data, list[Song](), list[UsageError]()
        for folder in data.folders:
            try:
                songs += self._songs(folder, data.dev)
            except UsageError as error:  # some folders are for training alone
                missing.append(error)
        if not songs:
            raise missing[0]
        songs = songs[: data.dev_songs or None]
        return SongPieces(songs, data.stems, sample_rate=data.sample_rate, seconds=data.dev_seconds)

    def losses(self, model: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        """The distance of magnitudes for each stem."""
        with torch.autocast(batch.device.type, enabled=False):
            seen, stems = magnitudes(batch.float(), self.spectral, 2 ** len(self.model.filters), side=self.model.side)
        estimates = model(seen.contiguous(memory_format=torch.channels_last))
        each = spectral_loss(self.loss, estimates, stems, seen[:, : self.model.channels]).mean(0)
        return dict(zip(self.parts, each, strict=True))

    def scores(self, model: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        """Improvement of uSDR in dB for each song and stem."""
        gains: dict[str, list[Tensor]] = {}
        for stems in batch:  # (S, 2, T)
            estimates = separate(model, stems.sum(0), self.spectral, self.model)
            for part, gain in zip(self.parts, improvements(estimates, stems), strict=True):
                if not torch.isnan(gain):
                    gains.setdefault(part, []).append(gain)
        return {part: torch.stack(some) for part, some in gains.items()}

    def clipped(self, model: nn.Module) -> Sequence[nn.Module]:
        """The network of each stem, or the shared one."""
        assert isinstance(model, UNets)
        return list(model.nets)

    def start(self, model: nn.Module, saved: Mapping[str, Any], path: str) -> None:
        """Take over weights stem by stem, by name; new stems start at random."""
        if not (given := saved.get("stems")):
            raise ModelError(f"trainer.init: {path} does not name its stems; it is not of a model of songs.")
        places, own = ancestors(self.parts, given), model.state_dict()
        if self.model.trunk == "shared":
            tensors = trunk_taken(own, saved["model"], places, len(self.model.filters), path)
        else:
            tensors = nets_taken(own, saved["model"], places, path)
        model.load_state_dict(tensors)

    def record(self) -> dict[str, Any]:
        """The sample rate, the stems and the spectrogram."""
        spectral = dataclasses.asdict(self.spectral)
        return {"sample_rate": self.data.sample_rate, "stems": list(self.parts), "spectral": spectral}

    def describe(self, batch: Tensor) -> dict[str, str]:
        """The batch, and the size of its spectrogram."""
        count, _, _, samples = batch.shape
        frames = frame_count(samples, self.spectral, 2 ** len(self.model.filters))
        crops = f"{count} × {samples} samples at {self.data.sample_rate} Hz"
        return {"crops": crops, "spectrogram": f"{frames} frames of {self.spectral.bins} bins"}

    def _songs(self, folder: str, split: str) -> list[Song]:
        if not Path(folder).is_dir():
            raise UsageError(
                f"The data folder {folder} is not there; say where it is with data.folders=PATH, or "
                f"data.folders='[\"PATH\", …]'."
            )
        return find_songs(Path(folder), split, self.data.layout)


def frame_count(samples: int, spectral: Spectral, multiple: int) -> int:
    """The number of frames of a crop, rounded up to a multiple."""
    frames = 1 + max(0, samples - spectral.frame_samples) // spectral.hop_samples
    return -(-frames // multiple) * multiple


def magnitudes(stems: Tensor, spectral: Spectral, multiple: int, *, side: bool = False) -> tuple[Tensor, Tensor]:
    """Of crops (B, S, C, T), the magnitudes of the mixtures (B, C, N, F) and of their stems (B, S, C, N, F).

    With `side` those of the mixtures' left minus right stand behind the channels'.
    N is a multiple of `multiple`; the crops are as long as that takes, with zeros behind or without their last samples.
    """
    frame, hop = spectral.frame_samples, spectral.hop_samples
    samples = (frame_count(stems.shape[-1], spectral, multiple) - 1) * hop + frame
    padded = F.pad(stems, (0, samples - stems.shape[-1]))
    window = torch.hann_window(frame, device=stems.device)
    spectra = torch.fft.rfft(padded.unfold(-1, frame, hop) * window)[..., : spectral.bins]  # (B, S, C, N, F)
    mixture = spectra.sum(1)
    planes = torch.cat((mixture, mixture[:, :1] - mixture[:, 1:]), 1) if side else mixture
    return planes.abs(), spectra.abs()


def spectral_loss(values: SpectralLoss, estimates: Tensor, stems: Tensor, mixture: Tensor) -> Tensor:
    """The recipe's loss of magnitudes: (B, S, C, N, F) twice and the mixture (B, C, N, F) -> (B, S)."""
    with torch.autocast(estimates.device.type, enabled=False):
        weights = emphasis(values.emphasis_db, stems.shape[-1], stems.device)  # (F,)
        errors = ((estimates.float() - stems).abs() * weights).flatten(2).mean(-1)
        mixture = mixture * weights
        return errors / (mixture.flatten(1).mean(-1, keepdim=True) + QUIET) if values.relative else errors


def emphasis(db_per_octave: float, bins: int, device: torch.device) -> Tensor:
    """Weights of the bins (F,), rising with frequency; their mean is 1."""
    rising = (torch.arange(bins, device=device) + 0.5) ** (db_per_octave / (20 * math.log10(2)))
    return rising / rising.mean()


def separate(model: nn.Module, mixture: Tensor, spectral: Spectral, geometry: UNetConfig) -> Tensor:
    """Stems (S, C, T) of a song (C, T), as the program separates it: soft masks, their mean above the last bin."""
    music = fronts.SpectrogramFront(EagerExecutor(model, geometry, mixture.device), spectral, side=geometry.side)
    song: FloatArray = mixture.float().cpu().numpy()[None]  # (1, C, T)
    blocks = list(fronts.music_stems(music, lambda: iter([song])))
    stems = np.concatenate(blocks, axis=-1)[:, 0, :, : mixture.shape[-1]]
    return torch.from_numpy(np.ascontiguousarray(stems)).to(mixture.device)


def improvements(estimates: Tensor, stems: Tensor) -> Tensor:
    """Improvement of uSDR on the mixture in dB of each stem: (S, C, T) twice -> (S,).

    NaN where there is none: the stem is not in the song, or there is no other one. An estimate that is not finite is
    infinitely bad.
    """
    mixture = stems.sum(0)
    before, after = ((stems - heard).square().mean((-2, -1)) for heard in (mixture, estimates))  # (S,)
    sounds = (stems.square().mean((-2, -1)) > SILENT_POWER) & (before > SILENT_POWER)
    gains = 10 * torch.log10(before / (after + 1e-12))
    return torch.where(sounds, gains.nan_to_num(nan=-torch.inf), torch.nan).float()
