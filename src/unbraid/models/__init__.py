"""The networks as PyTorch modules, one file each."""

from unbraid.models.audio_transformer import AudioTransformer

__all__ = ["AudioTransformer"]
