"""The sizes that [model] has in the recipes of all audio Transformers (see models/audio_transformer)."""

from dataclasses import dataclass
from typing import Any, Literal

from unbraid.training.tables import PartialShare, Table


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
