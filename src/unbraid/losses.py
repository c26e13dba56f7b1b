"""Training losses as pure functions on torch tensors."""

import itertools

import torch
from torch import Tensor


def si_sdr(estimate: Tensor, target: Tensor, eps: float = 1e-8) -> Tensor:
    """Scale-invariant SDR in dB over the last axis (Le Roux et al., arXiv 1811.02508), means removed: (…, T) -> (…)."""
    estimate = estimate - estimate.mean(-1, keepdim=True)
    target = target - target.mean(-1, keepdim=True)
    scale = (estimate * target).sum(-1, keepdim=True) / (target.square().sum(-1, keepdim=True) + eps)
    projection = scale * target
    noise = estimate - projection
    return 10 * torch.log10((projection.square().sum(-1) + eps) / (noise.square().sum(-1) + eps))


def pit(pairwise: Tensor) -> Tensor:
    """Best mean score over permutations: pairwise (B, estimates, targets) -> (B,) (Kolbæk et al., arXiv 1703.06284)."""
    sources = pairwise.shape[-1]
    scores = [
        torch.stack([pairwise[:, i, j] for i, j in enumerate(order)]).mean(0)
        for order in itertools.permutations(range(sources))
    ]
    return torch.stack(scores).amax(0)


def pit_si_sdr(estimates: Tensor, targets: Tensor) -> Tensor:
    """Negative SI-SDR under the best permutation: (B, S, T) twice -> (B,)."""
    pairwise = si_sdr(estimates[:, :, None], targets[:, None, :])  # (B, estimates, targets)
    return -pit(pairwise)
