"""The sizes of a Wav2Vec2 or HuBERT."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from unbraid.dsp.framing import Mel, Spectral
from unbraid.files.ranges import Layers, Range, Size, check_ranges
from unbraid.models.config import Config, Task, check_stride


@dataclass(frozen=True)
class Wav2Vec2Config(Config):
    """Sizes of a Wav2Vec2 or HuBERT that writes text; the defaults are those of the base models (94.4 M parameters).

    Raises:
        ValueError: a size out of its range, features that the heads or groups do not divide, or convolutions without
            one of their sizes.
    """

    symbols: Annotated[int, Range(1, 1 << 20)] = 32  # V, of the vocabulary, special ones included; 0 is CTC's blank
    features: Size = 768  # D
    heads: Size = 12  # H
    hidden: Size = 3072  # inner width of the feed-forward halves
    layers: Layers = 12
    filters: tuple[Size, ...] = (512,) * 7  # of the convolutions over samples
    kernels: tuple[Size, ...] = (10, 3, 3, 3, 3, 2, 2)
    strides: tuple[Size, ...] = (5, 2, 2, 2, 2, 2, 2)
    filter_bias: bool = False
    filter_norm: Literal["group", "layer"] = "group"  # over time in the first one only, or over filters in each
    pre_norm: bool = False  # layer norms before each half of a layer (the large models), or after it
    project_norm: bool = True  # a layer norm between convolutions and Transformer (some HuBERTs have none)
    position_kernel: Size = 128  # steps of the convolution that tells where a step is
    position_groups: Size = 16
    normalized: bool = True  # the waveform is brought to zero mean and unit variance first

    def __post_init__(self) -> None:
        check_ranges(self)
        check_stride(self.strides)
        convolutions = {name: getattr(self, name) for name in ("filters", "kernels", "strides")}
        if len({len(values) for values in convolutions.values()}) > 1:
            counts = ", ".join(f"{len(values)} {name}" for name, values in convolutions.items())
            raise ValueError(f"each convolution needs filters, a kernel and a stride; there are {counts}.")
        if self.symbols < 5:
            raise ValueError(f"symbols must be at least 5 (four special ones and one more), got {self.symbols}.")
        for name in ("heads", "position_groups"):
            if self.features % getattr(self, name):
                raise ValueError(f"features ({self.features}) must be a multiple of {name} ({getattr(self, name)}).")

    @property
    def stride(self) -> int:
        """Samples from one step to the next."""
        return math.prod(self.strides)

    @property
    def receptive_field(self) -> int:
        """Samples that one step is made of: no waveform may be shorter."""
        samples = 1
        for kernel, stride in zip(reversed(self.kernels), reversed(self.strides), strict=True):
            samples = (samples - 1) * stride + kernel
        return samples

    @property
    def task(self) -> Task:
        """It writes text."""
        return "transcription"

    @property
    def writes(self) -> str:
        """Text."""
        return "text"

    @property
    def needs(self) -> tuple[str, ...]:
        """Windows of long audio, and the symbols that it writes."""
        return ("windows", "vocabularies")

    @property
    def least_samples(self) -> int:
        """The receptive field of a step."""
        return self.receptive_field

    def check(self, spectral: Spectral | None, mel: Mel | None, symbols: tuple[int, int]) -> None:
        """Compare with the vocabulary.

        Raises:
            ValueError: there is one of what it reads, or that of what it writes has another size.
        """
        if symbols[0]:
            raise ValueError("its network reads audio, so its source has no vocabulary; write [].")
        if symbols[1] != self.symbols:
            raise ValueError(f"the network's target has {self.symbols} symbols, its vocabulary {symbols[1]}.")
