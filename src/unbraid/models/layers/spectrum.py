"""A short-time spectrum of frames that overlap by half, and back, as products with constant matrices."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SpectralTransform(nn.Module):
    """Spectra of frames that overlap by half, under the root of a Hann window, and back: exact but for the last bin.

    Spectra are (…, N, 2F): the real parts of F bins from 0 Hz, then their imaginary parts.
    """

    analysis_basis: Tensor
    synthesis_basis: Tensor

    def __init__(self, frame_samples: int):
        super().__init__()
        self.hop = frame_samples // 2
        window = torch.hann_window(frame_samples, dtype=torch.float64).sqrt()
        bins, samples = torch.arange(self.hop)[:, None], torch.arange(frame_samples)
        angle = 2 * math.pi / frame_samples * (bins * samples % frame_samples).double()  # (F, frame)
        basis = torch.cat((angle.cos(), -angle.sin())) * window  # (2F, frame)
        weight = torch.full((self.hop, 1), 2 / frame_samples, dtype=torch.float64)
        weight[0] = 1 / frame_samples
        self.register_buffer("analysis_basis", basis.float().T.contiguous(), persistent=False)
        self.register_buffer("synthesis_basis", (basis * weight.repeat(2, 1)).float(), persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        """(B, T) -> (B, N, 2F), N = ⌈T / hop⌉ + 1."""
        samples = audio.shape[-1]
        padded = F.pad(audio, (self.hop, self.hop + -samples % self.hop))
        return self.of_frames(frames(padded.view(len(audio), -1, self.hop)))

    def of_frames(self, windows: Tensor) -> Tensor:
        """Frames (B, N, frame) -> (B, N, 2F)."""
        return windows @ self.analysis_basis

    def overlapped(self, spectra: Tensor) -> Tensor:
        """(…, N, 2F) -> (…, N + 1, hop): the frames added up; the first and the last hop lack a neighbour."""
        first, second = (spectra @ self.synthesis_basis).chunk(2, -1)  # (…, N, hop) twice
        return F.pad(first, (0, 0, 0, 1)) + F.pad(second, (0, 0, 1, 0))

    def inverse(self, spectra: Tensor, samples: int) -> Tensor:
        """(…, N, 2F) -> (…, T)."""
        return self.overlapped(spectra).flatten(-2)[..., self.hop : self.hop + samples]


def frames(halves: Tensor) -> Tensor:
    """Each hop with the one after it: (B, N + 1, hop) -> (B, N, 2·hop)."""
    return torch.cat((halves[:, :-1], halves[:, 1:]), -1)
