"""The sizes of an audio Transformer and of its two ends."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from unbraid.dsp.framing import Mel, Spectral
from unbraid.files.ranges import Layers, Range, Size, check_ranges
from unbraid.models.config import Config, Task, check_stride
from unbraid.models.wav2vec2.config import Wav2Vec2Config

ATTENTION = "attention"  # the graph of attention weights
Positions = Literal["sinusoidal", "rotary", "learned"]
Activation = Literal["relu", "gelu"]
Steps = Annotated[int, Range(0, 65_536)]
NORM_EPS = 1e-6
Symbols = Annotated[int, Range(-math.inf, 1 << 20)]  # at least 5, which has a message of its own


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
    strides: tuple[Size, ...] = (1,)  # of the convolutions over frames; their product is the number of frames in a step
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
    strides: tuple[Size, ...]  # their product is the number of samples in a step
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
class PretrainedSide:
    """The source of an audio Transformer that is a waveform, read by a Wav2Vec2 or HuBERT without its head."""

    encoder: Wav2Vec2Config  # its symbols are not used
    kind: Literal["wav2vec2"] = "wav2vec2"

    @property
    def stride(self) -> int:
        """Samples from one step to the next; the first one takes more, the receptive field."""
        return self.encoder.stride


Side = TextSide | SpectrogramSide | WaveSide | PretrainedSide


@dataclass(frozen=True)
class AudioTransformerConfig(Config):
    """Sizes of an encoder-decoder Transformer; the defaults make 3.1 M parameters besides those of its two ends.

    Without decoder layers the encoder alone computes the output, which is aligned with the input step by step.

    Raises:
        ValueError: a size out of its range, features that the heads do not divide, an odd number of what positions pair
            up, or sides that do not go together.
    """

    LATER: ClassVar = ("activation", "norm_eps", "source_steps", "target_steps", "tied")

    source: Side  # the input of the encoder
    target: Side  # the output
    features: Size = 192  # D
    heads: Size = 4  # H
    hidden: Size = 768  # inner width of the feed-forward halves
    encoder_layers: Layers = 3
    decoder_layers: Annotated[int, Range(-math.inf, 1000)] = 3
    positions: Positions = "sinusoidal"  # added to embeddings, or turned into q and k; learned ones are added, too
    ctc: bool = False  # the encoder predicts the text as well (connectionist temporal classification)
    activation: Activation = "relu"  # of feed-forward halves; gelu also follows each convolution over frames
    norm_eps: Annotated[float, Range(1e-12, 0.1)] = NORM_EPS  # of layer norms
    source_steps: Steps = 0  # that the encoder reads at most: rows of learned positions; 0: any number
    target_steps: Steps = 0  # and that the decoder writes
    tied: bool = False  # embeddings, without their factor, are the output's weights as well

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
        if self.tied and not text_out:
            raise ValueError("tied is for text that is written; set it to false.")
        if [bool(steps) for steps in (self.source_steps, self.target_steps)] != 2 * [self.positions == "learned"]:
            raise ValueError(
                f"source_steps and target_steps are above 0 where positions are learned, else 0; got "
                f"{self.source_steps} and {self.target_steps}."
            )
        if self.takes_prompts and (text_in or not text_out):
            raise ValueError("learned positions are for text that is written from audio; choose other positions.")

    @property
    def is_aligned(self) -> bool:
        """Whether target steps correspond to source steps, without a decoder."""
        return not self.decoder_layers

    @property
    def takes_prompts(self) -> bool:
        """Whether the decoder takes several symbols at once, numbered by a tokenizer: a prompt, then one at a time."""
        return self.positions == "learned"

    @property
    def has_int8(self) -> bool:
        """As `Config.has_int8`."""
        return self.takes_prompts

    @property
    def alters(self) -> bool:
        """Whether the network predicts a change of the source rather than the target itself."""
        return self.is_aligned and self.source == self.target

    @property
    def task(self) -> Task:
        """By what it reads and writes."""
        match self.source.kind, self.target.kind:
            case "text", "text":
                return "phonemes"
            case _, "text":
                return "transcription"
            case "text", _:
                return "acoustic model"
            case "waveform", "waveform":
                return "enhancement"
            case "spectrogram", "waveform":
                return "vocoder"
        return "audio to audio"

    @property
    def reads(self) -> str:
        """The kind of its source; a pretrained encoder reads waveforms."""
        return "waveform" if isinstance(self.source, PretrainedSide) else self.source.kind

    @property
    def writes(self) -> str:
        """The kind of its target."""
        return self.target.kind

    @property
    def needs(self) -> tuple[str, ...]:
        """Windows of audio that it reads, vocabularies or tokens of its texts, and the kind of its spectrograms."""
        sides = (self.source, self.target)
        there = {
            "windows": not isinstance(self.source, TextSide),
            "vocabularies": any(isinstance(side, TextSide) for side in sides) and not self.takes_prompts,
            "mel": any(isinstance(side, SpectrogramSide) for side in sides),
            "tokens": self.takes_prompts,
        }
        return tuple(part for part in there if there[part])

    @property
    def graphs(self) -> tuple[str, ...]:
        """One of a network without a decoder; else one for each of its parts."""
        if self.is_aligned:
            return ("model",)
        return ("encoder", "decoder") if isinstance(self.target, TextSide) else ("encoder", "decoder", "post")

    @property
    def optional_graphs(self) -> tuple[str, ...]:
        """Attention weights; with prompts, windows are too long for all, and the decoder has those of the source."""
        return () if self.takes_prompts else (ATTENTION,)

    @property
    def channels(self) -> int:
        """One where there is audio."""
        return 0 if self.source.kind == self.target.kind == "text" else 1

    @property
    def outputs(self) -> int:
        """One stem where a waveform becomes a waveform."""
        return int(self.source.kind == self.target.kind == "waveform")

    @property
    def example_sizes(self) -> dict[str, int]:
        """29 steps, or so many samples, and three steps that are written."""
        side = self.source
        samples = 28 * side.stride + side.encoder.receptive_field if isinstance(side, PretrainedSide) else 0
        return {"B": 2, "N": 29, "n": 3, "T": samples}

    @property
    def least_samples(self) -> int:
        """One step of the source."""
        return self.source.stride if isinstance(self.source, WaveSide) else 1

    def check(self, spectral: Spectral | None, mel: Mel | None, symbols: tuple[int, int]) -> None:
        """Compare with the vocabularies and the spectrogram.

        Raises:
            ValueError: they have other sizes, or a step that is written is not as long as one that is read.
        """
        sides = {"source": self.source, "target": self.target}
        for (name, side), found in zip(sides.items(), symbols, strict=True):
            if (rows := side.symbols if isinstance(side, TextSide) else 0) != found:
                kind = "tokenizer" if self.takes_prompts else "vocabulary"
                raise ValueError(f"the network's {name} has {rows} symbols, its {kind} {found}.")
        for side in sides.values():
            if isinstance(side, SpectrogramSide) and mel and side.bins != mel.bins:
                raise ValueError(f"its network has {side.bins} mel bands, its spectrogram {mel.bins}.")
        if mel and mel.normalized and not isinstance(self.target, TextSide):
            raise ValueError("normalized levels are for networks that write text; audio has a level.")
        read, written = (samples_in_step(side, mel) for side in sides.values())
        if self.is_aligned and read != written:
            raise ValueError(f"a step of what it reads is {read} samples, of what it writes {written}.")


def as_audio_transformer(config: Config) -> AudioTransformerConfig:
    """A config as that of an audio Transformer, where its family or task has been checked."""
    assert isinstance(config, AudioTransformerConfig)
    return config


def source_name(side: Side) -> str:
    """The name of a source in graphs: symbols (B, N), log_mel (B, N·stride, F) or waveform (B, T)."""
    return {"text": "symbols", "spectrogram": "log_mel", "waveform": "waveform", "wav2vec2": "waveform"}[side.kind]


def samples_in_step(side: Side, mel: Mel | None) -> int:
    """Samples in one step of the encoder; 0 where a step is a symbol."""
    if isinstance(side, TextSide):
        return 0
    return side.stride * mel.hop_samples if isinstance(side, SpectrogramSide) and mel else side.stride
