"""Waveforms as source and target of an audio Transformer.

The front end is a stack of convolutions with learned filters, as in Conv-TasNet (one, arXiv 1809.07454) or Wav2Vec 2.0
(several, arXiv 2006.11477): the product of their strides is the number of samples in a step. Kernels are centred on
their strides, so step n is centred on its samples. A layer norm after the first convolution removes the level, so log10
of the power of each step is added as a feature; not for waveform to waveform, where ten times louder in must be ten
times louder out. The first filters are initialised as equidistant tones, since a random initialisation costs half of a
short training.

The back end is a transposed convolution, a sum of filters at each step:

    waveform to waveform   masks between 0 and 1 on the outputs w of the single convolution in the front end:
                           y = decoder(w ⊙ σ(W x)), as in Conv-TasNet; the level follows the source's
    another source         amplitude and phase of each filter, initialised as an inverse Fourier transform (Vocos,
                           arXiv 2306.00814): y = decoder([e^a cos φ, e^a sin φ]), a, φ = W x; the phase advance of
                           each filter's tone since the first step is added, so that W x need not predict it
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.models.audio_transformer.config import WaveSide
from unbraid.models.audio_transformer.layout import LOUDEST, QUIETEST
from unbraid.models.audio_transformer.network.spectrogram_ends import inside

NORM_EPS = 1e-6
QUIET_START = -2.0  # natural logarithm of the amplitudes that a vocoder begins with


class WaveFront(nn.Module):
    """Waveform (B, N·stride), of which lengths (B,) steps count -> features (B, N, D)."""

    def __init__(self, side: WaveSide, features: int, tells_level: bool = True):
        super().__init__()
        self.side, self.tells_level = side, tells_level
        inputs = (1, *(side.filters for _ in side.strides[1:]))
        self.convs = nn.ModuleList(
            nn.Conv1d(i, side.filters, kernel, stride, padding=(kernel - stride) // 2, bias=False)
            for i, kernel, stride in zip(inputs, side.kernels, side.strides, strict=True)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(side.filters, eps=NORM_EPS) for _ in side.strides)
        self.project = nn.Linear(side.filters + tells_level, features)
        with torch.no_grad():
            next(self.convs.parameters()).copy_(tones(side.kernels[0], side.filters)[:, None])

    def forward(self, waveform: Tensor, lengths: Tensor) -> Tensor:
        """Waveform (B, N·stride), of which lengths (B,) steps count -> features (B, N, D)."""
        return self.features(self.analyse(waveform, lengths), lengths)

    def analyse(self, waveform: Tensor, lengths: Tensor) -> Tensor:
        """The filter outputs: w (B, E, N·later strides), at least 0."""
        x = inside(waveform[:, None], lengths * self.side.stride)  # (B, 1, N·stride)
        return F.relu(self.convs[0](x))

    def features(self, w: Tensor, lengths: Tensor) -> Tensor:
        """The way on from there: features (B, N, D)."""
        left = self.side.stride // self.side.strides[0]  # what the convolutions to come divide steps by
        w = inside(w, lengths * left)
        power = w.square().mean(1).view(len(w), -1, left).mean(2)  # (B, N)
        for conv, norm, stride in zip(self.convs[1:], self.norms[:-1], self.side.strides[1:], strict=True):
            w = inside(norm(w.transpose(1, 2)).transpose(1, 2), lengths * left)
            left //= stride
            w = F.relu(conv(w))  # (B, E, N·strides to come)
        x = self.norms[-1](w.transpose(1, 2))  # (B, N, E)
        if self.tells_level:
            x = torch.cat((x, torch.log10(power + QUIETEST)[..., None]), dim=2)
        return self.project(x)


class WaveMasks(nn.Module):
    """Masks: features (B, N, D) and filter outputs of the source, w (B, E, N) -> waveform (B, N·stride)."""

    def __init__(self, side: WaveSide, features: int):
        super().__init__()
        self.mask = nn.Linear(features, side.filters)
        self.decoder = _decoder(side, side.filters)
        with torch.no_grad():  # all that the tones in front found, added up, is about what went in
            filters = tones(side.kernels[0], side.filters)
            self.decoder.weight.copy_(2 * side.stride / filters.square().sum() * filters[:, None])

    def forward(self, x: Tensor, lengths: Tensor, w: Tensor) -> Tensor:
        """Features (B, N, D) and filter outputs w (B, E, N) -> waveform (B, N·stride)."""
        masks = torch.sigmoid(self.mask(x)).transpose(1, 2)  # (B, E, N)
        return self.decoder(inside(w * masks, lengths))[:, 0]


class WaveBack(nn.Module):
    """From another source: features (B, N, D) -> waveform (B, N·stride)."""

    def __init__(self, side: WaveSide, features: int):
        super().__init__()
        self.side = side
        self.amplitude = nn.Linear(features, side.filters)
        self.phase = nn.Linear(features, side.filters)
        self.decoder = _decoder(side, 2 * side.filters)
        with torch.no_grad():
            self.decoder.weight.copy_(inverse_fourier(side)[:, None])
            self.amplitude.weight.mul_(0.3)
            self.amplitude.bias.fill_(QUIET_START)
            self.phase.weight.mul_(0.1)
            self.phase.bias.uniform_(-math.pi, math.pi)  # in phase with each other they would be clicks

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Features (B, N, D), of which lengths (B,) steps count -> waveform (B, N·stride)."""
        amplitude = self.amplitude(x).clamp(max=LOUDEST).exp()  # (B, N, E)
        phase = self.phase(x) + phase_advance(self.side, x.shape[1], x)
        parts = torch.cat((amplitude * phase.cos(), amplitude * phase.sin()), dim=2)
        return self.decoder(inside(parts.transpose(1, 2), lengths))[:, 0]


def tones(kernel: int, filters: int) -> Tensor:
    """Windowed tones at even distances, as cosines and sines and the negatives of both: (E, kernel)."""
    count = -(-filters // 4)
    time = torch.arange(kernel, dtype=torch.float64) - (kernel - 1) / 2
    angle = math.pi * (torch.arange(count, dtype=torch.float64)[:, None] + 0.5) / count * time
    window = torch.hann_window(kernel, periodic=False, dtype=torch.float64).clamp(min=1e-3).sqrt()
    each = torch.cat((angle.cos(), -angle.cos(), angle.sin(), -angle.sin())) * window
    return (each / kernel**0.5).float()[:filters]


def phase_advance(side: WaveSide, steps: int, like: Tensor) -> Tensor:
    """By how much the tone of each filter has turned at each step: (N, E), 0 to 2π; whole numbers lose nothing."""
    period = 2 * max(1, side.filters - 1)  # samples after which every tone is where it was
    samples = torch.arange(steps, device=like.device) * side.stride
    places = samples[:, None] * torch.arange(side.filters, device=like.device) % period
    return (places * (2 * math.pi / period)).to(like.dtype)


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
