"""Spleeter's U-Nets: the magnitude spectrogram of a song in, one magnitude per stem out.

Hennequin et al., "Spleeter" (JOSS 5(50), 2020), after Jansson et al. (ISMIR 2017): one U-Net per stem, six
strided 5×5 convolutions down, six transposed ones up, skips in between. Axes here are (B, C, N, F): the published
network's (time, frequency, channel) with the channel first. Two details are the published ones and easily missed:
a skip carries the convolution before its norm and activation, and the deepest one goes up as it is.

With a shared trunk (ours) one network makes the masks of all stems, at the cost of one. With layers across all bins
(Choi et al., "Investigating U-Nets with various intermediate blocks", ISMIR 2020, arXiv 1912.02591) each level
also hears the harmonics that convolutions are too narrow for.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.models.unet.config import UNetConfig, across_width
from unbraid.models.unet.layout import NORM_EPS

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "relu": F.relu,
    "elu": F.elu,
}


class AcrossBins(nn.Module):
    """x (B, D, N, F) plus two linear layers over F, the same for each plane and frame: F -> F/8 -> F.

    The last of them begins as zeros, so that a network begins as it would be without.
    """

    def __init__(self, planes: int, bins: int, activation: Callable[[Tensor], Tensor]):
        super().__init__()
        width = across_width(bins)
        self.activation = activation
        self.squeeze = nn.Linear(bins, width, bias=False)
        self.norm = nn.BatchNorm2d(planes, NORM_EPS, momentum=0.01)
        self.widen = nn.Linear(width, bins)
        nn.init.zeros_(self.widen.weight)
        nn.init.zeros_(self.widen.bias)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, planes, N, F) plus a bottleneck over all bins, at each frame."""
        added: Tensor = self.widen(self.activation(self.norm(self.squeeze(x))))
        return x + added


def _across(planes: int, bins: int, activation: Callable[[Tensor], Tensor]) -> nn.Module:
    return AcrossBins(planes, bins, activation) if bins else nn.Identity()


class UNet(nn.Module):
    """Magnitude (B, inputs, N, F) -> mask logits (B, masks, N, F), C for each stem; N, F multiples of 2^levels."""

    def __init__(self, geometry: UNetConfig):
        super().__init__()
        filters = geometry.filters
        self.encoder_activation = ACTIVATIONS[geometry.encoder_activation]
        self.decoder_activation = ACTIVATIONS[geometry.decoder_activation]
        inputs = (geometry.inputs, *filters[:-1])
        self.down = nn.ModuleList(nn.Conv2d(i, o, 5, stride=2) for i, o in zip(inputs, filters, strict=True))
        self.down_norm = nn.ModuleList(nn.BatchNorm2d(o, NORM_EPS, momentum=0.01) for o in filters[:-1])
        outputs = (*filters[-2::-1], geometry.planes)
        inputs = (filters[-1], *(2 * o for o in outputs[:-1]))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(i, o, 5, stride=2, padding=1) for i, o in zip(inputs, outputs, strict=True)
        )
        self.up_norm = nn.ModuleList(nn.BatchNorm2d(o, NORM_EPS, momentum=0.01) for o in outputs)
        self.down_across = nn.ModuleList(
            _across(planes, geometry.bins >> i + 1, self.encoder_activation) for i, planes in enumerate(filters[:-1])
        )
        self.up_across = nn.ModuleList(
            _across(planes, geometry.bins >> len(outputs) - 1 - i, self.decoder_activation)
            for i, planes in enumerate(outputs)
        )
        masks = geometry.channels * geometry.stems // geometry.nets
        self.last = nn.Conv2d(geometry.planes, masks, 4, padding=3, dilation=2)

    def forward(self, x: Tensor) -> Tensor:
        """Magnitude (B, C, N, F) -> logits of the masks (B, masks, N, F)."""
        skips: list[Tensor] = []
        for i, conv in enumerate(self.down):
            x = conv(F.pad(x, (1, 2, 1, 2)))  # each level: (B, filters, N/2, F/2)
            if i < len(self.down_norm):
                skips.append(x)
                x = self.down_across[i](self.encoder_activation(self.down_norm[i](x)))
        for conv, norm, across in zip(self.up, self.up_norm, self.up_across, strict=True):
            x = across(norm(self.decoder_activation(conv(x)[..., :-1, :-1])))
            if skips:
                x = torch.cat((skips.pop(), x), dim=1)
        return self.last(x)  # (B, masks, N, F)


class UNets(nn.Module):
    """All stems of a model: magnitude (B, C, N, F), the side's behind it -> per stem (B, stems, C, N, F)."""

    def __init__(self, geometry: UNetConfig):
        super().__init__()
        self.geometry = geometry
        self.nets = nn.ModuleList(UNet(geometry) for _ in range(geometry.nets))

    def forward(self, magnitude: Tensor) -> Tensor:
        """Magnitude (B, C, N, F), the side channel behind it -> stems' magnitudes (B, stems, C, N, F)."""
        logits = torch.cat([net(magnitude) for net in self.nets], dim=1)  # (B, stems · C, N, F)
        magnitude = magnitude[:, : self.geometry.channels]
        logits = logits.view(len(logits), self.geometry.stems, *magnitude.shape[1:])  # (B, stems, C, N, F)
        masks = logits.softmax(1) if self.geometry.output == "softmax" else logits.sigmoid()
        return masks * magnitude[:, None]


build = UNets


def outputs(module: nn.Module, part: str, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The outputs of its graph, by name."""
    return {"magnitudes": module(inputs["magnitude"])}
