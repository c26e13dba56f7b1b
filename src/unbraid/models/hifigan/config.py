"""The sizes of a HiFi-GAN."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from unbraid.dsp.framing import Mel, Spectral
from unbraid.files.ranges import Range, Size, check_ranges
from unbraid.models.config import Config, Task, check_stride

Kernel = Annotated[int, Range(1, 255)]
ENDS_KERNEL = 7  # of the first and the last convolution


@dataclass(frozen=True)
class HifiganConfig(Config):
    """Sizes of a HiFi-GAN generator; the defaults are those of SpeechBrain's (13.9 M parameters).

    Raises:
        ValueError: a size out of its range, transposed convolutions without one of their sizes or whose kernel is not
            their stride and an even number more, an even kernel elsewhere, or a width that cannot be halved so often.
    """

    bins: Size = 80  # F, mel bands
    width: Size = 512  # of the first convolution; each transposed one halves them
    kernels: tuple[Kernel, ...] = (16, 16, 4, 4)  # of the transposed convolutions
    strides: tuple[Kernel, ...] = (8, 8, 2, 2)  # their product is the number of samples of a frame
    block_kernels: tuple[Kernel, ...] = (3, 7, 11)  # a residual block for each, side by side
    dilations: tuple[Kernel, ...] = (1, 3, 5)  # in each residual block, one behind the other
    slope: Annotated[float, Range(0.0, 1.0)] = 0.1  # of leaky ReLUs, but for the last, which has 0.01
    padding: Literal["zeros", "reflect"] = "reflect"  # beyond both ends
    edge_frames: Annotated[int, Range(0, 255)] = 5  # the first and the last frame are repeated so often

    def __post_init__(self) -> None:
        check_ranges(self)
        check_stride(self.strides)
        if len(self.kernels) != len(self.strides):
            raise ValueError(
                f"each transposed convolution needs both, not {len(self.kernels)} kernels, {len(self.strides)} strides."
            )
        for kernel, stride in zip(self.kernels, self.strides, strict=True):
            if kernel < stride or (kernel - stride) % 2:
                raise ValueError(f"a kernel must be its stride and an even number more, got {kernel} for {stride}.")
        if even := [kernel for kernel in self.block_kernels if kernel % 2 == 0]:
            raise ValueError(f"block_kernels must be odd, so that samples stay where they are, got {even[0]}.")
        if self.width % 2 ** len(self.strides):
            raise ValueError(f"width ({self.width}) must be a multiple of {2 ** len(self.strides)}.")

    @property
    def hop_samples(self) -> int:
        """Samples of a frame."""
        return math.prod(self.strides)

    @property
    def context_frames(self) -> int:
        """The frames on either side of a frame that its samples depend on, at most."""
        reach = ENDS_KERNEL // 2  # in samples, then in steps of ever earlier layers
        for kernel, stride in zip(reversed(self.kernels), reversed(self.strides), strict=True):
            reach += max(sum((k // 2) * (d + 1) for d in self.dilations) for k in self.block_kernels)
            reach = -(-(reach + kernel) // stride)
        return reach + ENDS_KERNEL // 2

    @property
    def least_frames(self) -> int:
        """The shortest spectrogram that the network takes: reflections need more steps than they have."""
        if self.padding == "zeros":
            return 1
        least, steps = ENDS_KERNEL // 2 + 1, 1
        widest = max(k // 2 for k in self.block_kernels) * max(self.dilations)
        for stride in self.strides:
            steps *= stride
            least = max(least, widest // steps + 1)
        return max(least, (ENDS_KERNEL // 2) // steps + 1)

    @property
    def task(self) -> Task:
        """It makes waveforms of spectrograms."""
        return "vocoder"

    @property
    def reads(self) -> str:
        """A spectrogram."""
        return "spectrogram"

    @property
    def writes(self) -> str:
        """A waveform."""
        return "waveform"

    @property
    def needs(self) -> tuple[str, ...]:
        """The spectrogram that it reads."""
        return ("mel",)

    @property
    def example_sizes(self) -> dict[str, int]:
        """Sizes of the axes that vary, to compare engines with."""
        return {"B": 2, "N": self.least_frames + 28}

    def check(self, spectral: Spectral | None, mel: Mel | None, symbols: tuple[int, int]) -> None:
        """Compare with the spectrogram.

        Raises:
            ValueError: it has another number of bands or another hop, or levels that are no level of audio.
        """
        if mel and (mel.bins, mel.hop_samples) != (self.bins, self.hop_samples):
            raise ValueError(
                f"the network reads {self.bins} mel bands every {self.hop_samples} samples, its spectrogram has "
                f"{mel.bins} every {mel.hop_samples}."
            )
        if mel and (mel.normalized or mel.form == "whisper"):
            raise ValueError("audio has a level, so the levels of a vocoder's spectrogram are not normalized.")
