"""The sizes of a Conv-TasNet."""

from dataclasses import dataclass
from typing import Annotated

from unbraid.files.ranges import Count, Range, Size, check_ranges
from unbraid.models.config import Config


@dataclass(frozen=True)
class ConvTasNetConfig(Config):
    """Sizes of a Conv-TasNet; the defaults are the published best ones (5.1 M parameters in the paper).

    Raises:
        ValueError: a size out of its range, or a kernel of an odd number of samples or an even number of frames.
    """

    sources: Count = 2
    features: Size = 512  # N, channels of the learned encoder
    kernel_samples: Size = 16  # L, of the encoder and the decoder; the stride is half of it
    bottleneck: Size = 128  # B, channels between blocks
    skip: Size = 128  # Sc, channels of the skip paths
    hidden: Size = 512  # H, channels inside a block
    kernel_frames: Size = 3  # P, of the depthwise convolutions
    blocks: Annotated[int, Range(1, 16)] = 8  # X, blocks in a repeat, dilated by 1, 2, 4, …
    repeats: Count = 3  # R

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.kernel_samples % 2:
            raise ValueError(f"kernel_samples must be even (the stride is half of it), got {self.kernel_samples}.")
        if not self.kernel_frames % 2:
            raise ValueError(f"kernel_frames must be odd, got {self.kernel_frames}.")

    @property
    def least_samples(self) -> int:
        """The encoder's kernel."""
        return self.kernel_samples

    def frames(self, samples: int) -> int:
        """Frames that the encoder makes of so many samples."""
        return (samples - self.kernel_samples) // (self.kernel_samples // 2) + 1
