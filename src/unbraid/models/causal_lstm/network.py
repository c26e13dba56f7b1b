"""Causal LSTM: removes noise, or separates voices, while they are heard: each frame is filtered by what came before.

The root of the spectrum (Braun & Tashev, arXiv 2009.12286, on compressed features), relative to a running level, goes
through LSTMs over time (Hochreiter & Schmidhuber, 1997) and gated feed-forward layers (Shazeer,
arXiv 2002.05202), each with a residual. The outputs are complex filters over the newest frames (Mack & Habets, Deep
Filtering, arXiv 1904.08369; Schröter et al., DeepFilterNet, arXiv 2110.05588), times a gate: where the mixture is
silent, so is every source.

Nothing sees a later frame, so that the delay is one frame. Everything earlier is in a state that is passed in and
returned: `stream` gives the same whether audio comes hop by hop or whole, and training runs whole crops.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.models.causal_lstm.config import CausalLSTMConfig
from unbraid.models.causal_lstm.layout import FLOOR, QUIETEST, level_weights
from unbraid.models.layers.spectrum import SpectralTransform, frames


class Recurrence(nn.Module):
    """An LSTM over the norm of its input, gates in the order of ONNX: input, output, forget, cell.

    Under autocast it runs in bfloat16, which is three times faster on a processor that has it.
    """

    def __init__(self, features: int):
        super().__init__()
        self.norm = nn.LayerNorm(features)
        self.weight_input, self.weight_hidden = (nn.Parameter(torch.empty(4 * features, features)) for _ in range(2))
        self.bias = nn.Parameter(torch.empty(8 * features))
        for parameter in (self.weight_input, self.weight_hidden, self.bias):
            nn.init.uniform_(parameter, -1 / math.sqrt(features), 1 / math.sqrt(features))

    def forward(self, x: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N, D) and the state before (2, B, D), output and cell -> the outputs (B, N, D), and the state behind."""
        kind = torch.get_autocast_dtype(x.device.type) if torch.is_autocast_enabled(x.device.type) else torch.float32
        parts = (self.weight_input, self.weight_hidden, *self.bias.chunk(2))
        weights = [_in_torch_order(part).to(kind) for part in parts]
        with torch.autocast(x.device.type, enabled=False):
            h = self.norm(x.float()).to(kind)
            state = [part.to(kind).contiguous()[None] for part in before]
            out, hidden, cell = torch._VF.lstm(h, state, weights, True, 1, 0.0, self.training, False, True)
        return out, torch.cat((hidden, cell)).float()


def _in_torch_order(weight: Tensor) -> Tensor:
    """Gates in the order input, forget, cell, output."""
    into, out, forget, cell = weight.chunk(4)
    return torch.cat((into, forget, cell, out))


class FeedForward(nn.Module):
    """A gated feed-forward layer over the norm of its input: (B, N, D) -> the same."""

    def __init__(self, features: int, hidden: int):
        super().__init__()
        self.norm = nn.LayerNorm(features)
        self.gate, self.value = (nn.Linear(features, hidden) for _ in range(2))
        self.out = nn.Linear(hidden, features)

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output for x (B, N, D)."""
        h = self.norm(x)
        out: Tensor = self.out(F.silu(self.gate(h)) * self.value(h))
        return out


class Block(nn.Module):
    """Over time, then each frame alone."""

    def __init__(self, geometry: CausalLSTMConfig):
        super().__init__()
        self.time = Recurrence(geometry.features)
        self.feed = FeedForward(geometry.features, geometry.hidden)
        nn.init.zeros_(self.feed.out.weight)
        nn.init.zeros_(self.feed.out.bias)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Both layers with their residuals: (B, N, D) and (2, B, D) -> the same."""
        out, state = self.time(x, state)
        x = x + out
        return x + self.feed(x), state


class CausalLSTM(nn.Module):
    """Mixture (B, T) -> sources (B, sources, T), at the model's sample rate."""

    running: Tensor

    def __init__(self, geometry: CausalLSTMConfig):
        super().__init__()
        self.geometry = g = geometry
        self.transform = SpectralTransform(g.frame_samples)
        self.register_buffer("running", torch.from_numpy(level_weights(g.level_frames))[None, None], persistent=False)
        self.inlet = nn.Linear(g.kernel_frames * 3 * g.hop_samples, g.features)
        self.blocks = nn.ModuleList(Block(g) for _ in range(g.blocks))
        self.norm = nn.LayerNorm(g.features)
        self.outlet = nn.Linear(g.features, g.sources * g.filter_size * g.hop_samples)
        with torch.no_grad():  # every source begins as half of the mixture: the gate at 1/2, the newest tap at 1
            self.outlet.weight.mul_(0.1)
            self.outlet.bias.zero_()
            self.outlet.bias.view(g.sources, g.filter_size, g.hop_samples)[:, g.taps] = 1

    def forward(self, mixture: Tensor) -> Tensor:
        """Mixture (B, T) -> sources (B, sources, T), in time with it."""
        samples, hop = mixture.shape[1], self.geometry.hop_samples
        state = mixture.new_zeros(len(mixture), self.geometry.state_size, dtype=torch.float32)
        sources, _ = self.stream(F.pad(mixture.float(), (0, hop + -samples % hop)), state)
        return sources[..., hop : hop + samples]

    def stream(self, mixture: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Hops (B, n·hop) and the state before (B, M) -> sources (B, S, n·hop), one hop late, and the state behind."""
        g, batch = self.geometry, len(mixture)
        shapes = g.state_shapes
        pieces = torch.split(state, [math.prod(shape) for shape in shapes.values()], 1)
        past = {name: piece.reshape(batch, *shapes[name]) for name, piece in zip(shapes, pieces, strict=True)}
        with torch.autocast(mixture.device.type, enabled=False):
            halves = torch.cat((past["samples"], mixture.view(batch, -1, g.hop_samples)), 1)  # (B, N + 1, hop)
            windows = frames(halves)
            powers = torch.cat((past["powers"], windows.square().mean(-1)), 1)  # (B, L - 1 + N)
            spectra = torch.cat((past["spectra"], self.transform.of_frames(windows)), 1)  # (B, taps - 1 + N, 2F)
            features = torch.cat((past["features"], self._features(spectra[:, g.taps - 1 :], powers)), 1)
        x = self.inlet(_stacked(features, g.kernel_frames))  # (B, N, D)
        recurrent = []
        for block, before in zip(self.blocks, past["recurrent"].permute(1, 2, 0, 3), strict=True):
            x, last = block(x, before)
            recurrent.append(last)
        filters = self.outlet(self.norm(x))  # (B, N, S·outputs·F)
        with torch.autocast(mixture.device.type, enabled=False):
            hops = self.transform.overlapped(self._filtered(filters.float(), spectra))  # (B, S, N + 1, hop)
            sources = torch.cat((hops[:, :, :1] + past["tail"], hops[:, :, 1:-1]), 2).flatten(-2)
        now = {
            "samples": halves[:, -1:],
            "powers": powers[:, powers.shape[1] - g.level_frames + 1 :],
            "features": features[:, features.shape[1] - g.kernel_frames + 1 :],
            "spectra": spectra[:, spectra.shape[1] - g.taps + 1 :],
            "recurrent": torch.stack(recurrent).permute(2, 0, 1, 3),
            "tail": hops[:, :, -1:],
        }
        return sources, torch.cat([now[name].flatten(1) for name in shapes], 1)

    def _features(self, spectra: Tensor, powers: Tensor) -> Tensor:
        """The root of each magnitude, with its phase and without: (B, N, 2F), (B, L - 1 + N) -> (B, N, 3F)."""
        level = torch.sqrt(F.conv1d(powers[:, None], self.running)[:, 0, :, None] + QUIETEST)  # (B, N, 1)
        parts = (spectra / level).view(*spectra.shape[:2], 2, -1)  # (B, N, 2, F)
        root = torch.sqrt(torch.sqrt(parts.square().sum(2, keepdim=True) + FLOOR))
        return torch.cat((parts / root, root), 2).flatten(2)

    def _filtered(self, filters: Tensor, spectra: Tensor) -> Tensor:
        """Each bin as a sum over the newest frames, times a gate: (B, N, …), (B, taps - 1 + N, 2F) -> (B, S, N, 2F)."""
        g, count = self.geometry, filters.shape[1]
        filters = filters.view(*filters.shape[:2], g.sources, g.filter_size, -1)
        filters = filters.permute(0, 2, 3, 1, 4)  # (B, S, outputs, N, F)
        gate, real, imaginary = filters[:, :, 0], filters[:, :, 1 : 1 + g.taps], filters[:, :, 1 + g.taps :]
        near = torch.stack([spectra[:, i : i + count] for i in range(g.taps)], 1)[:, None]  # (B, 1, taps, N, 2F)
        x, y = near.chunk(2, -1)
        source = torch.cat((real * x - imaginary * y, real * y + imaginary * x), -1).sum(2)
        return source * torch.sigmoid(gate).repeat(1, 1, 1, 2)


def _stacked(features: Tensor, count: int) -> Tensor:
    """Each frame behind those before it: (B, count - 1 + N, F) -> (B, N, count·F)."""
    end = features.shape[1] - count + 1
    return torch.cat([features[:, i : i + end] for i in range(count)], -1)


build = CausalLSTM


def outputs(module: nn.Module, part: str, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The outputs of its graph, by name."""
    assert isinstance(module, CausalLSTM)
    sources, state = module.stream(inputs["mixture"], inputs["state"])
    return {"sources": sources, "state_out": state}
