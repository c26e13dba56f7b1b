"""The sizes of an ECAPA-TDNN."""

from dataclasses import dataclass
from typing import Annotated, Literal

from unbraid.dsp.framing import Mel, Spectral
from unbraid.files.ranges import Range, Size, check_ranges
from unbraid.models.config import Config, Task

Filterbank = Literal["levels", "speechbrain"]


@dataclass(frozen=True)
class EcapaConfig(Config):
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
    filterbank: Filterbank = "speechbrain"  # the log-mel spectrogram: of dsp/mel.py, or as SpeechBrain computes it

    def __post_init__(self) -> None:
        check_ranges(self)
        for name in ("kernel", "block_kernel"):
            if getattr(self, name) % 2 == 0:
                raise ValueError(f"{name} must be odd, so that frames stay where they are, got {getattr(self, name)}.")
        if self.width % self.scale:
            raise ValueError(f"width ({self.width}) must be a multiple of scale ({self.scale}).")

    @property
    def task(self) -> Task:
        """It tells who speaks."""
        return "speaker embedding"

    @property
    def writes(self) -> str:
        """An embedding."""
        return "embedding"

    @property
    def needs(self) -> tuple[str, ...]:
        """Windows of long audio, and the spectrogram that it reads."""
        return ("windows", "mel")

    @property
    def least_frames(self) -> int:
        """The shortest spectrogram that it takes: convolutions reflect it at its ends."""
        return 1 + max(self.kernel // 2, *(dilation * (self.block_kernel // 2) for dilation in self.dilations))

    @property
    def example_sizes(self) -> dict[str, int]:
        """Sizes of the axes that vary, to compare engines with."""
        return {"B": 2, "N": self.least_frames + 151}

    def check(self, spectral: Spectral | None, mel: Mel | None, symbols: tuple[int, int]) -> None:
        """Compare with the spectrogram.

        Raises:
            ValueError: it has another number of bands, or is normalized where SpeechBrain's never is.
        """
        if mel and mel.bins != self.bins:
            raise ValueError(f"the network reads {self.bins} mel bands, its spectrogram has {mel.bins}.")
        if mel and mel.normalized and self.filterbank == "speechbrain":
            raise ValueError("SpeechBrain's spectrogram is not normalized; write false.")
