"""The sizes of a MossFormer2."""

from dataclasses import dataclass

from unbraid.files.ranges import Count, Layers, Size, check_ranges
from unbraid.models.config import Config

MOST_ROTATED = 32  # features of a query or key that are rotated


@dataclass(frozen=True)
class MossFormer2Config(Config):
    """Sizes of a MossFormer2; the defaults are those of MossFormer2_SS_16K (55.7 M parameters).

    Raises:
        ValueError: a size out of its range, features that are odd, or a kernel of an odd number of samples or an even
            number of frames.
    """

    sources: Count = 2
    features: Size = 512  # D, channels of the learned encoder
    kernel_samples: Size = 16  # of the encoder and the decoder; the stride is half of it
    layers: Layers = 24
    group_frames: Size = 256  # frames that attend to each other in full
    key_features: Size = 128  # Q, of queries and keys
    kernel_frames: Size = 17  # of the depthwise convolution behind a linear layer
    memory_features: Size = 256  # M
    memory_frames: Size = 39  # of the convolutions of the memory

    def __post_init__(self) -> None:
        check_ranges(self)
        for name in ("features", "kernel_samples", "key_features"):
            if getattr(self, name) % 2:
                raise ValueError(f"{name} must be even, got {getattr(self, name)}.")
        for name in ("kernel_frames", "memory_frames"):
            if not getattr(self, name) % 2:
                raise ValueError(f"{name} must be odd, got {getattr(self, name)}.")

    @property
    def least_samples(self) -> int:
        """The encoder's kernel."""
        return self.kernel_samples

    @property
    def rotated_features(self) -> int:
        """Features at the beginning of each query and key that are rotated by the place of their frame."""
        return min(MOST_ROTATED, self.key_features)
