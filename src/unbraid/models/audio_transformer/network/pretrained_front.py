"""A pretrained Wav2Vec2 or HuBERT, without its head, as the front end of an audio Transformer.

    features = W backbone(waveform)

The backbone (wav2vec2/network.py) is trained with the rest, or frozen: then it stays as published, without dropout and
gradients, and only the linear layer behind it is trained. A step is 20 ms in all published models, and N steps are
(N - 1)·stride + receptive field samples, as the convolutions do not pad.
"""

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn

from unbraid.models.audio_transformer.config import PretrainedSide
from unbraid.models.wav2vec2.network import Backbone


class PretrainedFront(nn.Module):
    """Waveform (B, T), of which lengths (B,) steps count -> features (B, N, D)."""

    def __init__(self, side: PretrainedSide, features: int, dropout: float = 0.0):
        super().__init__()
        self.side = side
        self.trunk = Backbone(side.encoder, dropout)
        self.project = nn.Linear(side.encoder.features, features)
        self.frozen = False

    def forward(self, waveform: Tensor, lengths: Tensor) -> Tensor:
        """Waveform (B, T), of which lengths (B,) steps count -> features (B, N, D)."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            h = self.trunk(waveform, lengths)
        return self.project(h)

    def take(self, tensors: Mapping[str, Tensor], frozen: bool) -> None:
        """Load pretrained weights, and freeze them or not."""
        self.trunk.load_state_dict(dict(tensors))
        self.frozen = frozen
        self.trunk.requires_grad_(not frozen)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Set training mode; a frozen encoder stays in evaluation mode, without dropout."""
        super().train(mode)
        self.trunk.train(mode and not self.frozen)
        return self
