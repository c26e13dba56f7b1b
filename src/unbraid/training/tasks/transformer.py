"""What the tasks of all audio Transformers have in common (see models/audio_transformer), and the sizes in [model]."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from unbraid.errors import ModelError
from unbraid.models.audio_transformer.network.model import AudioTransformer
from unbraid.training.tables import PartialShare, Table
from unbraid.training.tasks.folders import data_name
from unbraid.training.tasks.task import Task


@dataclass(frozen=True, kw_only=True)
class TransformerModel(Table):
    """The sizes of a network, but for those of its two ends and its decoder."""

    features: int = 192
    heads: int = 4
    hidden: int = 768
    encoder_layers: int = 3
    positions: Literal["sinusoidal", "rotary"] = "sinusoidal"
    dropout: PartialShare = 0.1  # in training

    @property
    def sizes(self) -> dict[str, Any]:
        """These sizes as fields of an `AudioTransformerConfig`; dropout is none of them."""
        return {name: getattr(self, name) for name in ("features", "heads", "hidden", "encoder_layers", "positions")}


@dataclass(frozen=True)
class TransformerTask(Task):
    """A task of an audio Transformer whose symbols, if it has any, are those of its data."""

    model: TransformerModel

    @property
    def source(self) -> str:
        """The name of the data, and its split."""
        return data_name(self.data.folder, self.data.pairs, self.data.train)

    def network(self) -> AudioTransformer:
        """A new audio Transformer."""
        return AudioTransformer(self.geometry, self.model.dropout)

    def start(self, model: nn.Module, saved: Mapping[str, Any], path: str) -> None:
        """Take over weights of a model with the same symbols."""
        if saved.get("vocabularies") != self.record().get("vocabularies"):
            raise ModelError(f"trainer.init: {path} has other symbols than the data; leave trainer.init out.")
        super().start(model, saved, path)
