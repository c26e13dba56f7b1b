"""The base class of all configs: what follows from the sizes of a network; each family adds its sizes as fields."""

import math
from typing import ClassVar, Literal, Self

from unbraid.dsp.framing import Mel, Spectral
from unbraid.errors import quoted

Task = Literal[
    "separation",
    "enhancement",
    "transcription",
    "phonemes",
    "acoustic model",
    "vocoder",
    "audio to audio",
    "voice conversion",
    "speaker embedding",
    "notes",
]
MOST_STRIDE = 1 << 20  # samples or frames in a step


class Config:
    """The sizes of a network: a frozen dataclass in its family's config.py, each field with its range.

    The fields name the shipped graphs, so their order stays as it is.
    """

    LATER: ClassVar[tuple[str, ...]] = ()  # fields that name a graph only where they differ from their defaults

    OUTSIDE: ClassVar[tuple[str, ...]] = ()  # fields that no graph depends on, and that name none

    GRAPH_SCALE: ClassVar[int] = 1  # how much larger graphs are for as many weights: more where layers run again

    sources: int = 0  # voices that a network separates: a field of its config

    @property
    def task(self) -> Task:
        """What the network is for."""
        return "separation" if self.outputs > 1 else "enhancement"

    @property
    def reads(self) -> str:
        """Text, a spectrogram or a waveform."""
        return "waveform"

    @property
    def writes(self) -> str:
        """Stems, text, a spectrogram, a waveform, an embedding or notes."""
        return "stems"

    @property
    def needs(self) -> tuple[str, ...]:
        """The optional parts that its spec has: spectral, windows, vocabularies, mel, tokens, in this order."""
        return ("windows",)

    @property
    def graphs(self) -> tuple[str, ...]:
        """The graphs that it runs on, over the same weights; in a model folder NAME.onnx."""
        return ("model",)

    @property
    def optional_graphs(self) -> tuple[str, ...]:
        """Graphs for inspection only; folders of earlier releases lack them."""
        return ()

    @property
    def has_stem_graphs(self) -> bool:
        """Whether each stem has a network, and so a graph, of its own."""
        return False

    def of_stems(self, kept: tuple[int, ...]) -> Self:
        """The sizes of the networks of these stems alone, by their numbers; only where each stem has a network."""
        raise NotImplementedError

    @property
    def separates_songs(self) -> bool:
        """Whether the stems are those of songs or films, and not voices, which may come in any order."""
        return False

    @property
    def has_int8(self) -> bool:
        """Whether it can be run in int8 (see `models.quantize`)."""
        return False

    @property
    def channels(self) -> int:
        """Channels of the audio that it takes; 0 where there is no audio."""
        return 1

    @property
    def side(self) -> bool:
        """Whether |left - right| is a further input."""
        return False

    @property
    def outputs(self) -> int:
        """Stems that come out, one for each voice; 0 where something else does."""
        return self.sources

    @property
    def latency_samples(self) -> int | None:
        """How much later than its input the output of a causal network can come; None for networks that look ahead."""
        return None

    @property
    def least_samples(self) -> int:
        """The shortest waveform that it takes."""
        return 1

    @property
    def example_sizes(self) -> dict[str, int]:
        """Sizes of the axes that vary, to compare engines with: of T samples, a prime number."""
        return {"B": 2, "T": 6007}

    def check(self, spectral: Spectral | None, mel: Mel | None, symbols: tuple[int, int]) -> None:
        """Compare with the other parts of a spec; `symbols` are the sizes of its vocabularies, 0 where there is none.

        Raises:
            ValueError: they do not fit.
        """


def check_stride(strides: tuple[int, ...]) -> None:
    """Raise ValueError where a step, the product of the strides, would be longer than any model's."""
    if (product := math.prod(strides)) > MOST_STRIDE:
        raise ValueError(f"the product of strides must be at most {MOST_STRIDE}, got {quoted(product)}.")
