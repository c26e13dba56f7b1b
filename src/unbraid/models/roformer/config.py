"""The sizes of a RoFormer."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from unbraid.files.ranges import MOST_ENTRIES, Layers, Range, Size, check_ranges
from unbraid.models.config import Config, Task
from unbraid.models.roformer.bands import Span, mel_spans, plain_spans

MOST_HOPS = 64  # in a frame
MOST_STEMS = 8
MOST_LAYERS = 1000


@dataclass(frozen=True)
class RoformerConfig(Config):
    """Sizes of a RoFormer; the defaults are those of the Mel-Band RoFormer for vocals (228 M parameters).

    Raises:
        ValueError: a size out of its range, frames or hops that do not fit each other, bands that do not hold every
            bin, or heads whose features are no pairs.
    """

    OUTSIDE: ClassVar[tuple[str, ...]] = ("hop_samples", "normalized", "zero_dc")

    stems: Annotated[int, Range(1, MOST_STEMS)] = 1
    channels: Annotated[int, Range(1, 2)] = 2
    frame_samples: Annotated[int, Range(4, 65_536)] = 2048
    hop_samples: Size = 441
    mel_bands: Annotated[int, Range(0, MOST_ENTRIES)] = 60  # that overlap; 0: those of `widths`
    mel_rate: Annotated[int, Range(0, 1_000_000)] = 44_100  # the sample rate, in Hz, by which mel bands are cut; or 0
    widths: tuple[Annotated[int, Range(0, 65_536)], ...] = ()  # of bands side by side, in bins; empty with mel bands
    features: Size = 384  # D, of each band in each frame
    blocks: Layers = 6  # each: over time, then over bands
    time_layers: Layers = 1  # of the Transformer over time in each block
    band_layers: Layers = 1  # of that over bands
    heads: Annotated[int, Range(1, 256)] = 8
    head_features: Annotated[int, Range(2, 1024)] = 64
    hidden: Size = 1536  # inner width of the feed-forward layers
    mask_hidden: Size = 1536  # inner width of the layers that estimate masks
    mask_layers: Annotated[int, Range(0, 16)] = 2  # hidden ones
    block_norm: bool = True  # a norm behind each Transformer
    final_norm: bool = False  # one in front of the masks
    skips: bool = False  # each block also gets the sum of the outputs of all earlier ones
    normalized: bool = False  # spectra divided by the root of the frame's length
    zero_dc: bool = False  # stems have nothing at 0 Hz

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.frame_samples % 2 or not 2 * self.hop_samples <= self.frame_samples <= MOST_HOPS * self.hop_samples:
            raise ValueError(
                f"frame_samples must be even, and 2 to {MOST_HOPS} times hop_samples, got {self.frame_samples} for "
                f"{self.hop_samples}."
            )
        if self.blocks * (layers := self.time_layers + self.band_layers) > MOST_LAYERS:
            raise ValueError(f"a network has at most {MOST_LAYERS} layers, got {self.blocks} times {layers}.")
        if self.head_features % 2:
            raise ValueError(f"head_features must be even, got {self.head_features}.")
        if bool(self.mel_bands) == bool(self.widths) or bool(self.mel_bands) != bool(self.mel_rate):
            raise ValueError("bands are either mel_bands at a mel_rate or a list of widths; give one of them.")
        if self.widths and (0 in self.widths or sum(self.widths) != self.bins):
            raise ValueError(f"widths must be above 0 and add up to {self.bins} bins, got {sum(self.widths)}.")
        _ = self.spans  # so that bands without bins are found here

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
    def bins(self) -> int:
        """Bins of a spectrum."""
        return self.frame_samples // 2 + 1

    @property
    def spans(self) -> tuple[Span, ...]:
        """The bins of each band."""
        if self.widths:
            return plain_spans(self.widths)
        return mel_spans(self.mel_bands, self.frame_samples, self.mel_rate)

    @property
    def bin_numbers(self) -> int:
        """Numbers that a bin has in all channels, real and imaginary parts."""
        return 2 * self.channels

    @property
    def spectrum_size(self) -> int:
        """Numbers in a frame of the spectrum: bins, then channels, then the two parts."""
        return self.bins * self.bin_numbers

    @property
    def inner(self) -> int:
        """Features of all heads together."""
        return self.heads * self.head_features

    @property
    def has_int8(self) -> bool:
        """As `Config.has_int8`."""
        return True

    @property
    def least_samples(self) -> int:
        """The shortest waveform whose ends can be mirrored by half a frame."""
        return self.frame_samples // 2 + 1

    @property
    def example_sizes(self) -> dict[str, int]:
        """Two pieces of eleven frames."""
        return {"B": 2, "N": 11}
