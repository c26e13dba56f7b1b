"""The sizes of a network, as data: what its torch module, its graph and its weights file are all built from."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from unbraid.errors import quoted
from unbraid.files.ranges import Count, Layers, Range, Size, check_ranges

Activation = Literal["leaky_relu", "relu", "elu"]
Positions = Literal["sinusoidal", "rotary"]
Symbols = Annotated[int, Range(-math.inf, 1 << 20)]  # at least 5, which is said in words of its own
MOST_STRIDE = 1 << 20  # samples or frames in a step


@dataclass(frozen=True)
class SepFormerGeometry:
    """Sizes of a SepFormer; the defaults are the published ones (25.7 M parameters).

    Raises:
        ValueError: a size out of its range, chunks of an odd number of frames, features that are odd or that the heads
            do not divide.
    """

    sources: Count = 2
    features: Size = 256  # D, channels of the learned encoder
    kernel_samples: Size = 16  # of the encoder and the decoder
    stride_samples: Size = 8
    chunk_frames: Size = 250  # K, even: chunks overlap by half
    blocks: Layers = 2  # dual-path blocks
    layers: Layers = 8  # Transformer layers in each half of a block
    heads: Size = 8
    hidden: Size = 1024  # inner width of the feed-forward halves

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.blocks * self.layers > 1000:
            raise ValueError(f"blocks times layers must be at most 1000, got {self.blocks} times {self.layers}.")
        if self.chunk_frames % 2:
            raise ValueError(f"chunk_frames must be even, got {self.chunk_frames}.")
        if self.features % 2:
            raise ValueError(f"features must be even (positions are pairs of sin and cos), got {self.features}.")
        if self.features % self.heads:
            raise ValueError(f"features ({self.features}) must be a multiple of heads ({self.heads}).")


@dataclass(frozen=True)
class BandSplitGeometry:
    """Sizes of a band-split Transformer; the defaults make 2.6 M parameters.

    Raises:
        ValueError: a size out of its range, a frame that cannot be halved and cut into bands, features that the heads
            do not divide, or kernels and filters without a middle.
    """

    sources: Count = 3
    frame_samples: Size = 256  # of the spectrum; frames overlap by half
    bands: Size = 16  # K, of equal width
    features: Size = 128  # D, of each band in each frame
    blocks: Layers = 6  # each: over time, then over bands
    heads: Size = 4
    query_features: Size = 8  # E, of each band in each head
    hidden: Size = 192  # inner width of the gated convolutions
    kernel_frames: Size = 5
    kernel_bands: Size = 3
    band_features: Size = 16  # that a band is squeezed to where bands are mixed
    band_hidden: Size = 256  # inner width of that
    taps: Size = 3  # frames that a filter reaches over

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.frame_samples % (2 * self.bands):
            raise ValueError(f"frame_samples must be a multiple of {2 * self.bands} (twice the bands), "
                             f"got {self.frame_samples}.")  # fmt: skip
        if self.features % self.heads:
            raise ValueError(f"features ({self.features}) must be a multiple of heads ({self.heads}).")
        for name in ("kernel_frames", "kernel_bands", "taps"):
            if not getattr(self, name) % 2:
                raise ValueError(f"{name} must be odd, got {getattr(self, name)}.")

    @property
    def hop_samples(self) -> int:
        """Samples from one frame to the next."""
        return self.frame_samples // 2

    @property
    def band_bins(self) -> int:
        """Bins of a band; the last one of the spectrum, at half the sample rate, belongs to none."""
        return self.frame_samples // 2 // self.bands

    @property
    def outputs(self) -> int:
        """Numbers that make a filter of one bin: a gate, and a complex factor for each tap."""
        return 1 + 2 * self.taps


@dataclass(frozen=True)
class UNetGeometry:
    """Sizes of a set of U-Nets; the defaults are the published two-stem ones (9.8 M parameters a stem).

    Raises:
        ValueError: a size out of its range, fewer than two levels, bins that cannot be halved at each of them, or a
            side of what is not stereo.
    """

    stems: Count = 2
    channels: Count = 2
    filters: tuple[Size, ...] = (16, 32, 64, 128, 256, 512)  # output channels, outermost first
    encoder_activation: Activation = "leaky_relu"
    decoder_activation: Activation = "relu"  # the four- and five-stem models: elu, both ways
    output: Literal["sigmoid", "softmax"] = "sigmoid"  # softmax over stems: the five-stem model
    trunk: Literal["own", "shared"] = "own"  # a network for each stem, as published, or one that makes all masks
    bins: Annotated[int, Range(-math.inf, 65_536)] = (
        0  # F, for layers across all of them; 0: convolutions alone, as published, whatever F is
    )
    side: bool = False  # |left - right| is seen, too: it tells what is spread out from what comes from one place

    def __post_init__(self) -> None:
        check_ranges(self)
        if len(self.filters) < 2:
            raise ValueError(f"filters must name at least two levels, got {self.filters}.")
        if len(self.filters) > 16:
            raise ValueError(f"filters must name at most 16 levels, got {len(self.filters)}.")
        multiple = 2 ** len(self.filters)
        if self.bins < 0 or self.bins % multiple:
            raise ValueError(f"bins must be a multiple of {multiple} (2 to the number of filters), got {self.bins}.")
        if self.side and self.channels != 2:
            raise ValueError(f"side is what two channels differ by; channels must be 2, got {self.channels}.")

    @property
    def inputs(self) -> int:
        """Planes that a network sees."""
        return self.channels + self.side

    @property
    def nets(self) -> int:
        """How many networks there are."""
        return self.stems if self.trunk == "own" else 1

    @property
    def planes(self) -> int:
        """Channels of the outermost transposed convolution: one, or with a shared trunk one for each mask."""
        return 1 if self.trunk == "own" else self.stems * self.channels


def across_width(bins: int) -> int:
    """How wide the middle of a U-Net's layer across so many bins is."""
    return max(16, bins // 8)


@dataclass(frozen=True)
class TextSide:
    """One side of an audio Transformer that is text: symbols in, or symbols out.

    Raises:
        ValueError: too few symbols to hold the special ones (padding, begin, end, unknown) and one more.
    """

    symbols: Symbols  # V, size of the vocabulary, special symbols included
    kind: Literal["text"] = "text"

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.symbols < 5:
            raise ValueError(f"symbols must be at least 5 (four special ones and one more), got {self.symbols}.")


@dataclass(frozen=True)
class SpectrogramSide:
    """One side of an audio Transformer that is a log-mel spectrogram (see `dsp.mel`).

    Raises:
        ValueError: a size out of its range, or no strides.
    """

    bins: Size  # F, mel bands
    strides: tuple[Size, ...] = (1,)  # of the convolutions over its frames; their product of frames are one step
    kind: Literal["spectrogram"] = "spectrogram"

    def __post_init__(self) -> None:
        check_ranges(self)
        check_stride(self.strides)

    @property
    def stride(self) -> int:
        """Frames in a step."""
        return math.prod(self.strides)


@dataclass(frozen=True)
class WaveSide:
    """One side of an audio Transformer that is a waveform: convolutions with learned filters, one or several.

    Raises:
        ValueError: a size out of its range, strides and kernels that are not as many, or a kernel that does not reach
            as far to the left of its stride as to the right.
    """

    kernels: tuple[Size, ...]  # samples, then steps of the convolution before
    strides: tuple[Size, ...]  # their product of samples are one step
    filters: Size = 128  # E
    kind: Literal["waveform"] = "waveform"

    def __post_init__(self) -> None:
        check_ranges(self)
        check_stride(self.strides)
        if len(self.kernels) != len(self.strides):
            raise ValueError(
                f"each convolution needs both, not {len(self.kernels)} kernels, {len(self.strides)} strides."
            )
        for kernel, stride in zip(self.kernels, self.strides, strict=True):
            if kernel < stride or (kernel - stride) % 2:
                raise ValueError(f"a kernel must be its stride and an even number more, got {kernel} for {stride}.")

    @property
    def stride(self) -> int:
        """Samples in a step."""
        return math.prod(self.strides)


@dataclass(frozen=True)
class Wav2Vec2Geometry:
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
    def reach(self) -> int:
        """Samples that one step is made of: no waveform may be shorter."""
        samples = 1
        for kernel, stride in zip(reversed(self.kernels), reversed(self.strides), strict=True):
            samples = (samples - 1) * stride + kernel
        return samples


@dataclass(frozen=True)
class PretrainedSide:
    """The source of an audio Transformer that is a waveform, which a Wav2Vec2 or HuBERT without its head reads."""

    encoder: Wav2Vec2Geometry  # its symbols count for nothing
    kind: Literal["wav2vec2"] = "wav2vec2"

    @property
    def stride(self) -> int:
        """Samples from one step to the next; the first one takes more of them, the encoder's reach."""
        return self.encoder.stride


Side = TextSide | SpectrogramSide | WaveSide | PretrainedSide


@dataclass(frozen=True)
class AudioTransformerGeometry:
    """Sizes of an encoder-decoder Transformer; the defaults make 3.1 M parameters besides those of its two ends.

    Without decoder layers what comes out is aligned to what goes in, step by step, and the encoder alone does it.

    Raises:
        ValueError: a size out of its range, features that the heads do not divide, an odd number of what positions pair
            up, or sides that do not go together.
    """

    source: Side  # what the encoder reads
    target: Side  # what comes out
    features: Size = 192  # D
    heads: Size = 4  # H
    hidden: Size = 768  # inner width of the feed-forward halves
    encoder_layers: Layers = 3
    decoder_layers: Annotated[int, Range(-math.inf, 1000)] = 3
    positions: Positions = "sinusoidal"  # added to embeddings, or turned into q and k
    ctc: bool = False  # the encoder, too, says what is to be written (connectionist temporal classification)

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.features % self.heads:
            raise ValueError(f"features ({self.features}) must be a multiple of heads ({self.heads}).")
        if self.positions == "sinusoidal" and self.features % 2:
            raise ValueError(f"features must be even (positions are pairs of sin and cos), got {self.features}.")
        if self.positions == "rotary" and (width := self.features // self.heads) % 2:
            raise ValueError(f"features of a head must be even (rotary positions turn pairs of them), got {width}.")
        text_in, text_out = (isinstance(side, TextSide) for side in (self.source, self.target))
        if self.decoder_layers < (1 if text_in or text_out else 0):
            raise ValueError(f"decoder_layers must be at least 1 where one side is text, got {self.decoder_layers}.")
        if isinstance(self.target, PretrainedSide):
            raise ValueError("a pretrained encoder reads audio, and makes none; choose another target.")
        if isinstance(self.source, PretrainedSide) and not text_out:
            raise ValueError("behind a pretrained encoder comes text, no audio; choose another source.")
        if self.decoder_layers and isinstance(self.target, WaveSide):
            raise ValueError("a decoder writes text or spectrograms, no waveforms; set decoder_layers to 0.")
        if isinstance(self.target, WaveSide) and len(self.target.strides) > 1:
            raise ValueError(f"one convolution writes a waveform, not {len(self.target.strides)}; name one stride.")
        if self.ctc and (text_in or not text_out):
            raise ValueError("ctc is for text that is written from audio.")

    @property
    def is_aligned(self) -> bool:
        """Whether each step of what comes out belongs to one of what goes in."""
        return not self.decoder_layers

    @property
    def alters(self) -> bool:
        """Whether the network says what to change in what goes in, rather than what comes out."""
        return self.is_aligned and self.source == self.target


def check_stride(strides: tuple[int, ...]) -> None:
    """Raise ValueError where a step would be longer than any model's."""
    if (product := math.prod(strides)) > MOST_STRIDE:
        raise ValueError(f"the product of strides must be at most {MOST_STRIDE}, got {quoted(product)}.")


Geometry = SepFormerGeometry | BandSplitGeometry | UNetGeometry | AudioTransformerGeometry | Wav2Vec2Geometry
