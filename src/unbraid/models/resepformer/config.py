"""The sizes of a RE-SepFormer."""

from dataclasses import dataclass

from unbraid.files.ranges import Count, Layers, Size, check_ranges
from unbraid.models.config import Config


@dataclass(frozen=True)
class ResepformerConfig(Config):
    """Sizes of a RE-SepFormer; the defaults are the published ones (8.0 M parameters).

    Raises:
        ValueError: a size out of its range, features that are odd or that the heads do not divide.
    """

    sources: Count = 2
    features: Size = 128  # D, channels of the learned encoder
    kernel_samples: Size = 16  # of the encoder and the decoder
    stride_samples: Size = 8
    chunk_frames: Size = 150  # K: chunks lie side by side
    blocks: Layers = 2  # Transformers within the chunks; between two of them is one across the chunks
    layers: Layers = 8  # of each Transformer
    heads: Size = 8
    hidden: Size = 1024  # inner width of the feed-forward halves

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.blocks * self.layers > 1000:
            raise ValueError(f"blocks times layers must be at most 1000, got {self.blocks} times {self.layers}.")
        if self.features % 2:
            raise ValueError(f"features must be even (positions are pairs of sin and cos), got {self.features}.")
        if self.features % self.heads:
            raise ValueError(f"features ({self.features}) must be a multiple of heads ({self.heads}).")

    @property
    def has_int8(self) -> bool:
        """As `Config.has_int8`."""
        return True

    @property
    def least_samples(self) -> int:
        """The encoder's kernel."""
        return self.kernel_samples

    def frames(self, samples: int) -> int:
        """Frames that the encoder makes of so many samples."""
        return (samples - self.kernel_samples) // self.stride_samples + 1
