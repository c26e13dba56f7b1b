"""TIGER: separates voices, or the speech, music and effects of a film, by masks of the complex spectrum.

Xu et al., "TIGER: Time-frequency Interleaved Gain Extraction and Reconstruction for Efficient Speech Separation"
(arXiv 2410.01469), as TIGER-speech and TIGER-DnR are published. Each band of each frame becomes D features. The same
layers run over them several times, over bands and then over time: a convolutional network at several resolutions (the
paper's multi-scale selective attention), and attention between whole bands or whole frames (its full-frequency-frame
attention). Behind them are complex masks of each source, made to add up to one, so that the sources add up to the
mixture.

The spectrum of each band is normalised over the window, so that levels matter only near silence.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.models.tiger.config import TigerConfig
from unbraid.models.tiger.layout import BAND_NORM_EPS, GATED, KERNEL, NORM_EPS, PATHS, TOKEN_NORM_EPS, spans

DROPOUT = 0.1


class Conv(nn.Module):
    """A convolution over steps, and a norm over all features and steps."""

    def __init__(self, outputs: int, inputs: int, kernel: int = 1, stride: int = 1, bias: bool = False):
        super().__init__()
        groups = outputs if inputs == 1 else 1
        self.conv = nn.Conv1d(inputs * groups, outputs, kernel, stride, kernel // 2, groups=groups, bias=bias)
        self.norm = nn.GroupNorm(1, outputs, NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        """(M, C, L) -> (M, C', ⌈L / stride⌉)."""
        y: Tensor = self.norm(self.conv(x))
        return y


class Gated(nn.Module):
    """Features scaled and shifted by others of another resolution."""

    def __init__(self, hidden: int, kernel: int):
        super().__init__()
        self.local, self.gate, self.shift = (Conv(hidden, 1, kernel) for _ in GATED)

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        """x (M, H, L), other (M, H, L') -> (M, H, L)."""
        gate, shift = (F.interpolate(y, size=x.shape[-1]) for y in (self.gate(other).sigmoid(), self.shift(other)))
        return self.local(x) * gate + shift


class Scales(nn.Module):
    """A convolutional network at several resolutions.

    All but the coarsest are scaled and shifted by the mean of all, and then, from coarse to fine, by the one before.
    """

    def __init__(self, g: TigerConfig):
        super().__init__()
        hidden = g.hidden
        self.inlet, self.slope = Conv(hidden, g.features, bias=True), nn.Parameter(torch.full((1,), 0.25))
        self.down = nn.ModuleList(Conv(hidden, 1, KERNEL, 1 + (i > 0), bias=True) for i in range(g.levels))
        self.mlp_in, self.mlp_out = Conv(hidden, hidden), Conv(hidden, hidden)
        self.mlp_middle = nn.Conv1d(hidden, hidden, KERNEL, padding=KERNEL // 2, groups=hidden)
        self.dropout = nn.Dropout(DROPOUT)
        self.fuse = nn.ModuleList(Gated(hidden, 1) for _ in range(g.levels - 1))
        self.up = nn.ModuleList(Gated(hidden, KERNEL) for _ in range(g.levels - 1))
        self.outlet = nn.Conv1d(hidden, g.features, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(M, D, L) -> the same."""
        y = F.prelu(self.inlet(x), self.slope)
        levels = []
        for down in self.down:
            levels.append(y := down(y))
        steps = levels[-1].shape[-1]
        y = torch.stack([F.adaptive_avg_pool1d(level, steps) for level in levels]).sum(0)
        y = self.dropout(self.mlp_out(self.dropout(F.relu(self.mlp_middle(self.mlp_in(y))))))
        fused = [fuse(level, y) for fuse, level in zip(self.fuse, levels, strict=False)]  # all but the coarsest
        y = fused[-2]  # as published: the coarsest that is left gets a finer one
        for up, level in zip(reversed(self.up), reversed(fused), strict=True):
            y = up(level, y)
        return self.outlet(y) + x


class Heads(nn.Module):
    """Queries, keys or values of all heads, each normalised by itself."""

    def __init__(self, g: TigerConfig, size: int):
        super().__init__()
        self.linear, self.heads = nn.Linear(g.features, g.heads * size), g.heads
        self.slope = nn.Parameter(torch.full((g.heads,), 0.25))
        self.weight, self.bias = nn.Parameter(torch.ones(g.heads, size)), nn.Parameter(torch.zeros(g.heads, size))

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, I, O, D) -> (B, H, I, O·E)."""
        y = self.linear(x).unflatten(-1, (self.heads, -1))  # (B, I, O, H, E)
        y = torch.where(y >= 0, y, y * self.slope[:, None])
        y = F.layer_norm(y, y.shape[-1:], eps=TOKEN_NORM_EPS) * self.weight + self.bias
        return y.permute(0, 3, 1, 2, 4).flatten(-2)


class Out(nn.Module):
    """The last layer of attention, with an activation and a norm."""

    def __init__(self, features: int):
        super().__init__()
        self.linear, self.slope = nn.Linear(features, features), nn.Parameter(torch.full((1,), 0.25))
        self.weight, self.bias = nn.Parameter(torch.ones(features)), nn.Parameter(torch.zeros(features))

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (…, D) -> the same."""
        y = F.prelu(self.linear(x), self.slope)
        return F.layer_norm(y, y.shape[-1:], self.weight, self.bias, TOKEN_NORM_EPS)


class Attention(nn.Module):
    """Attention between whole bands, over all frames at once, or between whole frames, over all bands."""

    def __init__(self, g: TigerConfig):
        super().__init__()
        self.query, self.key = Heads(g, g.query_features), Heads(g, g.query_features)
        self.value, self.out = Heads(g, g.value_features), Out(g.features)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, I, O, D) -> the same; each of the I attends to all."""
        query, key, value = self.query(x), self.key(x), self.value(x)
        weights = (query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])).softmax(-1)  # (B, H, I, I)
        y = (weights @ value).unflatten(-1, (x.shape[2], -1))  # (B, H, I, O, E)
        return x + self.out(y.permute(0, 2, 3, 1, 4).flatten(-2))


class Path(nn.Module):
    """The layers over bands, or over time."""

    def __init__(self, g: TigerConfig):
        super().__init__()
        self.scales, self.attention = Scales(g), Attention(g)
        self.norm = nn.LayerNorm(g.features, TOKEN_NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, O, I, D) -> (B, I, O, D); the layers are over the I."""
        y = self.scales(x.transpose(2, 3).flatten(0, 1)).unflatten(0, x.shape[:2])  # (B, O, D, I)
        y = self.attention(y.permute(0, 3, 1, 2))  # (B, I, O, D)
        return self.norm(y) + x.transpose(1, 2)


class Inlet(nn.Module):
    """The spectrum of a band -> D features."""

    def __init__(self, g: TigerConfig, width: int):
        super().__init__()
        self.norm, self.conv = nn.GroupNorm(1, 2 * width, BAND_NORM_EPS), nn.Conv1d(2 * width, g.features, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 2, width, N) -> (B, N, D)."""
        y: Tensor = self.conv(self.norm(x.flatten(1, 2)))
        return y.transpose(1, 2)


class Again(nn.Module):
    """The input of a further iteration: the first input plus the output so far, with a scale for each feature."""

    def __init__(self, features: int):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(features)), nn.Parameter(torch.zeros(features))
        self.slope = nn.Parameter(torch.full((1,), 0.25))

    def forward(self, x: Tensor) -> Tensor:
        """(…, D) -> the same."""
        return F.prelu(x * self.weight + self.bias, self.slope)


class Masks(nn.Module):
    """Complex masks of all sources from the features of each band."""

    def __init__(self, g: TigerConfig):
        super().__init__()
        self.geometry = g
        self.slope = nn.Parameter(torch.full((len(g.widths),), 0.25))
        self.convs = nn.ModuleList(
            nn.Conv1d(g.features, 4 * g.sources * width, 1, groups=g.sources) for width in g.widths
        )

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, N, K, D) -> masks (B, S, 2, F, N) that add up to one."""
        x = torch.where(x >= 0, x, x * self.slope[:, None]).permute(2, 0, 3, 1)  # (K, B, D, N)
        sizes = [(2, 2, self.geometry.sources, width) for width in self.geometry.widths]
        bands = [conv(band).unflatten(1, size) for conv, band, size in zip(self.convs, x, sizes, strict=True)]
        value, gate = torch.cat(bands, 4).unbind(1)  # (B, 2, S, F, N) each
        masks = value * gate.sigmoid()
        one = masks.new_tensor([1 / self.geometry.sources, 0])[:, None, None, None]
        return (masks - masks.mean(2, keepdim=True) + one).transpose(1, 2)


class Tiger(nn.Module):
    """One network. Mixture (B, T) -> sources (B, S, T)."""

    def __init__(self, geometry: TigerConfig):
        super().__init__()
        self.geometry = g = geometry
        self.inlet = nn.ModuleList(Inlet(g, width) for width in g.widths)
        self.bands, self.time = (Path(g) for _ in PATHS)
        self.again, self.masks = Again(g.features), Masks(g)

    def forward(self, mixture: Tensor) -> Tensor:
        """As the class says; T is at least `least_samples`."""
        frame, hop = self.geometry.frame_samples, self.geometry.hop_samples
        window = torch.hann_window(frame, device=mixture.device)
        spectrum = torch.stft(mixture.float(), frame, hop, window=window, return_complex=True)  # (B, F, N)
        parts = torch.view_as_real(spectrum).permute(0, 3, 1, 2)
        masks = self.of_spectrum(parts).float().movedim(2, -1).contiguous()  # (B, S, F, N, 2)
        stems = torch.view_as_complex(masks) * spectrum[:, None]
        waves = torch.istft(stems.flatten(0, 1), frame, hop, window=window, length=mixture.shape[-1])
        return waves.view(*stems.shape[:2], -1)

    def of_spectrum(self, spectrum: Tensor) -> Tensor:
        """The spectrum (B, 2, F, N), real and imaginary parts -> masks (B, S, 2, F, N)."""
        pieces = [spectrum[:, :, first:end] for first, end in spans(self.geometry)]
        first = torch.stack([inlet(piece) for inlet, piece in zip(self.inlet, pieces, strict=True)], 2)  # (B, N, K, D)
        x = self.time(self.bands(first))
        for _ in range(self.geometry.iterations - 1):
            x = self.time(self.bands(self.again(first + x)))
        masks: Tensor = self.masks(x)
        return masks


class Bag(nn.Module):
    """A network for each stem, which is one of its sources."""

    def __init__(self, geometry: TigerConfig):
        super().__init__()
        self.geometry = geometry
        self.networks = nn.ModuleList(Tiger(geometry) for _ in geometry.chosen)

    def of_spectrum(self, spectrum: Tensor, part: str) -> Tensor:
        """The mask (B, 1, 2, F, N) of the stem of a graph."""
        k = self.geometry.graphs.index(part)
        source, network = self.geometry.chosen[k], self.networks[k]
        assert isinstance(network, Tiger)
        return network.of_spectrum(spectrum)[:, source : source + 1]


def build(geometry: TigerConfig) -> nn.Module:
    """The network, or several."""
    return Bag(geometry) if geometry.chosen else Tiger(geometry)


def outputs(module: nn.Module, part: str, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The outputs of the graph of a part, by name."""
    if isinstance(module, Bag):
        return {"masks": module.of_spectrum(inputs["spectrum"], part)}
    assert isinstance(module, Tiger)
    return {"masks": module.of_spectrum(inputs["spectrum"])}
