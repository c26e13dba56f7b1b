"""The sizes of a network, as data: what its torch module, its graph and its weights file are all built from."""

from dataclasses import dataclass
from typing import Literal

Activation = Literal["leaky_relu", "relu", "elu"]


@dataclass(frozen=True)
class SepFormerGeometry:
    """Sizes of a SepFormer; the defaults are the published ones (25.7 M parameters).

    Raises:
        ValueError: chunks of an odd number of frames, or features that are odd or that the heads do not divide.
    """

    sources: int = 2
    features: int = 256  # D, channels of the learned encoder
    kernel_samples: int = 16  # of the encoder and the decoder
    stride_samples: int = 8
    chunk_frames: int = 250  # K, even: chunks overlap by half
    blocks: int = 2  # dual-path blocks
    layers: int = 8  # Transformer layers in each half of a block
    heads: int = 8
    hidden: int = 1024  # inner width of the feed-forward halves

    def __post_init__(self) -> None:
        if self.chunk_frames % 2:
            raise ValueError(f"chunk_frames must be even, got {self.chunk_frames}.")
        if self.features % 2:
            raise ValueError(f"features must be even (positions are pairs of sin and cos), got {self.features}.")
        if self.features % self.heads:
            raise ValueError(f"features ({self.features}) must be a multiple of heads ({self.heads}).")


@dataclass(frozen=True)
class UNetGeometry:
    """Sizes of a set of U-Nets; the defaults are the published two-stem ones (9.8 M parameters a stem)."""

    stems: int = 2
    channels: int = 2
    filters: tuple[int, ...] = (16, 32, 64, 128, 256, 512)  # output channels, outermost first
    encoder_activation: Activation = "leaky_relu"
    decoder_activation: Activation = "relu"  # the four- and five-stem models: elu, both ways
    output: Literal["sigmoid", "softmax"] = "sigmoid"  # softmax over stems: the five-stem model


Geometry = SepFormerGeometry | UNetGeometry
