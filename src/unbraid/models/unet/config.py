"""The sizes of Spleeter's U-Nets."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from unbraid.dsp.framing import Mel, Spectral
from unbraid.files.ranges import Count, Range, Size, check_ranges
from unbraid.models.config import Config

Activation = Literal["leaky_relu", "relu", "elu"]


@dataclass(frozen=True)
class UNetConfig(Config):
    """Sizes of a set of U-Nets; the defaults are the published two-stem ones (9.8 M parameters a stem).

    Raises:
        ValueError: a size out of its range, fewer than two levels, bins that cannot be halved at each of them, or a
            side of what is not stereo.
    """

    stems: Count = 2
    channels: Count = 2
    filters: tuple[Size, ...] = (16, 32, 64, 128, 256, 512)  # output channels, outermost first
    encoder_activation: Activation = "leaky_relu"
    decoder_activation: Activation = "relu"  # the four- and five-stem models: elu, both ways
    output: Literal["sigmoid", "softmax"] = "sigmoid"  # softmax over stems: the five-stem model
    trunk: Literal["own", "shared"] = "own"  # a network for each stem, as published, or one for all masks
    bins: Annotated[int, Range(-math.inf, 65_536)] = (
        0  # F, for layers across all of them; 0: convolutions alone, as published, whatever F is
    )
    side: bool = False  # |left - right| is an input, too: it tells diffuse sources from those in one place

    def __post_init__(self) -> None:
        check_ranges(self)
        if len(self.filters) < 2:
            raise ValueError(f"filters must name at least two levels, got {self.filters}.")
        if len(self.filters) > 16:
            raise ValueError(f"filters must name at most 16 levels, got {len(self.filters)}.")
        multiple = 2 ** len(self.filters)
        if self.bins < 0 or self.bins % multiple:
            raise ValueError(f"bins must be a multiple of {multiple} (2 to the number of filters), got {self.bins}.")
        if self.side and self.channels != 2:
            raise ValueError(f"side is what two channels differ by; channels must be 2, got {self.channels}.")

    @property
    def needs(self) -> tuple[str, ...]:
        """The spectrogram that it sees."""
        return ("spectral",)

    @property
    def separates_songs(self) -> bool:
        """As `Config.separates_songs`."""
        return True

    @property
    def outputs(self) -> int:
        """Stems."""
        return self.stems

    @property
    def example_sizes(self) -> dict[str, int]:
        """Three segments of the least length."""
        multiple = 2 ** len(self.filters)
        return {"B": 1, "N": 3 * multiple, "F": self.bins or 5 * multiple}

    def check(self, spectral: Spectral | None, mel: Mel | None, symbols: tuple[int, int]) -> None:
        """Compare with the spectrogram.

        Raises:
            ValueError: it has other bins, or frames or bins that cannot be halved at each level.
        """
        assert spectral
        if self.bins not in (0, spectral.bins):
            raise ValueError(f"its network sees {self.bins} bins, not {spectral.bins}.")
        multiple = 2 ** len(self.filters)
        if spectral.frames % multiple or spectral.bins % multiple:
            raise ValueError(
                f"frames and bins must be multiples of {multiple} (2 to the number of filters), got "
                f"{spectral.frames} and {spectral.bins}."
            )

    @property
    def inputs(self) -> int:
        """Planes that a network sees."""
        return self.channels + self.side

    @property
    def nets(self) -> int:
        """The number of networks."""
        return self.stems if self.trunk == "own" else 1

    @property
    def planes(self) -> int:
        """Channels of the outermost transposed convolution: one, or with a shared trunk one for each mask."""
        return 1 if self.trunk == "own" else self.stems * self.channels


def across_width(bins: int) -> int:
    """The width of the bottleneck of a U-Net's layer across so many bins."""
    return max(16, bins // 8)
