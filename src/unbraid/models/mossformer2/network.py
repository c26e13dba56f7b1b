"""MossFormer2: separation of simultaneous voices by masks from gated attention and a memory without recurrence.

Zhao et al., "MossFormer2: Combining Transformer and RNN-Free Recurrent Network for Enhanced Time-Domain Monaural Speech
Separation" (arXiv 2312.11825). Each layer is a gated attention (FLASH, Hua et al., arXiv 2202.10447), in full within
groups of frames and linear over all of them, and a memory: dilated depthwise convolutions (FSMN) between two gates.
Features stay on the last axis, so that every 1×1 convolution is a `Linear`. Two things are part of other weights than
in the published files: the gain of a norm without an offset is in the linear layer behind it, and the residual path
around a depthwise convolution is in the middle of its kernel.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.models.layers.global_norm import GlobalNorm
from unbraid.models.layers.positions import rotate
from unbraid.models.mossformer2.config import MossFormer2Config
from unbraid.models.mossformer2.layout import HEADS, LEAST_SCALE, NORM_EPS, OUTER_NORM_EPS


def scaled(x: Tensor) -> Tensor:
    """Each frame of x (B, N, D) divided by its root mean square."""
    size = torch.linalg.vector_norm(x, dim=-1, keepdim=True) * x.shape[-1] ** -0.5  # (B, N, 1)
    return x / size.clamp(min=LEAST_SCALE)


def rates(features: int) -> Tensor:
    """The rates (D/2,) of angles: 10000^(-2i/D) for the i-th pair of features, in radians a frame."""
    return 1.0 / 10000 ** (torch.arange(0, features, 2) / features)


class Projection(nn.Module):
    """A linear layer, SiLU and a depthwise convolution over frames: (B, N, inputs) -> (B, N, outputs)."""

    def __init__(self, g: MossFormer2Config, inputs: int, outputs: int):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.conv = nn.Conv1d(
            outputs, outputs, g.kernel_frames, padding=g.kernel_frames // 2, groups=outputs, bias=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, inputs) -> (B, N, outputs)."""
        return self.conv(F.silu(self.linear(x)).transpose(1, 2)).transpose(1, 2)


class GatedAttention(nn.Module):
    """Attention of one head, whose values and gates attend alike: (B, N, D) -> the same.

    Near frames, those of the same group, are weighted by the squares of their positive products; far ones, all of the
    window, by the products themselves, whose sum over frames needs no table of all pairs.
    """

    def __init__(self, g: MossFormer2Config):
        super().__init__()
        self.group_frames = g.group_frames
        self.values = Projection(g, g.features, 2 * g.features)
        self.gates = Projection(g, g.features, 2 * g.features)
        self.keys = Projection(g, g.features, g.key_features)
        self.head_scales = nn.Parameter(torch.ones(len(HEADS), g.key_features))
        self.head_offsets = nn.Parameter(torch.zeros(len(HEADS), g.key_features))
        self.outlet = Projection(g, 2 * g.features, g.features)

    def forward(self, x: Tensor, angle: Tensor) -> Tensor:
        """Frames x (B, N, D) -> the same; angle (N, R/2) of each frame, by which queries and keys are rotated."""
        earlier, now = x.chunk(2, dim=-1)
        h = scaled(torch.cat((F.pad(earlier, (0, 0, 1, -1)), now), dim=-1))  # half of the features a frame late
        values, gates = self.values(h), self.gates(h)  # (B, N, 2 D)
        heads = self.keys(h)[:, None] * self.head_scales[:, None] + self.head_offsets[:, None]  # (B, 4, N, Q)
        rotated = rotate(heads[..., : 2 * angle.shape[1]], angle)
        queries, far_queries, keys, far_keys = torch.cat((rotated, heads[..., 2 * angle.shape[1] :]), -1).unbind(1)
        near = F.relu(self._grouped(queries) @ self._grouped(keys).mT / self.group_frames).square()  # (B, G, K, K)
        frames = x.shape[1]

        def attended(y: Tensor) -> Tensor:
            close = (near @ self._grouped(y)).flatten(1, 2)[:, :frames]  # (B, N, 2 D)
            return close + far_queries @ (far_keys.mT @ y / frames)

        return x + self.outlet(scaled(attended(gates) * values * torch.sigmoid(attended(values) * gates)))

    def _grouped(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, G, K, C), zeros behind the last frame."""
        x = F.pad(x, (0, 0, 0, -x.shape[1] % self.group_frames))
        return x.view(x.shape[0], -1, self.group_frames, x.shape[2])


class FrameNorm(nn.Module):
    """Normalise each feature of x (B, M, N) over all frames: `InstanceNorm1d`, which refuses a single frame."""

    def __init__(self, features: int):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(features)), nn.Parameter(torch.zeros(features))

    def forward(self, x: Tensor) -> Tensor:
        """(B, M, N) -> the same."""
        centred = x - x.mean(2, keepdim=True)
        power = centred.square().mean(2, keepdim=True)
        return centred * torch.rsqrt(power + NORM_EPS) * self.weight[:, None] + self.bias[:, None]


class DilatedConv(nn.Module):
    """A convolution of M groups over frames, a norm of each feature over all frames, and PReLU: (B, C, N) -> (B, M, N).

    C is a multiple of M: the outputs of earlier convolutions are inputs too.
    """

    def __init__(self, g: MossFormer2Config, inputs: int, dilation: int):
        super().__init__()
        m, reach = g.memory_features, dilation * (g.memory_frames // 2)
        self.conv = nn.Conv1d(inputs, m, g.memory_frames, padding=reach, dilation=dilation, groups=m, bias=False)
        self.norm = FrameNorm(m)
        self.prelu = nn.PReLU(m)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, N) -> (B, M, N)."""
        return self.prelu(self.norm(self.conv(x)))


class Memory(nn.Module):
    """A gated memory of the frames around each one, of fewer features: (B, N, D) -> the same."""

    def __init__(self, g: MossFormer2Config):
        super().__init__()
        m = g.memory_features
        self.inlet, self.prelu, self.inlet_norm = nn.Linear(g.features, m), nn.PReLU(), nn.LayerNorm(m, NORM_EPS)
        self.values_norm, self.values = nn.LayerNorm(m, NORM_EPS), Projection(g, m, m)
        self.gates_norm, self.gates = nn.LayerNorm(m, NORM_EPS), Projection(g, m, m)
        self.hidden, self.project = nn.Linear(m, m), nn.Linear(m, m, bias=False)
        self.convs = nn.ModuleList(DilatedConv(g, m * (i + 1), dilation=2**i) for i in range(2))
        self.outlet_norm, self.outlet = nn.LayerNorm(m, NORM_EPS), nn.Linear(m, g.features)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) -> the same."""
        h = self.inlet_norm(self.prelu(self.inlet(x)))  # (B, N, M)
        values, gates = self.values(self.values_norm(h)), self.gates(self.gates_norm(h))
        y = self.project(F.relu(self.hidden(gates))).transpose(1, 2)  # (B, M, N)
        y = self.convs[1](torch.cat((self.convs[0](y), y), dim=1)).transpose(1, 2)
        return x + self.outlet(self.outlet_norm(values * (gates + y) + h))


class Layer(nn.Module):
    """Gated attention, then memory."""

    def __init__(self, g: MossFormer2Config):
        super().__init__()
        self.attention, self.memory = GatedAttention(g), Memory(g)

    def forward(self, x: Tensor, angle: Tensor) -> Tensor:
        """(B, N, D) -> the same; angle as `GatedAttention` takes it."""
        return self.memory(self.attention(x, angle))


class MaskNet(nn.Module):
    """Frames of the mixture (B, N, D) -> one mask for each source (B, sources, N, D)."""

    position_rates: Tensor
    rotary_rates: Tensor

    def __init__(self, g: MossFormer2Config):
        super().__init__()
        self.sources, d = g.sources, g.features
        self.norm = GlobalNorm(d)
        self.inlet = nn.Linear(d, d, bias=False)
        self.register_buffer("position_rates", rates(d))
        self.position_scale = nn.Parameter(torch.ones(1))
        self.register_buffer("rotary_rates", rates(g.rotated_features))
        self.layers = nn.ModuleList(Layer(g) for _ in range(g.layers))
        self.layers_norm, self.block_norm = nn.LayerNorm(d, OUTER_NORM_EPS), GlobalNorm(d)
        self.prelu = nn.PReLU()
        self.split = nn.Linear(d, d * g.sources)
        self.value, self.gate = nn.Linear(d, d), nn.Linear(d, d)
        self.outlet = nn.Linear(d, d, bias=False)

    def forward(self, w: Tensor) -> Tensor:
        """Encoded mixture (B, N, D) -> a mask for each source (B, sources, N, D), at least 0."""
        batch, frames, features = w.shape
        step = torch.arange(frames, device=w.device)[:, None]  # (N, 1)
        angle = step * self.position_rates  # (N, D/2)
        x = self.inlet(self.norm(w)) + torch.cat((angle.sin(), angle.cos()), dim=1) * self.position_scale
        h = x
        for layer in self.layers:
            h = layer(h, step * self.rotary_rates)
        x = x + self.block_norm(self.layers_norm(h))
        x = self.split(self.prelu(x)).view(batch, frames, self.sources, features).transpose(1, 2)
        return F.relu(self.outlet(torch.tanh(self.value(x)) * torch.sigmoid(self.gate(x))))


class MossFormer2(nn.Module):
    """Mixture (B, T) -> sources (B, sources, T), at the model's sample rate; T is at least one kernel."""

    def __init__(self, geometry: MossFormer2Config):
        super().__init__()
        self.geometry = g = geometry
        stride = g.kernel_samples // 2
        self.encoder = nn.Conv1d(1, g.features, g.kernel_samples, stride, bias=False)
        self.masknet = MaskNet(g)
        self.decoder = nn.ConvTranspose1d(g.features, 1, g.kernel_samples, stride, bias=False)

    def forward(self, mixture: Tensor) -> Tensor:
        """Mixture (B, T) -> sources (B, sources, T)."""
        batch, samples = mixture.shape
        w = F.relu(self.encoder(mixture[:, None])).transpose(1, 2)  # (B, N, D)
        masked = (self.masknet(w) * w[:, None]).flatten(0, 1).transpose(1, 2)  # (B·sources, D, N)
        decoded = self.decoder(masked)  # (B·sources, 1, (N - 1)·stride + kernel)
        return F.pad(decoded, (0, samples - decoded.shape[2])).view(batch, self.geometry.sources, samples)


build = MossFormer2


def outputs(module: nn.Module, part: str, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The outputs of its graph, by name."""
    return {"sources": module(inputs["mixture"])}
