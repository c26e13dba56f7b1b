"""The sizes of a network, as data: what its torch module, its graph and its weights file are all built from."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

Activation = Literal["leaky_relu", "relu", "elu"]
Positions = Literal["sinusoidal", "rotary"]


@dataclass(frozen=True)
class SepFormerGeometry:
    """Sizes of a SepFormer; the defaults are the published ones (25.7 M parameters).

    Raises:
        ValueError: a size below 1, chunks of an odd number of frames, features that are odd or that the heads do not
            divide.
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
        _check_positive(dataclasses.asdict(self))
        if self.chunk_frames % 2:
            raise ValueError(f"chunk_frames must be even, got {self.chunk_frames}.")
        if self.features % 2:
            raise ValueError(f"features must be even (positions are pairs of sin and cos), got {self.features}.")
        if self.features % self.heads:
            raise ValueError(f"features ({self.features}) must be a multiple of heads ({self.heads}).")


@dataclass(frozen=True)
class UNetGeometry:
    """Sizes of a set of U-Nets; the defaults are the published two-stem ones (9.8 M parameters a stem).

    Raises:
        ValueError: a size below 1, or fewer than two levels.
    """

    stems: int = 2
    channels: int = 2
    filters: tuple[int, ...] = (16, 32, 64, 128, 256, 512)  # output channels, outermost first
    encoder_activation: Activation = "leaky_relu"
    decoder_activation: Activation = "relu"  # the four- and five-stem models: elu, both ways
    output: Literal["sigmoid", "softmax"] = "sigmoid"  # softmax over stems: the five-stem model
    trunk: Literal["own", "shared"] = "own"  # a network for each stem, as published, or one that makes all masks

    def __post_init__(self) -> None:
        _check_positive({"stems": self.stems, "channels": self.channels, "filters": min(self.filters, default=0)})
        if len(self.filters) < 2:
            raise ValueError(f"filters must name at least two levels, got {self.filters}.")

    @property
    def nets(self) -> int:
        """How many networks there are."""
        return self.stems if self.trunk == "own" else 1

    @property
    def planes(self) -> int:
        """Channels of the outermost transposed convolution: one, or with a shared trunk one for each mask."""
        return 1 if self.trunk == "own" else self.stems * self.channels


@dataclass(frozen=True)
class ConvTasNetGeometry:
    """Sizes of a Conv-TasNet; the defaults are the published best ones (5.1 M parameters); never exported.

    Raises:
        ValueError: a size below 1, or a kernel of an odd number of samples or an even number of frames.
    """

    sources: int = 2
    features: int = 512  # N, channels of the learned encoder
    kernel_samples: int = 16  # L, of the encoder and the decoder; the stride is half of it
    bottleneck: int = 128  # B, channels between blocks
    skip: int = 128  # Sc, channels of the skip paths
    hidden: int = 512  # H, channels inside a block
    kernel_frames: int = 3  # P, of the depthwise convolutions
    blocks: int = 8  # X, blocks in a repeat, dilated by 1, 2, 4, …
    repeats: int = 3  # R

    def __post_init__(self) -> None:
        _check_positive(dataclasses.asdict(self))
        if self.kernel_samples % 2:
            raise ValueError(f"kernel_samples must be even (the stride is half of it), got {self.kernel_samples}.")
        if not self.kernel_frames % 2:
            raise ValueError(f"kernel_frames must be odd, got {self.kernel_frames}.")


@dataclass(frozen=True)
class TextSide:
    """One side of an audio Transformer that is text: symbols in, or symbols out.

    Raises:
        ValueError: too few symbols to hold the special ones (padding, begin, end, unknown) and one more.
    """

    symbols: int  # V, size of the vocabulary, special symbols included
    kind: Literal["text"] = "text"

    def __post_init__(self) -> None:
        if self.symbols < 5:
            raise ValueError(f"symbols must be at least 5 (four special ones and one more), got {self.symbols}.")


@dataclass(frozen=True)
class AudioTransformerGeometry:
    """Sizes of an encoder-decoder Transformer; the defaults make 3.1 M parameters and two embeddings.

    Raises:
        ValueError: a size below 1, features that the heads do not divide, or an odd number of what positions pair up.
    """

    source: TextSide  # what the encoder reads
    target: TextSide  # what the decoder writes
    features: int = 192  # D
    heads: int = 4  # H
    hidden: int = 768  # inner width of the feed-forward halves
    encoder_layers: int = 3
    decoder_layers: int = 3
    positions: Positions = "sinusoidal"  # added to embeddings, or turned into q and k

    def __post_init__(self) -> None:
        sizes = ("features", "heads", "hidden", "encoder_layers", "decoder_layers")
        _check_positive({name: getattr(self, name) for name in sizes})
        if self.features % self.heads:
            raise ValueError(f"features ({self.features}) must be a multiple of heads ({self.heads}).")
        if self.positions == "sinusoidal" and self.features % 2:
            raise ValueError(f"features must be even (positions are pairs of sin and cos), got {self.features}.")
        if self.positions == "rotary" and (width := self.features // self.heads) % 2:
            raise ValueError(f"features of a head must be even (rotary positions turn pairs of them), got {width}.")


def _check_positive(sizes: dict[str, int]) -> None:
    if bad := [name for name, value in sizes.items() if value < 1]:
        raise ValueError(f"{bad[0]} must be at least 1, got {sizes[bad[0]]}.")


Geometry = SepFormerGeometry | UNetGeometry | AudioTransformerGeometry
