"""The audio Transformer: an encoder reads one sequence, a decoder writes another, step by step.

Vaswani et al., "Attention Is All You Need" (arXiv 1706.03762), pre-norm. What the sequences are is up to the ends: a
front turns what is read into features, a back turns what was written into features and features into what comes next.

    memory        = Encoder(front(source))
    p(y_t | y_<t) = softmax(back(Decoder(embed(y_<t), memory))_t)

One network, two ways through it, with equal results. Training knows the whole target and runs all its steps at once
(teacher forcing): `encode` and `decode`. Generation runs one step at a time and keeps keys and values: `prepare` and
`step`, which take and return what the encoder's and the decoder's ONNX graph do.
"""

import torch
from torch import Tensor, nn

from unbraid.geometry import AudioTransformerGeometry
from unbraid.models.attention import KeysValues, padding_mask
from unbraid.models.text_ends import TextBack, TextFront
from unbraid.models.transformer import TransformerDecoder, TransformerEncoder


class AudioTransformer(nn.Module):
    """Source (B, N) with lengths (B,), target so far (B, M) -> logits (B, M, V) of the symbol after each."""

    def __init__(self, geometry: AudioTransformerGeometry, dropout: float = 0.0):
        super().__init__()
        self.geometry = g = geometry
        self.front = TextFront(g.source, g.features)
        self.encoder = TransformerEncoder(g.features, g.heads, g.hidden, g.encoder_layers, g.positions, dropout)
        self.back = TextBack(g.target, g.features)
        self.decoder = TransformerDecoder(g.features, g.heads, g.hidden, g.decoder_layers, g.positions, dropout)

    def forward(self, source: Tensor, source_lengths: Tensor, target: Tensor) -> Tensor:
        return self.decode(target, self.encode(source, source_lengths), source_lengths)

    def encode(self, symbols: Tensor, lengths: Tensor) -> Tensor:
        """Read symbols (B, N), of which the first lengths (B,) count -> memory (B, N, D)."""
        memory: Tensor = self.encoder(self.front(symbols), padding_mask(lengths, symbols.shape[1]))
        return memory

    def decode(self, symbols: Tensor, memory: Tensor, lengths: Tensor) -> Tensor:
        """Logits (B, M, V) of what follows each of the symbols (B, M), seen from it and those before it.

        Padding at a target's end needs no mask: nothing before it sees it.
        """
        d = self.decoder
        x, _ = d(
            self.back.embed(symbols), d.nothing(memory), d.keys_values(memory), padding_mask(lengths, memory.shape[1])
        )
        logits: Tensor = self.back(x)
        return logits

    def prepare(self, symbols: Tensor, lengths: Tensor) -> KeysValues:
        """Read symbols (B, N) -> every decoder layer's keys and values of them, each (L, B, H, N, D/H)."""
        return _stacked(self.decoder.keys_values(self.encode(symbols, lengths)))

    def step(self, symbols: Tensor, past: KeysValues, memory: KeysValues, lengths: Tensor) -> tuple[Tensor, KeysValues]:
        """Write one step: symbols (B,) after n past ones -> logits (B, V) of what follows, and what is past then.

        Past and memory are keys and values, each (L, B, H, n, D/H) and (L, B, H, N, D/H); n is 0 at first.
        """
        mask = padding_mask(lengths, memory[0].shape[3])
        x, kept = self.decoder(self.back.embed(symbols[:, None]), _layers(past), _layers(memory), mask)
        return self.back(x)[:, 0], _stacked(kept)


def _stacked(layers: list[KeysValues]) -> KeysValues:
    return torch.stack([keys for keys, _ in layers]), torch.stack([values for _, values in layers])


def _layers(stacked: KeysValues) -> list[KeysValues]:
    return list(zip(*stacked, strict=True))
