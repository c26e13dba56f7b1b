"""The sizes of a CAM++."""

from dataclasses import dataclass
from typing import Annotated

from unbraid.files.ranges import Layers, Range, Size, check_ranges
from unbraid.models.speaker_config import Filterbank, SpeakerConfig

Kernel = Annotated[int, Range(1, 255)]


@dataclass(frozen=True)
class CampplusConfig(SpeakerConfig):
    """Sizes of a CAM++; the defaults are those of 3D-Speaker's models for all recordings (7.2 M parameters).

    Raises:
        ValueError: a size out of its range, an even kernel, bands that the front cannot halve, or a stage without a
            dilation or the reverse.
    """

    bins: Size = 80  # F, mel bands
    planes: Size = 32  # channels of the two-dimensional front
    front_blocks: tuple[Layers, ...] = (2, 2)  # in each of its stages, which halve the bands; the last layer does too
    width: Size = 128  # channels behind the first layer over time, which halves the frames
    kernel: Kernel = 5  # frames, of that layer
    layers: tuple[Layers, ...] = (12, 24, 16)  # of each densely connected stage
    growth: Size = 32  # channels that a layer adds
    bottleneck: Size = 128  # inner width of a layer
    block_kernel: Kernel = 3  # steps
    dilations: tuple[Kernel, ...] = (1, 2, 2)  # of each stage
    squeezed: Size = 64  # inner width of the masks
    segment: Size = 100  # steps that share a mask
    features: Size = 192  # D, of an embedding
    filterbank: Filterbank = "3d-speaker"

    def __post_init__(self) -> None:
        check_ranges(self)
        for name in ("kernel", "block_kernel"):
            if getattr(self, name) % 2 == 0:
                raise ValueError(f"{name} must be odd, so that frames stay where they are, got {getattr(self, name)}.")
        if self.bins % self.halvings:
            raise ValueError(f"bins ({self.bins}) must be a multiple of {self.halvings}, since the front halves them.")
        if len(self.layers) != len(self.dilations):
            raise ValueError(f"layers ({len(self.layers)}) and dilations ({len(self.dilations)}) must be as many.")

    @property
    def halvings(self) -> int:
        """The front reads so many bands as one."""
        return int(2 ** (len(self.front_blocks) + 1))

    @property
    def grown(self) -> tuple[int, ...]:
        """The channels at the end of each stage, before they are halved."""
        found, channels = [], self.width
        for layers in self.layers:
            found.append(channels + layers * self.growth)
            channels = found[-1] // 2
        return tuple(found)

    @property
    def least_frames(self) -> int:
        """The shortest spectrogram that it takes: a deviation needs two steps, and a step is two frames."""
        return 3
