"""Basic Pitch: windows of audio -> activations of notes and of their onsets, for each frame and pitch.

Bittner et al., "A lightweight instrument-agnostic model for polyphonic note transcription and multipitch estimation"
(ICASSP 2022, arXiv 2203.09893). A constant-Q transform with three bins a semitone is computed octave by octave, each
from a signal of half the rate (Schörkhuber & Klapuri, SMC 2010), its power P scaled to decibels between 0 and 1 over
the window,

    L = 10 log10(P + 1e-10),    x = (L - min L) / (max L - min L)

Copies of x shifted by the harmonics of a pitch are channels (Bittner et al., ISMIR 2017), so that small kernels see
them. Convolutions give the contour of pitches, from it the notes, and from the notes and x their onsets. Batch norms
are part of the published convolutions. For parity; the ONNX graph (graph.py) is what runs.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.models.basic_pitch.config import (
    BINS_PER_PITCH,
    HARMONIC_BINS,
    KERNELS,
    SMALLEST_POWER,
    SMALLEST_RANGE,
    BasicPitchConfig,
)
from unbraid.models.basic_pitch.layout import tensor_shapes


class ConstantQ(nn.Module):
    """Audio (B, T) -> the power of constant-Q bins (B, F, N)."""

    real: Tensor
    imaginary: Tensor
    lowpass: Tensor
    scale: Tensor

    def __init__(self, g: BasicPitchConfig):
        super().__init__()
        self.g = g
        for name, shape in tensor_shapes(g).items():
            if name.startswith("cqt."):
                self.register_buffer(name.removeprefix("cqt."), torch.zeros(shape))

    def forward(self, audio: Tensor) -> Tensor:
        """Audio (B, T) -> (B, F, N), the lowest bin first."""
        x, octaves = audio[:, None], []
        half = self.g.kernel_samples // 2
        for i in range(self.g.octaves):
            if i:
                x = F.conv1d(x, self.lowpass, stride=2, padding=half - 1)
            around, hop = F.pad(x, (half, half), mode="reflect"), self.g.hop_samples >> i
            real, imaginary = (F.conv1d(around, part, stride=hop) for part in (self.real, self.imaginary))
            octaves.append(real**2 + imaginary**2)  # (B, 36, N)
        return torch.cat(octaves[::-1], 1)[:, -self.g.bins :] * self.scale**2


class Norm(nn.Module):
    """One scale and one offset for all bins: a batch norm whose statistics are part of them."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(1)), nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """X of any shape."""
        return self.weight * x + self.bias


class BasicPitch(nn.Module):
    """Windows (B, T) -> notes and onsets (B, N, P)."""

    contour: nn.Conv2d
    contour_out: nn.Conv2d
    note: nn.Conv2d
    note_out: nn.Conv2d
    onset: nn.Conv2d
    onset_out: nn.Conv2d

    def __init__(self, geometry: BasicPitchConfig):
        super().__init__()
        self.g = geometry
        self.cqt = ConstantQ(geometry)
        self.norm = Norm()
        shapes = tensor_shapes(geometry)
        for name, kernel in KERNELS.items():
            outputs, inputs, *_ = shapes[f"{name}.weight"]
            setattr(self, name, nn.Conv2d(inputs, outputs, kernel))

    def forward(self, audio: Tensor) -> tuple[Tensor, Tensor]:
        """Audio (B, T) -> notes (B, N, P), onsets (B, N, P)."""
        x = self.norm(self._scaled(self.cqt(audio).transpose(1, 2)))  # (B, N, F)
        h = self._harmonics(x)  # (B, harmonics, N, 3 P)
        contour = torch.sigmoid(_same(self.contour_out, F.relu(_same(self.contour, h))))  # (B, 1, N, 3 P)
        notes = torch.sigmoid(_same(self.note_out, F.relu(_same(self.note, contour, BINS_PER_PITCH))))  # (B, 1, N, P)
        onsets = torch.cat((notes, F.relu(_same(self.onset, h, BINS_PER_PITCH))), 1)
        return notes[:, 0], torch.sigmoid(_same(self.onset_out, onsets))[:, 0]

    def _scaled(self, power: Tensor) -> Tensor:
        """Power (B, N, F) -> decibels between 0 and 1 over the window."""
        levels = 10 / math.log(10) * (power + SMALLEST_POWER).log()
        above = levels - levels.amin((1, 2), keepdim=True)
        return above / above.amax((1, 2), keepdim=True).clamp(min=SMALLEST_RANGE)

    def _harmonics(self, x: Tensor) -> Tensor:
        """Bins (B, N, F) -> copies shifted by each harmonic, zeros beyond the ends (B, harmonics, N, 3 P)."""
        kept = BINS_PER_PITCH * self.g.pitches
        padded = F.pad(x, (-HARMONIC_BINS[0], max(0, kept + HARMONIC_BINS[-1] - self.g.bins)))
        starts = (shift - HARMONIC_BINS[0] for shift in HARMONIC_BINS)
        return torch.stack([padded[..., start : start + kept] for start in starts], 1)


def _same(layer: nn.Conv2d, x: Tensor, stride: int = 1) -> Tensor:
    """A convolution over frames and bins that keeps both, or with a stride every third bin, from its middle on."""
    frames, bins = layer.kernel_size
    return F.conv2d(x, layer.weight, layer.bias, (1, stride), (frames // 2, (bins - stride) // 2))


build = BasicPitch


def outputs(module: nn.Module, part: str, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The outputs of its graph, by name."""
    return dict(zip(("notes", "onsets"), module(inputs["audio"]), strict=True))
