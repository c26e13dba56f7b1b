"""The network of audio -> text in a recipe's [model]: its sizes and its initial weights."""

from dataclasses import dataclass
from typing import Literal

import torch

from unbraid.hub.importers.wav2vec2_backbone import Trunk
from unbraid.hub.vocabulary import SPECIAL
from unbraid.models.audio_transformer.config import (
    AudioTransformerConfig,
    PretrainedSide,
    Side,
    SpectrogramSide,
    TextSide,
    WaveSide,
)
from unbraid.models.audio_transformer.network.model import AudioTransformer
from unbraid.models.audio_transformer.network.pretrained_front import PretrainedFront
from unbraid.models.wav2vec2.config import Wav2Vec2Config
from unbraid.training.pretrained import EXAMPLE
from unbraid.training.tasks.transformer import TransformerModel


@dataclass(frozen=True, kw_only=True)
class AudioTextModel(TransformerModel):
    """The sizes of the network, but for those of the text, which follow from the data, and of a pretrained encoder."""

    source: Literal["spectrogram", "waveform", "wav2vec2"]
    strides: tuple[int, ...] = ()  # of the convolutions in front
    kernels: tuple[int, ...] = ()  # of a waveform's; those of a spectrogram follow from the strides
    filters: int = 64  # of a waveform's
    pretrained: str = ""  # for wav2vec2: a folder, a model, or a name on the hub (see pretrained.py)
    frozen: bool = True  # the pretrained encoder stays as it is; or it is trained, too
    features: int = 96
    hidden: int = 384
    decoder_layers: int = 1
    positions: Literal["sinusoidal", "rotary"] = "rotary"
    ctc: bool = True  # the encoder predicts the text, too, with the times of words

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kernels and self.source == "spectrogram":
            raise ValueError("kernels are a waveform's; take them out.")
        if self.source == "wav2vec2" and (self.kernels or self.strides):
            raise ValueError("kernels and strides are the pretrained encoder's own; take them out.")
        if self.source == "wav2vec2" and not self.pretrained:
            raise ValueError(f"pretrained is missing: a Wav2Vec2 or HuBERT, by its folder or name, such as {EXAMPLE}.")
        if self.source != "wav2vec2" and self.pretrained:
            raise ValueError("pretrained is for the source wav2vec2; take it out, or change the source.")
        self.between(1, len(SPECIAL) + 1)  # refuses sizes that do not go together

    def side(self, bins: int, trunk: Trunk | None = None) -> Side:
        """The source: a spectrogram of so many bands, or a waveform, optionally with a pretrained encoder."""
        if self.source == "spectrogram":
            return SpectrogramSide(bins, self.strides)
        if self.source == "waveform":
            return WaveSide(self.kernels, self.strides, self.filters)
        return PretrainedSide(trunk.geometry if trunk else Wav2Vec2Config())

    def between(self, bins: int, symbols: int, trunk: Trunk | None = None) -> AudioTransformerConfig:
        """The network's sizes for the source and the given number of symbols."""
        sides, sizes = (self.side(bins, trunk), TextSide(symbols)), self.sizes
        return AudioTransformerConfig(*sides, decoder_layers=self.decoder_layers, ctc=self.ctc, **sizes)

    def network(self, geometry: AudioTransformerConfig, trunk: Trunk | None) -> AudioTransformer:
        """A new network, with pretrained weights where there are any."""
        network = AudioTransformer(geometry, self.dropout)
        if trunk and isinstance(network.front, PretrainedFront):
            tensors = {name: torch.tensor(tensor) for name, tensor in trunk.tensors.items()}
            network.front.take(tensors, self.frozen)
        return network
