"""The sizes of a Hybrid Transformer Demucs."""

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Self

from unbraid.files.ranges import Range, Size, check_ranges
from unbraid.models.config import Config, Task

MOST_STEMS = 8
MOST_SAMPLES = 1 << 20  # of a segment: 24 s at 44.1 kHz
MOST_FEATURES = 1 << 16  # of the deepest level
KERNEL, STRIDE = 8, 4  # of the convolutions from level to level: bins, or samples


@dataclass(frozen=True)
class HtdemucsConfig(Config):
    """Sizes of a Hybrid Transformer Demucs; the defaults are those of `htdemucs` (42 M parameters).

    A network hears segments of one length only.

    Raises:
        ValueError: a size out of its range, or sizes that do not fit each other.
    """

    stems: Annotated[int, Range(1, MOST_STEMS)] = 4
    networks: Annotated[int, Range(1, MOST_STEMS)] = 1  # one for all stems, or one for each
    channels: Annotated[int, Range(1, 2)] = 2
    frame_samples: Annotated[int, Range(64, 65_536)] = 4096  # of the STFT; its hop is a quarter
    segment_samples: Annotated[int, Range(64, MOST_SAMPLES)] = 343_980  # T
    features: Size = 48  # of the first level; each further one has twice as many
    levels: Annotated[int, Range(1, 8)] = 4
    residual_layers: Annotated[int, Range(0, 8)] = 2  # with dilations 1, 2, 4, …
    squeeze: Annotated[int, Range(1, 64)] = 8  # features in a residual layer are so many times fewer
    decoder_residuals: bool = True
    bottom: Annotated[int, Range(0, 8192)] = 512  # D, the features of the Transformer; 0: those of the deepest level
    layers: Annotated[int, Range(1, 64)] = 5  # self-attention and cross-attention in turn
    heads: Annotated[int, Range(1, 256)] = 8
    hidden: Size = 2048  # inner width of the feed-forward layers

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.networks not in (1, self.stems):
            raise ValueError(f"networks must be 1, or one for each of the {self.stems} stems, got {self.networks}.")
        if self.frame_samples % 8:
            raise ValueError(f"frame_samples must be a multiple of 8, got {self.frame_samples}.")
        if self.bins % STRIDE**self.levels or self.bins < 2 * STRIDE**self.levels:
            raise ValueError(
                f"half of frame_samples must be a multiple of {STRIDE}^levels, and more than it, got {self.bins} bins "
                f"for {self.levels} levels."
            )
        if self.segment_samples <= (least := self.margin_samples + self.hop_samples):
            raise ValueError(
                f"segment_samples must be above {least}, a frame mirrored at both ends, got {self.segment_samples}."
            )
        if self.widths[-1] > MOST_FEATURES:
            raise ValueError(f"the deepest level must have at most {MOST_FEATURES} features, got {self.widths[-1]}.")
        if self.squeeze > self.features:
            raise ValueError(f"squeeze must be at most features, got {self.squeeze}.")
        if self.inner % self.heads or self.inner % 4:
            raise ValueError(
                f"the features of the Transformer must be a multiple of 4 and of heads, got {self.inner} and "
                f"{self.heads}."
            )

    @property
    def task(self) -> Task:
        """Separation, of one stem too."""
        return "separation"

    @property
    def separates_songs(self) -> bool:
        """As `Config.separates_songs`."""
        return True

    @property
    def outputs(self) -> int:
        """Stems."""
        return self.stems

    @property
    def graphs(self) -> tuple[str, ...]:
        """One for each network."""
        return ("model",) if self.networks == 1 else tuple(f"model{k + 1}" for k in range(self.networks))

    @property
    def has_stem_graphs(self) -> bool:
        """As `Config.has_stem_graphs`."""
        return self.networks > 1

    def of_stems(self, kept: tuple[int, ...]) -> Self:
        """As `Config.of_stems`."""
        return dataclasses.replace(self, stems=len(kept), networks=len(kept))

    @property
    def network_stems(self) -> int:
        """Stems that a network gives."""
        return self.stems // self.networks

    @property
    def hop_samples(self) -> int:
        """Samples from one frame to the next."""
        return self.frame_samples // 4

    @property
    def margin_samples(self) -> int:
        """Samples by which a segment is mirrored at its ends, so that as many frames hold each sample."""
        return self.hop_samples // 2 * 3

    @property
    def bins(self) -> int:
        """F: bins of a spectrum, without that of half the sample rate."""
        return self.frame_samples // 2

    @property
    def frames(self) -> int:
        """N: frames of a segment."""
        return -(-self.segment_samples // self.hop_samples)

    @property
    def widths(self) -> tuple[int, ...]:
        """Features of each level."""
        return tuple(self.features << level for level in range(self.levels))

    @property
    def inner(self) -> int:
        """D: features of the Transformer."""
        return self.bottom or self.widths[-1]

    @property
    def lengths(self) -> tuple[int, ...]:
        """Steps of the waveform in front of each level, and behind the last: each has a quarter, rounded up."""
        lengths = [self.segment_samples]
        for _ in range(self.levels):
            lengths.append(-(-lengths[-1] // STRIDE))
        return tuple(lengths)

    @property
    def least_samples(self) -> int:
        """A shorter waveform is filled up with zeros."""
        return 1

    @property
    def example_sizes(self) -> dict[str, int]:
        """Two segments."""
        return {"B": 2}
