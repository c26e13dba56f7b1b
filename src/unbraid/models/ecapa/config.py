"""The sizes of an ECAPA-TDNN."""

from dataclasses import dataclass
from typing import Annotated

from unbraid.files.ranges import Range, Size, check_ranges
from unbraid.models.speaker_config import Filterbank, SpeakerConfig


@dataclass(frozen=True)
class EcapaConfig(SpeakerConfig):
    """Sizes of an ECAPA-TDNN; the defaults are those of speechbrain/spkrec-ecapa-voxceleb (20.8 M parameters).

    Raises:
        ValueError: a size out of its range, an even kernel, or a width that the scale does not divide.
    """

    bins: Size = 80  # F, mel bands
    width: Size = 1024  # C, channels of the first layer and of the blocks
    kernel: Annotated[int, Range(1, 255)] = 5  # frames, of the first layer
    block_kernel: Annotated[int, Range(1, 255)] = 3
    dilations: tuple[Annotated[int, Range(1, 255)], ...] = (2, 3, 4)  # of the blocks
    scale: Annotated[int, Range(2, 64)] = 8  # groups of channels in a block
    squeezed: Size = 128  # inner width of squeeze and excitation
    merged: Size = 3072  # M, channels that are pooled over time
    attention: Size = 128  # inner width of the attention over time
    features: Size = 192  # D, of an embedding
    filterbank: Filterbank = "speechbrain"

    def __post_init__(self) -> None:
        check_ranges(self)
        for name in ("kernel", "block_kernel"):
            if getattr(self, name) % 2 == 0:
                raise ValueError(f"{name} must be odd, so that frames stay where they are, got {getattr(self, name)}.")
        if self.width % self.scale:
            raise ValueError(f"width ({self.width}) must be a multiple of scale ({self.scale}).")

    @property
    def least_frames(self) -> int:
        """The shortest spectrogram that it takes: convolutions reflect it at its ends."""
        return 1 + max(self.kernel // 2, *(dilation * (self.block_kernel // 2) for dilation in self.dilations))
