"""Wav2Vec2 and HuBERT with a CTC head: waveform -> logits of symbols, a row for every 20 ms.

Baevski et al., "wav2vec 2.0" (arXiv 2006.11477), section 2; Hsu et al., "HuBERT" (arXiv 2106.07447), section 3. They
differ in how they were pre-trained, not in what they are:

    z = GELU(norm(conv(… GELU(norm(conv(x))))))     samples -> steps; x has zero mean and unit variance
    h = project(norm(z))                            E filters -> D features
    h = h + GELU(conv(h))                           where a step is: one long, grouped convolution
    h = layers(h)                                   Transformer, without any other positions
    y = symbols(h)                                  CTC (Graves et al., 2006); symbol 0 is the blank

The base models have one group norm, in the first convolution, where each filter is normalised over time, and layers as
in Vaswani et al. (arXiv 1706.03762), norms after; the large ones have layer norms everywhere, and before:

    post-norm   h = norm(h);   each layer  h = norm(h + attention(h)),  h = norm(h + feed(h))
    pre-norm                   each layer  h = h + attention(norm(h)),  h = h + feed(norm(h));   h = norm(h)

Up to h the network is the backbone, which can be the front end of an audio Transformer (pretrained_front.py). Rows of
a batch may be of different lengths, in steps; then means over time, positions and attention ignore the padding, so that
each row is as it is alone. For fine-tuning and parity; the ONNX graph (graph.py) is what runs.
"""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.models.layers.attention import MultiHeadAttention, padding_mask
from unbraid.models.wav2vec2.config import Wav2Vec2Config
from unbraid.models.wav2vec2.layout import NORM_EPS, VARIANCE_EPS


def standardized(x: Tensor, sizes: Tensor | None = None, eps: float = VARIANCE_EPS) -> Tensor:
    """x (…, T) with zero mean and unit variance over time, of which the first sizes (B,) count; zeros behind them."""
    if sizes is None:
        centred = x - x.mean(-1, keepdim=True)
        return centred / torch.sqrt(centred.square().mean(-1, keepdim=True) + eps)
    sizes = sizes.view(-1, *(1 for _ in x.shape[1:]))
    counts = torch.arange(x.shape[-1], device=x.device) < sizes
    centred = (x - (x * counts).sum(-1, keepdim=True) / sizes) * counts
    return centred / torch.sqrt(centred.square().sum(-1, keepdim=True) / sizes + eps)


class Front(nn.Module):
    """Convolutions over samples, each with its norm and GELU, then the projection: (B, T) -> (B, N, D).

    Of rows of different lengths the first sizes (B,) samples count.
    """

    def __init__(self, geometry: Wav2Vec2Config):
        super().__init__()
        g = geometry
        sizes = zip((1, *g.filters[:-1]), g.filters, g.kernels, g.strides, strict=True)
        self.convolutions = nn.ModuleList(nn.Conv1d(*size, bias=g.filter_bias) for size in sizes)
        if g.filter_norm == "group":
            norms: list[nn.Module] = [NormOverTime(g.filters[0], g.filters[0], eps=NORM_EPS)]
        else:
            norms = [LayerNormOverFilters(filters, eps=NORM_EPS) for filters in g.filters]
        self.norms = nn.ModuleList(norms)
        self.project_norm = nn.LayerNorm(g.filters[-1], eps=NORM_EPS) if g.project_norm else nn.Identity()
        self.project = nn.Linear(g.filters[-1], g.features)

    def forward(self, waveform: Tensor, sizes: Tensor | None = None) -> Tensor:
        """Waveform (B, T), of which sizes (B,) samples count -> features (B, N, D)."""
        z = waveform[:, None]  # (B, 1, T)
        for i, convolution in enumerate(cast(list[nn.Conv1d], self.convolutions)):
            z = convolution(z)  # (B, E, N)
            if i == 0 and isinstance(norm := self.norms[0], NormOverTime):
                (kernel,), (stride,) = convolution.kernel_size, convolution.stride
                z = norm(z, None if sizes is None else (sizes - kernel) // stride + 1)
            elif i < len(self.norms):
                z = self.norms[i](z)
            z = F.gelu(z)
        return self.project(self.project_norm(z.transpose(1, 2)))


class NormOverTime(nn.GroupNorm):
    """Each filter of (B, E, N) over the first sizes (B,) steps, or over all of them."""

    def forward(self, z: Tensor, sizes: Tensor | None = None) -> Tensor:
        """Normalise z (B, E, N) over the first sizes (B,) steps, or over all of them."""
        if sizes is None:
            return super().forward(z)
        return standardized(z, sizes, self.eps) * self.weight[:, None] + self.bias[:, None]


class LayerNormOverFilters(nn.LayerNorm):
    """Layer norm of each step of (B, E, N)."""

    def forward(self, z: Tensor) -> Tensor:
        """Normalise each step of z (B, E, N) over its filters."""
        return super().forward(z.transpose(1, 2)).transpose(1, 2)


class Layer(nn.Module):
    """Attention and feed-forward, each with its residual and its norm: (B, N, D) -> (B, N, D)."""

    def __init__(self, geometry: Wav2Vec2Config, dropout: float):
        super().__init__()
        self.pre_norm = geometry.pre_norm
        self.attention = MultiHeadAttention(geometry.features, geometry.heads)
        self.attention_norm = nn.LayerNorm(geometry.features, eps=NORM_EPS)
        self.feed_in = nn.Linear(geometry.features, geometry.hidden)
        self.feed_out = nn.Linear(geometry.hidden, geometry.features)
        self.feed_norm = nn.LayerNorm(geometry.features, eps=NORM_EPS)
        self.dropout = nn.Dropout(dropout)

    def forward(self, h: Tensor, mask: Tensor | None = None) -> Tensor:
        """h (B, N, D), attending where the mask allows -> (B, N, D)."""
        if self.pre_norm:
            h = h + self.dropout(self.attention(self.attention_norm(h), mask))
            return h + self.feed(self.feed_norm(h))
        h = self.attention_norm(h + self.dropout(self.attention(h, mask)))
        return self.feed_norm(h + self.feed(h))

    def feed(self, h: Tensor) -> Tensor:
        """Two linear layers, GELU between them."""
        return self.dropout(self.feed_out(self.dropout(F.gelu(self.feed_in(h)))))


def convolved_positions(position: nn.Conv1d, h: Tensor, mask: Tensor | None = None) -> Tensor:
    """GELU of a long convolution over the steps of h (B, N, D), of which those under the mask count: (B, N, D)."""
    kernel, z = position.kernel_size[0], h.transpose(1, 2)  # (B, D, N)
    z = z if mask is None else z * mask[:, 0]  # a row ends in zeros, as alone
    around = F.pad(z, (kernel // 2, (kernel - 1) // 2))  # one more before than after, if even
    return F.gelu(position(around)).transpose(1, 2)


class Encoder(nn.Module):
    """Convolutional positions, then the layers, with one norm before or after them: (B, N, D) -> (B, N, D)."""

    def __init__(self, geometry: Wav2Vec2Config, dropout: float):
        super().__init__()
        g = geometry
        self.pre_norm = g.pre_norm
        self.position = nn.Conv1d(g.features, g.features, g.position_kernel, groups=g.position_groups)
        self.norm = nn.LayerNorm(g.features, eps=NORM_EPS)
        self.layers = nn.ModuleList(Layer(g, dropout) for _ in range(g.layers))
        self.dropout = nn.Dropout(dropout)

    def forward(self, h: Tensor, lengths: Tensor | None = None) -> Tensor:
        """h (B, N, D), of which lengths (B,) steps count -> (B, N, D)."""
        mask = None if lengths is None else padding_mask(lengths, h.shape[1])  # (B, 1, 1, N)
        h = h + convolved_positions(self.position, h, mask)
        h = self.dropout(h if self.pre_norm else self.norm(h))
        for layer in self.layers:
            h = layer(h, mask)
        return cast(Tensor, self.norm(h)) if self.pre_norm else h


class Backbone(nn.Module):
    """All but the head: waveform (B, T), of which lengths (B,) steps count, or all -> h (B, N, D)."""

    def __init__(self, geometry: Wav2Vec2Config, dropout: float = 0.0):
        super().__init__()
        self.geometry = geometry
        self.front = Front(geometry)
        self.encoder = Encoder(geometry, dropout)

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Waveform (B, T), of which lengths (B,) steps count -> the last layer's features (B, N, D)."""
        g = self.geometry
        sizes = None if lengths is None else (lengths - 1) * g.stride + g.receptive_field
        x = standardized(waveform, sizes) if g.normalized else waveform
        return self.encoder(self.front(x, sizes), lengths)


class Wav2Vec2(Backbone):
    """Waveform (B, T) -> logits (B, N, V)."""

    def __init__(self, geometry: Wav2Vec2Config, dropout: float = 0.0):
        super().__init__(geometry, dropout)
        self.symbols = nn.Linear(geometry.features, geometry.symbols)

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Waveform (B, T), of which lengths (B,) steps count -> logits of symbols (B, N, V)."""
        return self.symbols(super().forward(waveform, lengths))


build = Wav2Vec2


def outputs(module: nn.Module, part: str, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The outputs of its graph, by name."""
    return {"logits": module(inputs["waveform"])}
