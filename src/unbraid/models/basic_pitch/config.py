"""The sizes of a Basic Pitch network."""

from dataclasses import dataclass
from typing import Annotated

from unbraid.files.ranges import Range, Size, check_ranges
from unbraid.models.config import Config, Task

BINS_PER_PITCH = 3  # of the constant-Q spectrum
BINS_PER_OCTAVE = 12 * BINS_PER_PITCH
LOWEST_PITCH = 21  # of MIDI: A0, 27.5 Hz, of the first bin
HARMONIC_BINS = (-36, 0, 36, 57, 72, 84, 93, 101)  # of half the pitch and its first seven multiples: round(36 log2 h)
KERNELS = {  # of each convolution, frames and bins
    "contour": (3, 39), "contour_out": (5, 5), "note": (7, 7), "note_out": (7, 3), "onset": (5, 5), "onset_out": (3, 3),
}  # fmt: skip
SMALLEST_POWER = 1e-10  # of a bin
SMALLEST_RANGE = 0.01  # of the levels in a window, in decibels; in silence they differ by rounding alone

Halvings = Annotated[int, Range(1, 16)]


@dataclass(frozen=True)
class BasicPitchConfig(Config):
    """Sizes of a Basic Pitch network; the defaults are the published ones (Bittner et al., ICASSP 2022).

    Raises:
        ValueError: a size out of its range, or octaves that do not fit the window, the hop or the bins.
    """

    window_samples: Annotated[int, Range(1, 1 << 20)] = 43844  # T, that it reads at once
    kernel_samples: Size = 256  # of a constant-Q bin, and of the low-pass filter in front of each lower octave
    hop_samples: Size = 256
    octaves: Halvings = 9
    bins: Size = 309  # F, the highest of all octaves
    pitches: Annotated[int, Range(1, 107)] = 88  # P, from A0 on
    contour_channels: Size = 8
    note_channels: Size = 32
    onset_channels: Size = 32

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.hop_samples % (1 << (self.octaves - 1)):
            raise ValueError(f"hop_samples ({self.hop_samples}) must be divisible by two for each octave but one.")
        if self.bins > self.octaves * BINS_PER_OCTAVE or self.bins < self.pitches * BINS_PER_PITCH:
            raise ValueError(f"bins ({self.bins}) must be those of all pitches, and at most 36 an octave.")
        if self.kernel_samples % 2 or min(self.lengths) <= self.kernel_samples // 2:
            raise ValueError(
                "kernel_samples must be even, and half of it shorter than the window of the lowest octave."
            )
        frames = {length // (self.hop_samples >> i) + 1 for i, length in enumerate(self.lengths)}
        if len(frames) > 1:
            raise ValueError(f"window_samples ({self.window_samples}) must give every octave as many frames.")

    @property
    def lengths(self) -> tuple[int, ...]:
        """Samples of the window in each octave, the highest first."""
        return tuple(self.window_samples >> i for i in range(self.octaves))

    @property
    def frames(self) -> int:
        """N, of a window."""
        return self.window_samples // self.hop_samples + 1

    @property
    def task(self) -> Task:
        """It hears notes."""
        return "notes"

    @property
    def writes(self) -> str:
        """Notes."""
        return "notes"

    @property
    def needs(self) -> tuple[str, ...]:
        """Nothing besides its sizes."""
        return ()

    @property
    def least_samples(self) -> int:
        """The one length of audio that it takes."""
        return self.window_samples

    @property
    def example_sizes(self) -> dict[str, int]:
        """Sizes of the axes that vary, to compare engines with."""
        return {"B": 2}
