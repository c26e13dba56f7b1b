"""The audio Transformer: an encoder of the source, and a decoder that generates the target step by step.

Vaswani et al., "Attention Is All You Need" (arXiv 1706.03762), pre-norm. Source and target are text, spectrograms
or waveforms: a front end maps the source to features, a back end maps features to the target.

    memory        = Encoder(front(source))
    p(y_t | y_<t) = softmax(back(Decoder(embed(y_<t), memory))_t)      text; frames of a spectrogram likewise
    p(y | source) = CTC(softmax(W memory))                             text from audio, too (Graves et al., 2006)
    y             = back(memory)                                       frame-aligned, without a decoder

The decoder runs in two ways with equal results. In training the whole target is known and all steps run at once
(teacher forcing): `encode` and `decode`. Generation runs one step at a time with a cache of keys and values: `prepare`
and `step`, with the inputs and outputs of the encoder's and the decoder's ONNX graph.

Sources are symbols (B, N), log-mel frames (B, N·stride, F) or samples (B, N·stride), or (B, T) with a pretrained
encoder; lengths (B,) count steps, N.
"""

from typing import Any

import torch
from torch import Tensor, nn

from unbraid.models.audio_transformer.config import (
    AudioTransformerConfig,
    PretrainedSide,
    SpectrogramSide,
    TextSide,
    WaveSide,
)
from unbraid.models.audio_transformer.network.pretrained_front import PretrainedFront
from unbraid.models.audio_transformer.network.spectrogram_ends import (
    SpectrogramBack,
    SpectrogramChange,
    SpectrogramFront,
)
from unbraid.models.audio_transformer.network.text_ends import TextBack, TextFront
from unbraid.models.audio_transformer.network.wave_ends import WaveBack, WaveFront, WaveMasks
from unbraid.models.layers.attention import KeysValues, padding_mask
from unbraid.models.layers.transformer import LayerOptions, TransformerDecoder, TransformerEncoder

Front = TextFront | SpectrogramFront | WaveFront | PretrainedFront
Back = TextBack | SpectrogramBack | SpectrogramChange | WaveMasks | WaveBack


class AudioTransformer(nn.Module):
    """Source with lengths (B,) and, for a decoder, the target so far -> the target, as in `geometry`."""

    def __init__(self, geometry: AudioTransformerConfig, dropout: float = 0.0):
        super().__init__()
        self.geometry = g = geometry
        self.front = front_of(g, dropout)
        options = LayerOptions(dropout, g.activation, g.norm_eps)
        self.encoder = TransformerEncoder(
            g.features, g.heads, g.hidden, g.encoder_layers, g.positions, options, g.source_steps
        )
        self.back: Any = back_of(g)
        if not g.is_aligned:
            self.decoder = TransformerDecoder(
                g.features, g.heads, g.hidden, g.decoder_layers, g.positions, options, g.target_steps
            )
        if g.ctc:
            assert isinstance(g.target, TextSide)
            self.ctc = nn.Linear(g.features, g.target.symbols)  # memory (B, N, D) -> logits (B, N, V)

    def forward(self, source: Tensor, lengths: Tensor, target: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
        """Logits or frames for a target under teacher forcing, or the aligned target without one."""
        if target is None:
            return self.convert(source, lengths)
        return self.decode(target, self.encode(source, lengths), lengths)

    def encode(self, source: Tensor, lengths: Tensor) -> Tensor:
        """Read a source, of which the first lengths (B,) steps count -> memory (B, N, D)."""
        return self._attend(self.front(source, lengths), lengths)

    def convert(self, source: Tensor, lengths: Tensor) -> Tensor:
        """The frame-aligned target: log-mel (B, N·stride, F) or samples (B, N·stride)."""
        if isinstance(self.front, WaveFront) and isinstance(self.back, WaveMasks):
            w = self.front.analyse(source, lengths)  # (B, E, N)
            return self.back(self._attend(self.front.features(w, lengths), lengths), lengths, w)
        altered = (source,) if self.geometry.alters else ()
        return self.back(self.encode(source, lengths), lengths, *altered)

    def decode(
        self, target: Tensor, memory: Tensor, lengths: Tensor, cross_weights: list[Tensor] | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Predict the next step at each step of a target from this and earlier ones.

        Of symbols (B, M) logits (B, M, V); of frames (B, M, r·F) the next frames and stop logits (B, M). Padding at a
        target's end needs no mask: nothing before it sees it. Each layer appends its weights of cross-attention,
        (B, H, M, N), to a list, if one is given.
        """
        d = self.decoder
        mask = padding_mask(lengths, memory.shape[1])
        x, _ = d(self.back.embed(target), d.empty_cache(memory), d.keys_values(memory), mask, cross_weights)
        return self.back(x)

    def prepare(self, source: Tensor, lengths: Tensor) -> KeysValues:
        """Read a source -> every decoder layer's keys and values of it, each (L, B, H, N, D/H)."""
        return self.cross_keys_values(self.encode(source, lengths))

    def cross_keys_values(self, memory: Tensor) -> KeysValues:
        """Every decoder layer's keys and values of a memory (B, N, D), each (L, B, H, N, D/H)."""
        return _stacked(self.decoder.keys_values(memory))

    def step(
        self, written: Tensor, past: KeysValues, memory: KeysValues, lengths: Tensor
    ) -> tuple[Tensor | tuple[Tensor, Tensor], KeysValues]:
        """Decode one step: the last output -> the next one, and the new cache of keys and values.

        Of symbols (B,) logits (B, V) follow; of frames (B, r·F) frames and stop logits (B,). Past and memory are keys
        and values, each (L, B, H, n, D/H) and (L, B, H, N, D/H); n is 0 at first.
        """
        mask = padding_mask(lengths, memory[0].shape[3])
        x, kept = self.decoder(self.back.embed(written[:, None]), _layers(past), _layers(memory), mask)
        out = self.back(x)
        follows = out[:, 0] if isinstance(out, Tensor) else (out[0][:, 0], out[1][:, 0])
        return follows, _stacked(kept)

    def _attend(self, x: Tensor, lengths: Tensor) -> Tensor:
        return self.encoder(x, padding_mask(lengths, x.shape[1]))


def front_of(geometry: AudioTransformerConfig, dropout: float = 0.0) -> Front:
    """The front end of the source."""
    side, features = geometry.source, geometry.features
    if isinstance(side, TextSide):
        return TextFront(side, features)
    if isinstance(side, PretrainedSide):
        return PretrainedFront(side, features, dropout)
    if isinstance(side, SpectrogramSide):
        return SpectrogramFront(side, features, geometry.activation)
    return WaveFront(side, features, tells_level=not geometry.alters)


def back_of(geometry: AudioTransformerConfig) -> Back:
    """The back end of the target."""
    side, features = geometry.target, geometry.features
    if isinstance(side, TextSide):
        return TextBack(side, features, tied=geometry.tied)
    if isinstance(side, SpectrogramSide):
        return SpectrogramChange(side, features) if geometry.is_aligned else SpectrogramBack(side, features)
    assert isinstance(side, WaveSide)
    return WaveMasks(side, features) if geometry.alters else WaveBack(side, features)


def _stacked(layers: list[KeysValues]) -> KeysValues:
    return torch.stack([keys for keys, _ in layers]), torch.stack([values for _, values in layers])


def _layers(stacked: KeysValues) -> list[KeysValues]:
    return list(zip(*stacked, strict=True))
