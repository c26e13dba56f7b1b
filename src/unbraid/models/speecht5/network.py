"""SpeechT5: characters or a waveform -> a log-mel spectrogram in the voice of a vector, or characters.

Ao et al., "SpeechT5: Unified-Modal Encoder-Decoder Pre-Training for Spoken Language Processing" (ACL 2022, arXiv
2110.07205), fine-tuned to speak, to convert voices or to transcribe. It is an encoder-decoder Transformer with norms
after each sub-layer, as in Vaswani et al. (arXiv 1706.03762), with these parts:

    text       E[symbols] + a P
    waveform   h + P', h the features of a Wav2Vec2 before its layers, its long convolution included
    encoder    norm of one of them, then layers whose attention tells distances (Shaw et al., arXiv 1803.02155):
               softmax((Q Kᵀ + Q · A[n - m]) / √(D/H)) V, with one table A for all layers, clipped at R steps
    pre-net    h = dropout(ReLU(W h)) twice, also when it speaks (Shen et al., arXiv 1712.05884); the caller draws
               what is kept, and scales it
    speaker    ReLU(W [W h + b P; s / |s|])
    step       the next r frames, and r logits whose probabilities add up to that of the end; the last one of the
               frames is what the pre-net reads next
    post-net   convolutions with tanh between them, added to the frames (Li et al., arXiv 1809.08895)

Where it writes text, a step is E[symbol] + P', and its logits are the products with E. P are sinusoidal positions, P'
those with sines and cosines in two halves, from 2 on; a and b are learned (arXiv 1809.08895, section 3.2).
"""

import itertools
from collections.abc import Iterable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.models.layers.attention import KeysValues, MultiHeadAttention
from unbraid.models.layers.positions import halved_positions, sinusoidal_positions
from unbraid.models.speecht5.config import SpeechT5Config
from unbraid.models.speecht5.layout import FIRST_PLACE, PRENET_LAYERS, SPEAKER_EPS
from unbraid.models.wav2vec2.network import Front as Convolutions
from unbraid.models.wav2vec2.network import convolved_positions, standardized


class Front(nn.Module):
    """Symbols (B, N) -> embeddings with positions (B, N, D)."""

    def __init__(self, g: SpeechT5Config):
        super().__init__()
        self.embedding = nn.Embedding(g.symbols, g.features)
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, symbols: Tensor) -> Tensor:
        """Symbols (B, N) -> (B, N, D)."""
        x: Tensor = self.embedding(symbols)
        return x + self.scale * sinusoidal_positions(x.shape[1], x.shape[2], x)


class WaveFront(Convolutions):
    """Waveform (B, T) -> steps (B, N, D), without their places."""

    def __init__(self, g: SpeechT5Config):
        super().__init__(g.front)
        self.normalized = g.normalized

    def forward(self, waveform: Tensor, sizes: Tensor | None = None) -> Tensor:
        """Waveform (B, T) -> (B, N, D)."""
        return super().forward(standardized(waveform) if self.normalized else waveform, sizes)


class FeedForward(nn.Module):
    """The second half of a layer: norm(x + feed(x))."""

    def __init__(self, g: SpeechT5Config):
        super().__init__()
        self.feed_in = nn.Linear(g.features, g.hidden)
        self.feed_out = nn.Linear(g.hidden, g.features)
        self.feed_norm = nn.LayerNorm(g.features, g.norm_eps)

    def feed(self, x: Tensor) -> Tensor:
        """X (B, N, D) -> (B, N, D)."""
        return self.feed_norm(x + self.feed_out(F.gelu(self.feed_in(x))))


class EncoderLayer(FeedForward):
    """norm(x + attention(x)), then norm(x + feed(x))."""

    def __init__(self, g: SpeechT5Config):
        super().__init__(g)
        self.attention = MultiHeadAttention(g.features, g.heads)
        self.attention_norm = nn.LayerNorm(g.features, g.norm_eps)

    def forward(self, x: Tensor, distances: Tensor) -> Tensor:
        """X (B, N, D) and what each pair of steps has as its distance (N, N, D/H) -> (B, N, D)."""
        q, k, v = self.attention.project(x)
        bias = torch.einsum("bhnw,nmw->bhnm", q, distances) / q.shape[-1] ** 0.5
        x = self.attention_norm(x + self.attention.attend(q, (k, v), bias))
        return self.feed(x)


class Encoder(nn.Module):
    """A norm, then layers that share the table of distances: (B, N, D) -> (B, N, D)."""

    def __init__(self, g: SpeechT5Config):
        super().__init__()
        self.reach = g.relative_steps
        self.norm = nn.LayerNorm(g.features, g.norm_eps)
        self.distances = nn.Embedding(2 * g.relative_steps, g.features // g.heads)
        self.layers = nn.ModuleList(EncoderLayer(g) for _ in range(g.encoder_layers))
        if g.source == "waveform":
            self.position = nn.Conv1d(g.features, g.features, g.position_kernel, groups=g.position_groups)

    def placed(self, x: Tensor) -> Tensor:
        """Steps of a waveform (B, N, D) with their places."""
        x = x + convolved_positions(self.position, x)
        return x + halved_positions(x.shape[1], x.shape[2], x, FIRST_PLACE)

    def forward(self, x: Tensor) -> Tensor:
        """X (B, N, D) -> (B, N, D)."""
        step = torch.arange(x.shape[1], device=x.device)
        apart = (step[:, None] - step).clamp(-self.reach, self.reach - 1) + self.reach  # (N, N)
        distances, x = self.distances(apart), self.norm(x)
        for layer in self.layers:
            x = layer(x, distances)
        return x


class DecoderLayer(FeedForward):
    """One step over its past and a memory, with norms after each sub-layer."""

    def __init__(self, g: SpeechT5Config):
        super().__init__(g)
        self.self_attention = MultiHeadAttention(g.features, g.heads)
        self.self_norm = nn.LayerNorm(g.features, g.norm_eps)
        self.cross_attention = MultiHeadAttention(g.features, g.heads)
        self.cross_norm = nn.LayerNorm(g.features, g.norm_eps)

    def forward(self, x: Tensor, past: KeysValues, memory: KeysValues) -> tuple[Tensor, KeysValues]:
        """A step (B, 1, D) after n past ones -> (B, 1, D), and n + 1 that are kept.

        A memory of I items, (I, H, N, D/H) twice, is that of B/I rows each.
        """
        q, k, v = self.self_attention.project(x)
        kept = torch.cat((past[0], k), dim=2), torch.cat((past[1], v), dim=2)  # (B, H, n + 1, D/H)
        x = self.self_norm(x + self.self_attention.attend(q, kept))
        q = self.cross_attention.queries(x.view(memory[0].shape[0], -1, x.shape[2]))  # (I, H, B/I, D/H)
        x = self.cross_norm(x + self.cross_attention.attend(q, memory).view_as(x))
        return self.feed(x), kept


class Decoder(nn.Module):
    """The layers of the decoder."""

    def __init__(self, g: SpeechT5Config):
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(g) for _ in range(g.decoder_layers))


class Prenet(nn.Module):
    """A frame (B, F), what is kept of it (B, 2 P) and a speaker (B, S), at a step -> (B, D)."""

    def __init__(self, g: SpeechT5Config):
        super().__init__()
        widths = (g.bins, *(g.prenet for _ in range(PRENET_LAYERS)))
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in itertools.pairwise(widths))
        self.project = nn.Linear(g.prenet, g.features)
        self.scale = nn.Parameter(torch.ones(1))
        self.speaker = nn.Linear(g.features + g.speaker, g.features)

    def forward(self, frame: Tensor, kept: Tensor, speaker: Tensor, step: int) -> Tensor:
        """The decoder's input (B, D) at a step."""
        for layer, factor in zip(self.layers, kept.chunk(PRENET_LAYERS, dim=1), strict=True):
            frame = F.relu(layer(frame)) * factor
        h = self.project(frame)
        h = h + self.scale * sinusoidal_positions(1, h.shape[1], h, step)
        return F.relu(self.speaker(torch.cat((h, F.normalize(speaker, eps=SPEAKER_EPS)), dim=1)))


class SpeechT5(nn.Module):
    """See the equations above; `encode`, `step` and `refine` are the graphs."""

    def __init__(self, geometry: SpeechT5Config):
        super().__init__()
        self.geometry = g = geometry
        self.front = WaveFront(g) if g.source == "waveform" else Front(g)
        self.encoder, self.decoder = Encoder(g), Decoder(g)
        if g.target == "text":
            self.symbols = nn.Embedding(g.symbols, g.features)
            return
        self.prenet = Prenet(g)
        self.frames = nn.Linear(g.features, g.stride * g.bins)
        self.stop = nn.Linear(g.features, g.stride)
        widths = (g.bins, *(g.post_width for _ in range(g.post_layers - 1)), g.bins)
        self.post = nn.ModuleList(
            nn.Conv1d(i, o, g.post_kernel, padding=g.post_kernel // 2) for i, o in itertools.pairwise(widths)
        )

    def encode(self, source: Tensor) -> KeysValues:
        """Symbols (B, N) or a waveform (B, T) -> keys and values for the decoder's layers, each (L, B, H, N, D/H)."""
        x = self.front(source)
        memory = self.encoder(self.encoder.placed(x) if self.geometry.source == "waveform" else x)
        found = [layer.cross_attention.keys_values(memory) for layer in self._layers]
        return torch.stack([keys for keys, _ in found]), torch.stack([values for _, values in found])

    def step(
        self, written: tuple[Tensor, Tensor, Tensor], past: KeysValues, memory: KeysValues
    ) -> tuple[Tensor, Tensor, KeysValues]:
        """Frame, what is kept and speaker -> the next frames (B, r·F), logits (B, r) of the end, and the cache."""
        x, cache = self._decoded(self.prenet(*written, past[0].shape[3]), past, memory)
        return self.frames(x), self.stop(x), cache

    def write(self, symbols: Tensor, past: KeysValues, memory: KeysValues) -> tuple[Tensor, KeysValues]:
        """The last symbols (B,) -> logits (B, V) of the next, and the cache."""
        x = self.symbols(symbols)
        x = x + halved_positions(1, x.shape[1], x, FIRST_PLACE + past[0].shape[3])
        x, cache = self._decoded(x, past, memory)
        return F.linear(x, self.symbols.weight), cache

    def _decoded(self, x: Tensor, past: KeysValues, memory: KeysValues) -> tuple[Tensor, KeysValues]:
        """A step (B, D) through the decoder's layers, and the cache."""
        h, kept = x[:, None], []
        for i, layer in enumerate(self._layers):
            h, both = layer(h, (past[0][i], past[1][i]), (memory[0][i], memory[1][i]))
            kept.append(both)
        return h[:, 0], (torch.stack([keys for keys, _ in kept]), torch.stack([values for _, values in kept]))

    def refine(self, log_mel: Tensor) -> Tensor:
        """Frames (B, N, F) plus the output of the post-net."""
        x = log_mel.transpose(1, 2)
        for i, conv in enumerate(self.post):
            x = conv(torch.tanh(x) if i else x)
        return log_mel + x.transpose(1, 2)

    @property
    def _layers(self) -> list[DecoderLayer]:
        return list(cast(Iterable[DecoderLayer], self.decoder.layers))


build = SpeechT5


def outputs(module: SpeechT5, part: str, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The outputs of the graph of that name, by name."""
    if part == "encoder":
        keys, values = module.encode(inputs["waveform" if module.geometry.source == "waveform" else "symbols"])
        return {"cross_keys": keys, "cross_values": values}
    if part == "post":
        return {"refined": module.refine(inputs["log_mel"])}
    past, memory = ((inputs[f"{kind}_keys"], inputs[f"{kind}_values"]) for kind in ("self", "cross"))
    if module.geometry.target == "text":
        logits, (keys, values) = module.write(inputs["symbols"], past, memory)
        return {"logits": logits, "new_self_keys": keys, "new_self_values": values}
    written = inputs["frame"], inputs["kept"], inputs["speaker"]
    frames, stop, (keys, values) = module.step(written, past, memory)
    return {"new_frames": frames, "stop": stop, "new_self_keys": keys, "new_self_values": values}
