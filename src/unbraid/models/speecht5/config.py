"""The sizes of a SpeechT5 that speaks."""

from dataclasses import dataclass
from typing import Annotated

from unbraid.dsp.framing import Mel, Spectral
from unbraid.files.ranges import Layers, Range, Size, check_ranges
from unbraid.models.config import Config, Task


@dataclass(frozen=True)
class SpeechT5Config(Config):
    """Sizes of a SpeechT5 from text to speech; the defaults are those of microsoft/speecht5_tts (144 M parameters).

    Raises:
        ValueError: a size out of its range, features that the heads do not divide or that are odd, or an even kernel.
    """

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

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.features % self.heads or self.features % 2:
            raise ValueError(f"features ({self.features}) must be even, and a multiple of heads ({self.heads}).")
        if self.post_kernel % 2 == 0:
            raise ValueError(f"post_kernel must be odd, so that frames stay where they are, got {self.post_kernel}.")

    @property
    def task(self) -> Task:
        """It makes spectrograms of texts."""
        return "acoustic model"

    @property
    def reads(self) -> str:
        """Text."""
        return "text"

    @property
    def writes(self) -> str:
        """A spectrogram."""
        return "spectrogram"

    @property
    def needs(self) -> tuple[str, ...]:
        """The symbols of its texts, and its spectrogram."""
        return ("vocabularies", "mel")

    @property
    def graphs(self) -> tuple[str, ...]:
        """One for each of its parts."""
        return ("encoder", "decoder", "post")

    @property
    def example_sizes(self) -> dict[str, int]:
        """29 symbols, and three steps that are written."""
        return {"B": 2, "N": 29, "n": 3}

    def check(self, spectral: Spectral | None, mel: Mel | None, symbols: tuple[int, int]) -> None:
        """Compare with the vocabulary and the spectrogram.

        Raises:
            ValueError: they have other sizes.
        """
        if symbols != (self.symbols, 0):
            raise ValueError(
                f"the network's source has {self.symbols} symbols and its target none, its vocabularies {symbols[0]} "
                f"and {symbols[1]}."
            )
        if mel and (mel.bins != self.bins or mel.normalized or mel.form == "whisper"):
            raise ValueError(f"its network writes {self.bins} mel bands with a level, its spectrogram is another.")
