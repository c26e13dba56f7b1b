"""The sizes that [model] has in the recipes of all audio Transformers (see models/audio_transformer)."""

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class TransformerModel:
    """The sizes of a network, but for those of its two ends and its decoder."""

    features: int = 192
    heads: int = 4
    hidden: int = 768
    encoder_layers: int = 3
    positions: Literal["sinusoidal", "rotary"] = "sinusoidal"
    dropout: float = 0.1  # in training

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, got {self.dropout}.")

    @property
    def sizes(self) -> dict[str, Any]:
        """These sizes as fields of an `AudioTransformerConfig`; dropout is none of them."""
        return {name: getattr(self, name) for name in ("features", "heads", "hidden", "encoder_layers", "positions")}
