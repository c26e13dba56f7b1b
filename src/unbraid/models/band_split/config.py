"""The sizes of a band-split Transformer."""

from dataclasses import dataclass

from unbraid.files.ranges import Count, Layers, Size, check_ranges
from unbraid.models.config import Config


@dataclass(frozen=True)
class BandSplitConfig(Config):
    """Sizes of a band-split Transformer; the defaults make 2.6 M parameters.

    Raises:
        ValueError: a size out of its range, a frame that cannot be halved and cut into bands, features that the heads
            do not divide, or kernels and filters without a middle.
    """

    sources: Count = 3
    frame_samples: Size = 256  # of the spectrum; frames overlap by half
    bands: Size = 16  # K, of equal width
    features: Size = 128  # D, of each band in each frame
    blocks: Layers = 6  # each: over time, then over bands
    heads: Size = 4
    query_features: Size = 8  # E, of each band in each head
    hidden: Size = 192  # inner width of the gated convolutions
    kernel_frames: Size = 5
    kernel_bands: Size = 3
    band_features: Size = 16  # that a band is squeezed to where bands are mixed
    band_hidden: Size = 256  # inner width of that
    taps: Size = 3  # frames that a filter reaches over

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.frame_samples % (2 * self.bands):
            raise ValueError(f"frame_samples must be a multiple of {2 * self.bands} (twice the bands), "
                             f"got {self.frame_samples}.")  # fmt: skip
        if self.features % self.heads:
            raise ValueError(f"features ({self.features}) must be a multiple of heads ({self.heads}).")
        for name in ("kernel_frames", "kernel_bands", "taps"):
            if not getattr(self, name) % 2:
                raise ValueError(f"{name} must be odd, got {getattr(self, name)}.")

    @property
    def hop_samples(self) -> int:
        """Samples from one frame to the next."""
        return self.frame_samples // 2

    @property
    def band_bins(self) -> int:
        """Bins of a band; the last one of the spectrum, at half the sample rate, belongs to none."""
        return self.frame_samples // 2 // self.bands

    @property
    def filter_size(self) -> int:
        """Numbers that make a filter of one bin: a gate, and a complex factor for each tap."""
        return 1 + 2 * self.taps

    @property
    def least_samples(self) -> int:
        """A frame."""
        return self.frame_samples

    def frames(self, samples: int) -> int:
        """Frames of the spectrum of so many samples."""
        return -(-samples // self.hop_samples) + 1
