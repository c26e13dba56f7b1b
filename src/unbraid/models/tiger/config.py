"""The sizes of a TIGER."""

import dataclasses
from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

from unbraid.files.ranges import Range, Size, check_ranges
from unbraid.models.config import Config, Task

MOST_HOPS = 64  # in a frame
MOST_SOURCES = 8


@dataclass(frozen=True)
class TigerConfig(Config):
    """Sizes of a TIGER; the defaults are those of TIGER-speech (0.82 M parameters).

    Raises:
        ValueError: a size out of its range, a hop that does not divide a frame, bands that do not hold every bin, or
            features that the heads or the sources do not divide.
    """

    OUTSIDE: ClassVar[tuple[str, ...]] = ("hop_samples",)
    GRAPH_SCALE: ClassVar[int] = 8  # enough for 16 iterations

    sources: Annotated[int, Range(2, MOST_SOURCES)] = 2  # of a network; their masks add up to one
    chosen: tuple[Annotated[int, Range(0, MOST_SOURCES - 1)], ...] = ()  # a network for each stem, which is so many'th
    frame_samples: Annotated[int, Range(4, 65_536)] = 640
    hop_samples: Size = 160
    widths: tuple[Annotated[int, Range(1, 65_536)], ...] = (*[1] * 40, *[4] * 10, *[10] * 8, *[20] * 8, 1)  # in bins
    features: Size = 128  # D, of each band in each frame
    hidden: Size = 256  # inner width of the paths
    iterations: Annotated[int, Range(1, 16)] = 8  # of the same layers, over bands and then over time
    levels: Annotated[int, Range(3, 8)] = 5  # of resolution; each further one has half as many steps
    heads: Annotated[int, Range(1, 256)] = 4
    query_features: Annotated[int, Range(1, 1024)] = 4  # of a head, for each band or frame

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.frame_samples % 2 or self.frame_samples % self.hop_samples or not 2 <= self.hops <= MOST_HOPS:
            raise ValueError(
                f"frame_samples must be even, and 2 to {MOST_HOPS} times hop_samples, got {self.frame_samples} for "
                f"{self.hop_samples}."
            )
        if sum(self.widths) != self.bins:
            raise ValueError(f"widths must add up to {self.bins} bins, got {sum(self.widths)}.")
        for name in ("heads", "sources"):
            if self.features % (size := getattr(self, name)):
                raise ValueError(f"features ({self.features}) must be a multiple of {name} ({size}).")
        if len(self.chosen) > MOST_SOURCES:
            raise ValueError(f"chosen must have at most {MOST_SOURCES} entries, got {len(self.chosen)}.")
        if self.chosen and max(self.chosen) >= self.sources:
            raise ValueError(f"chosen must be below the {self.sources} sources, got {max(self.chosen)}.")

    @property
    def task(self) -> Task:
        """Separation, of one stem too."""
        return "separation"

    @property
    def outputs(self) -> int:
        """Voices, or stems with a network each."""
        return len(self.chosen) or self.sources

    @property
    def separates_songs(self) -> bool:
        """As `Config.separates_songs`: a network for each stem is that of a stem with a name."""
        return bool(self.chosen)

    @property
    def graphs(self) -> tuple[str, ...]:
        """One for each network."""
        return tuple(f"model{k + 1}" for k in range(len(self.chosen))) or ("model",)

    @property
    def has_stem_graphs(self) -> bool:
        """As `Config.has_stem_graphs`."""
        return bool(self.chosen)

    def of_stems(self, kept: tuple[int, ...]) -> Self:
        """As `Config.of_stems`."""
        return dataclasses.replace(self, chosen=tuple(self.chosen[k] for k in kept))

    @property
    def hops(self) -> int:
        """In a frame."""
        return self.frame_samples // self.hop_samples

    @property
    def bins(self) -> int:
        """F: bins of a spectrum."""
        return self.frame_samples // 2 + 1

    @property
    def value_features(self) -> int:
        """Features that a head takes from each band or frame."""
        return self.features // self.heads

    @property
    def least_samples(self) -> int:
        """The shortest waveform whose ends can be mirrored by half a frame."""
        return self.frame_samples // 2 + 1

    @property
    def example_sizes(self) -> dict[str, int]:
        """Two pieces of 37 frames."""
        return {"B": 2, "N": 37}

    def frames(self, samples: int) -> int:
        """Frames of the spectrum of so many samples."""
        return samples // self.hop_samples + 1
