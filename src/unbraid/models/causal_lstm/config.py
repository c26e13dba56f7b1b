"""The sizes of a causal LSTM."""

import math
from dataclasses import dataclass
from typing import Annotated

from unbraid.files.ranges import Count, Layers, Range, Size, check_ranges
from unbraid.models.config import Config

Frames = Annotated[int, Range(1, 64)]


@dataclass(frozen=True)
class CausalLSTMConfig(Config):
    """Sizes of a causal LSTM; the defaults make 0.8 M parameters.

    Raises:
        ValueError: a size out of its range, or a frame that cannot be halved.
    """

    sources: Count = 1
    frame_samples: Size = 256  # of the spectrum; frames overlap by half
    features: Size = 160  # D, of each frame
    blocks: Layers = 2  # each: an LSTM over time, then a gated feed-forward layer
    hidden: Size = 160  # inner width of the feed-forward layers
    kernel_frames: Frames = 2  # that the first layer sees: the newest and those before it
    taps: Frames = 3  # frames that a filter reaches over: the newest and those before it
    level_frames: Annotated[int, Range(8, 4096)] = 64  # of the running level

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.frame_samples % 2:
            raise ValueError(f"frame_samples must be even, got {self.frame_samples}.")

    @property
    def needs(self) -> tuple[str, ...]:
        """No windows: the state carries all that came before."""
        return ()

    @property
    def hop_samples(self) -> int:
        """Samples from one frame to the next, and in each step of the graph."""
        return self.frame_samples // 2

    @property
    def latency_samples(self) -> int:
        """A frame: its first sample comes out once its last one is in."""
        return self.frame_samples

    @property
    def filter_size(self) -> int:
        """Numbers that make a filter of one bin: a gate, and a complex factor for each tap."""
        return 1 + 2 * self.taps

    @property
    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """The parts of the state in their order, each without the batch axis; all are 0 before the first sample."""
        return {
            "samples": (1, self.hop_samples),  # the newest hop
            "powers": (self.level_frames - 1,),  # mean squares of the frames before
            "features": (self.kernel_frames - 1, 3 * self.hop_samples),  # of the frames before
            "spectra": (self.taps - 1, 2 * self.hop_samples),  # of the frames before
            "recurrent": (self.blocks, 2, self.features),  # of each LSTM the output and the cell
            "tail": (self.sources, 1, self.hop_samples),  # the second half of the newest frame of each source
        }

    @property
    def state_size(self) -> int:
        """Numbers in the whole state."""
        return sum(math.prod(shape) for shape in self.state_shapes.values())

    @property
    def least_samples(self) -> int:
        """A frame, of training crops; use has no limit."""
        return self.frame_samples

    @property
    def example_sizes(self) -> dict[str, int]:
        """Two streams of seven hops."""
        return {"B": 2, "n": 7}

    def frames(self, samples: int) -> int:
        """Frames of the spectrum of so many samples."""
        return -(-samples // self.hop_samples) + 1
