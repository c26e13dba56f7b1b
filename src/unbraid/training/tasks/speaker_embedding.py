"""Training of speaker embeddings: an ECAPA-TDNN that classifies speakers, the classes left out afterwards.

Additive angular margin (Deng et al., "ArcFace", CVPR 2019, arXiv 1801.07698): with θ_k the angle between an embedding
and the direction of class k, the right class is told by the angle θ + m, which must therefore be small,

    loss = cross entropy of  s cos(θ_k + m [k is right])

Dev score: every pair of dev pieces is a trial, of the same speaker or not; the share of trials that are decided right
at the threshold where both errors are equally frequent. Of a speaker with one recording, these are pieces of the same
recording: the score compares networks, and is better than one across recordings.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.corpora import Clip, Wanted, find_speakers
from unbraid.evaluation.speakers.scoring import verification
from unbraid.models.ecapa.config import EcapaConfig
from unbraid.models.ecapa.network import Ecapa
from unbraid.models.speaker_config import WINDOWS
from unbraid.training.data.disturbing import Disturbing
from unbraid.training.data.voices import Cropping, Labelled, Levels, SpeakerCrops, SpeakerPieces
from unbraid.training.tables import Above, NonNegative, Positive, Table, Whole
from unbraid.training.tasks.audio_to_audio import MelFrames
from unbraid.training.tasks.folders import data_folder, training_noises
from unbraid.training.tasks.task import Score, Task

HEAD = "classes"  # the name of the weights that only training needs
DEV_BATCH = 32  # pieces that the network sees at once


@dataclass(frozen=True)
class VoiceData(Table):
    """The training and dev data."""

    folder: str
    layout: str = "auto"
    train: str = "train"  # splits
    dev: str = "dev"
    sample_rate: Positive = 8000
    epoch_crops: Positive = 10000
    dev_seconds: Above = 2.0  # of a dev piece
    workers: Whole = 0  # processes that read and mix; 0: the training process itself
    noise: str = ""  # folder of noises; empty: the data folder's own


@dataclass(frozen=True)
class Margin(Table):
    """The loss."""

    margin: NonNegative = 0.2  # m, radians
    scale: Above = 30.0  # s


class Classifier(Ecapa):
    """An ECAPA-TDNN with a direction for each class: levels (B, N, F) -> embeddings (B, D)."""

    def __init__(self, geometry: EcapaConfig, classes: int):
        super().__init__(geometry)
        self.classes = nn.Parameter(torch.empty(classes, geometry.features))
        nn.init.xavier_normal_(self.classes)

    def cosines(self, levels: Tensor) -> Tensor:
        """Levels (B, N, F) -> cosines of the angles between embeddings and classes (B, K), in float32."""
        embeddings = self(levels)
        with torch.autocast(embeddings.device.type, enabled=False):
            return F.normalize(embeddings.float()) @ F.normalize(self.classes).T


@dataclass(frozen=True)
class SpeakerEmbedding(Task):
    """The task (see task.py): levels (B, N, F) -> embeddings (B, D)."""

    score: ClassVar[Score] = Score("dev_accuracy", "trials right at the equal error rate", "%")
    item: ClassVar[str] = "set of trials"
    dev_batch: ClassVar[int] = 1 << 20  # all of them: the score is of pairs
    epoch: ClassVar[str] = "epoch_crops"
    fixed: ClassVar[tuple[str, ...]] = ("data.sample_rate", "data.epoch_crops", "mel.", "cropping.speeds")
    parts: ClassVar[tuple[str, ...]] = ("speakers",)

    model: EcapaConfig
    data: VoiceData
    cropping: Cropping = field(default_factory=Cropping)
    disturbing: Disturbing = field(default_factory=Disturbing)
    mel: MelFrames = field(default_factory=MelFrames)
    loss: Margin = field(default_factory=Margin)

    def __post_init__(self) -> None:
        least = self.model.least_frames * self._levels.mel.hop_samples
        shortest = min(
            self.cropping.samples(self.data.sample_rate, 0), round(self.data.dev_seconds * self.data.sample_rate)
        )
        if shortest < least:
            raise ValueError(
                f"crops and dev pieces must have {least} samples or more, which [model] needs, not {shortest}; make "
                "[cropping] seconds and [data] dev_seconds longer."
            )

    def network(self) -> nn.Module:
        """A new ECAPA-TDNN with a class for each training speaker at each speed."""
        return Classifier(self.model, len(self._speakers) * len(self.cropping.speeds))

    def training_data(self, seed: int, together: int) -> SpeakerCrops:
        """Crops drawn anew at every position."""
        return SpeakerCrops(
            self._speakers, self._noises(), self._levels, self.cropping, self.disturbing, seed=seed, together=together
        )

    def dev_data(self) -> SpeakerPieces:
        """Pieces of the dev speakers."""
        speakers = find_speakers(data_folder(self.data.folder), self.data.dev, self._wanted)
        return SpeakerPieces(speakers, self._levels, self.data.dev_seconds)

    def losses(self, model: nn.Module, batch: Labelled) -> dict[str, Tensor]:
        """The cross entropy with its margin."""
        assert isinstance(model, Classifier)
        cosines = with_margin(model.cosines(batch.levels), batch.label, self.loss.margin)
        return {"speakers": F.cross_entropy(self.loss.scale * cosines, batch.label)}

    def scores(self, model: nn.Module, batch: Labelled) -> dict[str, Tensor]:
        """The score (1,) of all pairs of pieces."""
        found = torch.cat([model.forward(levels) for levels in torch.split(batch.levels, DEV_BATCH)])  # (P, D)
        embeddings = F.normalize(found.float())
        first, second = torch.triu_indices(len(found), len(found), 1)
        with torch.autocast(embeddings.device.type, enabled=False):
            cosines = (embeddings @ embeddings.T)[first, second].cpu().numpy()
        same = (batch.label[first] == batch.label[second]).cpu().numpy()
        rate = verification(cosines[same], cosines[~same]).eer
        return {"speakers": batch.levels.new_tensor([100 * (1 - rate)])}

    def start(self, model: nn.Module, saved: Mapping[str, Any], path: str) -> None:
        """Start from the weights of another model; classes are learnt anew."""
        own = {name: value for name, value in model.state_dict().items() if name == HEAD}
        super().start(model, {"model": dict(saved["model"]) | own}, path)

    def exported(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights without the classes."""
        return {name: value for name, value in tensors.items() if name != HEAD}

    def record(self) -> dict[str, Any]:
        """The sample rate, the spectrogram and the windows of long audio."""
        mel, windows = (dataclasses.asdict(part) for part in (self._levels.mel, WINDOWS))
        return {"sample_rate": self.data.sample_rate, "mel": mel, "windows": windows}

    def describe(self, batch: Labelled) -> dict[str, str]:
        """The batch and the classes."""
        count, frames, bins = batch.levels.shape
        speakers, speeds = len(self._speakers), len(self.cropping.speeds)
        classes = f"{speakers} speakers at {speeds} speeds"
        return {"crops": f"{count} × {frames} frames of {bins} mel bands", "classes": classes}

    def check_export(self) -> None:
        """Every ECAPA-TDNN has a model folder."""

    @property
    def _wanted(self) -> Wanted:
        return Wanted(self.data.layout, 1, self.data.sample_rate, "clean", "min")

    @property
    def _levels(self) -> Levels:
        """The conversion of audio to the network's input."""
        filterbank = self.model.filterbank
        mel = dataclasses.replace(self.mel.of(self.model.bins), normalized=filterbank == "levels")
        return Levels(self.data.sample_rate, mel, filterbank)

    @cached_property
    def _speakers(self) -> dict[str, list[Clip]]:
        """The training speakers."""
        return find_speakers(data_folder(self.data.folder), self.data.train, self._wanted)

    def _noises(self) -> list[Clip]:
        if self.disturbing.noise_probability == 0:
            return []
        return training_noises(self.data.noise, data_folder(self.data.folder), self.data.train, self._wanted)


def with_margin(cosines: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Cosines (B, K) with the angle of each right class, labels (B,), made larger by a margin in radians.

    Beyond π - margin, where cos(θ + m) would rise again, the cosine goes on falling along a line.
    """
    right = cosines.gather(1, labels[:, None])  # (B, 1)
    sines = (1 - right.square()).clamp(1e-9).sqrt()
    turned = right * math.cos(margin) - sines * math.sin(margin)
    turned = torch.where(right > -math.cos(margin), turned, right - margin * math.sin(margin))
    return cosines.scatter(1, labels[:, None], turned)
