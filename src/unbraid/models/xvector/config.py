"""The sizes of an x-vector network."""

from dataclasses import dataclass
from typing import Annotated

from unbraid.files.ranges import Range, Size, check_ranges
from unbraid.models.speaker_config import Filterbank, SpeakerConfig


@dataclass(frozen=True)
class XvectorConfig(SpeakerConfig):
    """Sizes of an x-vector network; the defaults are those of speechbrain/spkrec-xvect-voxceleb (4.2 M parameters).

    Raises:
        ValueError: a size out of its range, layers without one of their sizes, or an even kernel.
    """

    bins: Size = 24  # F, mel bands
    widths: tuple[Size, ...] = (512, 512, 512, 512, 1500)  # channels of the layers
    kernels: tuple[Annotated[int, Range(1, 255)], ...] = (5, 3, 3, 1, 1)  # frames
    dilations: tuple[Annotated[int, Range(1, 255)], ...] = (1, 2, 3, 1, 1)
    features: Size = 512  # D, of an embedding
    filterbank: Filterbank = "speechbrain"

    def __post_init__(self) -> None:
        check_ranges(self)
        if len({len(self.widths), len(self.kernels), len(self.dilations)}) > 1:
            raise ValueError(
                f"each layer needs a width, a kernel and a dilation; there are {len(self.widths)}, {len(self.kernels)} "
                f"and {len(self.dilations)}."
            )
        if even := [kernel for kernel in self.kernels if kernel % 2 == 0]:
            raise ValueError(f"kernels must be odd, so that frames stay where they are, got {even[0]}.")

    @property
    def least_frames(self) -> int:
        """The shortest spectrogram that it takes: layers reflect it at its ends, and a deviation needs two frames."""
        return 1 + max(1, *(d * (k // 2) for k, d in zip(self.kernels, self.dilations, strict=True)))
