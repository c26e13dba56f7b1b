"""Log-mel spectrograms as source and target of an audio Transformer.

The front end has convolutions over frames, as in "Speech-Transformer" (Dong et al., ICASSP 2018): the kernel of each is
its stride and one frame more on either side, and the product of the strides is the number of frames in a step. ReLU
lies between them, or GELU behind each, as in Whisper (Radford et al., arXiv 2212.04356). The back end predicts all
frames of a step with a linear layer, in one of two ways:

    aligned          from the encoder's features of the same step; if the source is a spectrogram of the same frames,
                     the prediction is added to it, a change in decibels
    autoregressive   from the decoder's features, after Transformer TTS (Li et al., arXiv 1809.08895): the last frames
                     pass a pre-net and are the decoder's input; a stop logit ends the spectrogram; a convolutional
                     post-net refines all frames with later ones in view

Levels are those of `dsp.mel`: -1 is -80 dB or less, 1 is full scale.
"""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unbraid.models.audio_transformer.config import Activation, SpectrogramSide
from unbraid.models.audio_transformer.layout import POST_KERNEL, POST_LAYERS

PRENET_DROPOUT = 0.5  # in training; without it the decoder copies the last frames and never learns to read


def inside(x: Tensor, lengths: Tensor) -> Tensor:
    """x (B, D, N) with zeros from step lengths (B,) on, as beyond the end of an item alone."""
    steps = torch.arange(x.shape[2], device=x.device) < lengths[:, None, None]
    return x * steps


class SpectrogramFront(nn.Module):
    """Log-mel (B, N·stride, F), of which lengths (B,) steps count -> features (B, N, D)."""

    def __init__(self, side: SpectrogramSide, features: int, activation: Activation = "relu"):
        super().__init__()
        self.side = side
        self.activation = activation
        widths = (side.bins, *(features for _ in side.strides[1:]))
        self.convs = nn.ModuleList(
            nn.Conv1d(i, features, stride + 2, stride, padding=1)
            for i, stride in zip(widths, side.strides, strict=True)
        )

    def forward(self, log_mel: Tensor, lengths: Tensor) -> Tensor:
        """Log-mel frames (B, N·stride, F), of which lengths (B,) steps count -> features (B, N, D)."""
        frames = lengths * self.side.stride
        x = inside(log_mel.transpose(1, 2), frames)  # (B, F, N·stride)
        for i, (conv, stride) in enumerate(zip(self.convs, self.side.strides, strict=True)):
            frames = frames // stride
            x = conv(F.relu(x) if i and self.activation == "relu" else x)
            x = inside(F.gelu(x) if self.activation == "gelu" else x, frames)  # (B, D, N·strides to come)
        return x.transpose(1, 2)


class SpectrogramChange(nn.Module):
    """Aligned: features (B, N, D) -> log-mel (B, N·stride, F); a source that is altered is added."""

    def __init__(self, side: SpectrogramSide, features: int):
        super().__init__()
        self.side = side
        self.frames = nn.Linear(features, side.stride * side.bins)

    def forward(self, x: Tensor, lengths: Tensor, altered: Tensor | None = None) -> Tensor:
        """Features (B, N, D) -> levels (B, N·stride, F), added to those of the source if these are given."""
        log_mel: Tensor = self.frames(x).reshape(len(x), -1, self.side.bins)
        return log_mel if altered is None else altered + log_mel


class SpectrogramBack(nn.Module):
    """Autoregressive: frames so far (B, M, r·F) -> features (B, M, D), and features -> the next frames."""

    def __init__(self, side: SpectrogramSide, features: int):
        super().__init__()
        self.side = side
        width = side.stride * side.bins
        self.prenet = nn.ModuleList((nn.Linear(width, features), nn.Linear(features, features)))
        self.frames = nn.Linear(features, width)
        self.stop = nn.Linear(features, 1)
        channels = (side.bins, *(features for _ in range(POST_LAYERS - 1)), side.bins)
        self.post = nn.ModuleList(
            nn.Conv1d(i, o, POST_KERNEL, padding=POST_KERNEL // 2) for i, o in itertools.pairwise(channels)
        )

    def embed(self, frames: Tensor) -> Tensor:
        """Features (B, M, D) of the frames (B, M, r·F) that the decoder has written, r at a step."""
        for layer in self.prenet:
            frames = F.dropout(F.relu(layer(frames)), PRENET_DROPOUT, self.training)
        return frames

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The next frames (B, M, r·F), and logits (B, M) that they are the last, from features (B, M, D)."""
        return self.frames(x), self.stop(x)[..., 0]

    def refine(self, log_mel: Tensor) -> Tensor:
        """Frames (B, N, F) plus the output of the post-net."""
        x = log_mel.transpose(1, 2)  # (B, F, N)
        for i, conv in enumerate(self.post):
            x = conv(torch.tanh(x) if i else x)
        return log_mel + x.transpose(1, 2)
