"""The sizes of a SpeechT5: text or speech in, speech or text out."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from unbraid.dsp.framing import Mel, Spectral
from unbraid.files.ranges import Layers, Range, Size, check_ranges
from unbraid.models.config import Config, Task
from unbraid.models.wav2vec2.config import Wav2Vec2Config


@dataclass(frozen=True)
class SpeechT5Config(Config):
    """Sizes of a SpeechT5; the defaults are those of microsoft/speecht5_tts (144 M parameters), from text to speech.

    With a waveform as its source it converts voices (microsoft/speecht5_vc), or, with text as its target, writes what
    is said (microsoft/speecht5_asr). Sizes of what a network has not are left at their defaults.

    Raises:
        ValueError: a size out of its range, features that the heads or groups do not divide or that are odd, an even
            kernel, or sides that do not go together.
    """

    LATER: ClassVar = (
        "source",
        "target",
        "filters",
        "kernels",
        "strides",
        "filter_bias",
        "filter_norm",
        "position_kernel",
        "position_groups",
        "normalized",
    )

    symbols: Annotated[int, Range(5, 1 << 20)] = 81  # V, of the texts, special ones included
    features: Size = 768  # D
    heads: Size = 12  # H
    hidden: Size = 3072  # inner width of the feed-forward halves
    encoder_layers: Layers = 12
    decoder_layers: Layers = 6
    relative_steps: Size = 160  # R: the encoder tells distances from -R to R - 1
    bins: Size = 80  # F, mel bands
    stride: Size = 2  # r, frames of a step of the decoder
    prenet: Size = 256  # P, inner width of the pre-net
    speaker: Size = 512  # S, features of the speaker
    post_layers: Annotated[int, Range(2, 64)] = 5
    post_width: Size = 256
    post_kernel: Annotated[int, Range(1, 255)] = 5
    norm_eps: Annotated[float, Range(1e-12, 0.1)] = 1e-5
    source: Literal["text", "waveform"] = "text"
    target: Literal["spectrogram", "text"] = "spectrogram"
    filters: tuple[Size, ...] = (512,) * 7  # of the convolutions over samples
    kernels: tuple[Size, ...] = (10, 3, 3, 3, 3, 2, 2)
    strides: tuple[Size, ...] = (5, 2, 2, 2, 2, 2, 2)
    filter_bias: bool = False
    filter_norm: Literal["group", "layer"] = "group"  # as of a Wav2Vec2
    position_kernel: Size = 128  # steps of the convolution that tells where a step is
    position_groups: Size = 16
    normalized: bool = False  # the waveform is brought to zero mean and unit variance first

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.source == self.target == "text":
            raise ValueError("source and target are both text; one of them is sound.")
        if self.source == "waveform" and self.front.features < 4:
            raise ValueError(f"features must be at least 4 (positions have two halves), got {self.features}.")
        if self.features % self.heads or self.features % 2:
            raise ValueError(f"features ({self.features}) must be even, and a multiple of heads ({self.heads}).")
        if self.post_kernel % 2 == 0:
            raise ValueError(f"post_kernel must be odd, so that frames stay where they are, got {self.post_kernel}.")

    @property
    def task(self) -> Task:
        """By what it reads and writes."""
        if self.source == "text":
            return "acoustic model"
        return "transcription" if self.target == "text" else "voice conversion"

    @property
    def reads(self) -> str:
        """Text or a waveform."""
        return self.source

    @property
    def writes(self) -> str:
        """A spectrogram or text."""
        return self.target

    @property
    def needs(self) -> tuple[str, ...]:
        """The pieces of long audio, the symbols of its texts, and its spectrogram."""
        there = {
            "windows": self.source == "waveform",
            "vocabularies": "text" in (self.source, self.target),
            "mel": self.target == "spectrogram",
        }
        return tuple(part for part in there if there[part])

    @property
    def graphs(self) -> tuple[str, ...]:
        """One for each of its parts."""
        return ("encoder", "decoder") if self.target == "text" else ("encoder", "decoder", "post")

    @property
    def front(self) -> Wav2Vec2Config:
        """The Wav2Vec2 whose convolutions and projection read its waveform.

        Raises:
            ValueError: as `Wav2Vec2Config`.
        """
        return Wav2Vec2Config(
            features=self.features,
            heads=self.heads,
            hidden=self.hidden,
            filters=self.filters,
            kernels=self.kernels,
            strides=self.strides,
            filter_bias=self.filter_bias,
            filter_norm=self.filter_norm,
            position_kernel=self.position_kernel,
            position_groups=self.position_groups,
            normalized=self.normalized,
        )

    @property
    def least_samples(self) -> int:
        """The receptive field of a step of a waveform."""
        return self.front.receptive_field if self.source == "waveform" else 1

    @property
    def example_sizes(self) -> dict[str, int]:
        """29 symbols or steps of a waveform, and three steps that are written."""
        samples = 28 * self.front.stride + self.least_samples if self.source == "waveform" else 0
        return {"B": 2, "N": 29, "n": 3, "T": samples}

    def check(self, spectral: Spectral | None, mel: Mel | None, symbols: tuple[int, int]) -> None:
        """Compare with the vocabularies and the spectrogram.

        Raises:
            ValueError: they have other sizes.
        """
        wanted = tuple(self.symbols if side == "text" else 0 for side in (self.source, self.target))
        if symbols != wanted:
            raise ValueError(
                f"the network's source and target have {wanted[0]} and {wanted[1]} symbols, its vocabularies "
                f"{symbols[0]} and {symbols[1]}."
            )
        if mel and (mel.bins != self.bins or mel.normalized or mel.form == "whisper"):
            raise ValueError(f"its network writes {self.bins} mel bands with a level, its spectrogram is another.")
