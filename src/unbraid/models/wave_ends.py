"""Waveforms at the ends of an audio Transformer: samples become features in front, features become samples.

In front, a stack of convolutions with learned filters, as in Conv-TasNet (one, arXiv 1809.07454) or Wav2Vec 2.0
(several, arXiv 2006.11477): the product of their strides is the samples that make a step. A kernel reaches as far to
the left of its stride as to the right, so that step n lies around its samples. From the second on, convolutions see
what a layer norm leaves, so that the level of the recording does not matter to them.

At the back a transposed convolution adds up filters, a kernel of each for each step:

    a waveform that is altered   masks between 0 and 1, on what the one convolution in front found (w):
                                 y = decoder(w ⊙ σ(W x)), as in Conv-TasNet; its level follows the source's
    another source               amplitude and phase of each filter, which start as those of an inverse Fourier
                                 transform (Vocos, arXiv 2306.00814): y = decoder([e^a cos φ, e^a sin φ]), a, φ = W x
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.geometry import WaveSide
from unbraid.models.spectrogram_ends import inside

NORM_EPS = 1e-6
LOUDEST = 5.0  # natural logarithm of an amplitude


class WaveFront(nn.Module):
    """Waveform (B, N·stride), of which lengths (B,) steps count -> features (B, N, D)."""

    def __init__(self, side: WaveSide, features: int):
        super().__init__()
        self.side = side
        inputs = (1, *(side.filters for _ in side.strides[1:]))
        self.convs = nn.ModuleList(
            nn.Conv1d(i, side.filters, kernel, stride, padding=(kernel - stride) // 2, bias=False)
            for i, kernel, stride in zip(inputs, side.kernels, side.strides, strict=True)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(side.filters, eps=NORM_EPS) for _ in side.strides)
        self.project = nn.Linear(side.filters, features)

    def forward(self, waveform: Tensor, lengths: Tensor) -> Tensor:
        return self.features(self.analyse(waveform, lengths), lengths)

    def analyse(self, waveform: Tensor, lengths: Tensor) -> Tensor:
        """What the first convolution finds: w (B, E, N·strides to come), nowhere below 0."""
        x = inside(waveform[:, None], lengths * self.side.stride)  # (B, 1, N·stride)
        return F.relu(self.convs[0](x))

    def features(self, w: Tensor, lengths: Tensor) -> Tensor:
        """The way on from there: features (B, N, D)."""
        left = self.side.stride // self.side.strides[0]  # what the convolutions to come divide steps by
        w = inside(w, lengths * left)
        for conv, norm, stride in zip(self.convs[1:], self.norms[:-1], self.side.strides[1:], strict=True):
            w = inside(norm(w.transpose(1, 2)).transpose(1, 2), lengths * left)
            left //= stride
            w = F.relu(conv(w))  # (B, E, N·strides to come)
        out: Tensor = self.project(self.norms[-1](w.transpose(1, 2)))
        return out


class WaveMasks(nn.Module):
    """Altered: features (B, N, D) and what was found in the source, w (B, E, N) -> waveform (B, N·stride)."""

    def __init__(self, side: WaveSide, features: int):
        super().__init__()
        self.mask = nn.Linear(features, side.filters)
        self.decoder = _decoder(side, side.filters)

    def forward(self, x: Tensor, lengths: Tensor, w: Tensor) -> Tensor:
        masks = torch.sigmoid(self.mask(x)).transpose(1, 2)  # (B, E, N)
        waveform: Tensor = self.decoder(inside(w * masks, lengths))[:, 0]
        return waveform


class WaveBack(nn.Module):
    """From another source: features (B, N, D) -> waveform (B, N·stride)."""

    def __init__(self, side: WaveSide, features: int):
        super().__init__()
        self.amplitude = nn.Linear(features, side.filters)
        self.phase = nn.Linear(features, side.filters)
        self.decoder = _decoder(side, 2 * side.filters)
        with torch.no_grad():
            self.decoder.weight.copy_(inverse_fourier(side)[:, None])

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        amplitude, phase = self.amplitude(x).clamp(max=LOUDEST).exp(), self.phase(x)  # each (B, N, E)
        parts = torch.cat((amplitude * phase.cos(), amplitude * phase.sin()), dim=2)
        waveform: Tensor = self.decoder(inside(parts.transpose(1, 2), lengths))[:, 0]
        return waveform


def inverse_fourier(side: WaveSide) -> Tensor:
    """The filters of an inverse Fourier transform under a Hann window, cosines and then sines: (2E, kernel)."""
    (kernel,), (stride,) = side.kernels, side.strides
    time = torch.arange(kernel, dtype=torch.float64)
    angle = math.pi * torch.arange(side.filters, dtype=torch.float64)[:, None] / max(1, side.filters - 1) * time
    window = torch.hann_window(kernel, periodic=True, dtype=torch.float64) * 2 * stride / kernel
    filters: Tensor = torch.cat((angle.cos(), -angle.sin())) * window / side.filters
    return filters.float()


def _decoder(side: WaveSide, inputs: int) -> nn.ConvTranspose1d:
    (kernel,), (stride,) = side.kernels, side.strides
    return nn.ConvTranspose1d(inputs, 1, kernel, stride, padding=(kernel - stride) // 2, bias=False)
