"""Training losses as pure functions on torch tensors: waveforms (B, S, T), in float32, regardless of autocast.

    loss = above_threshold(pit_si_sdr(estimates, targets))          # the SepFormer recipe
    loss = pit_active_snr(estimates, targets, mixture).mean()       # where some targets are silent

Values and gradients are finite for silent estimates or targets. Scores (`si_sdr`, `snr`) are in dB, higher is better;
of losses, lower is better.
"""

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

EPS = 1e-8
MOST_ENUMERATED = 3  # sources whose orders are all tried; beyond, the Hungarian method is the faster one
RESOLUTIONS = ((512, 240, 50), (1024, 600, 120), (2048, 1200, 240))  # FFT, window, hop in samples (Yamamoto et al.)


def si_sdr(estimate: Tensor, target: Tensor, eps: float = EPS) -> Tensor:
    """Scale-invariant SDR in dB over the last axis (Le Roux et al., arXiv 1811.02508), means removed: (…, T) -> (…)."""
    estimate, target = estimate.float(), target.float()
    estimate = estimate - estimate.mean(-1, keepdim=True)
    target = target - target.mean(-1, keepdim=True)
    scale = (estimate * target).sum(-1, keepdim=True) / (target.square().sum(-1, keepdim=True) + eps)
    projection = scale * target
    noise = estimate - projection
    return 10 * torch.log10((projection.square().sum(-1) + eps) / (noise.square().sum(-1) + eps))


def snr(estimate: Tensor, target: Tensor, eps: float = EPS) -> Tensor:
    """Plain SNR in dB, 10 log10(Σ s² / Σ (s − ŝ)²): the level counts. (…, T) twice -> (…)."""
    estimate, target = estimate.float(), target.float()
    return 10 * torch.log10((target.square().sum(-1) + eps) / ((target - estimate).square().sum(-1) + eps))


def pairwise(score: Callable[[Tensor, Tensor], Tensor], estimates: Tensor, targets: Tensor) -> Tensor:
    """A score of each estimate against each target: (B, S, T) twice -> (B, estimates, targets)."""
    return score(estimates[:, :, None], targets[:, None, :])


@torch.no_grad()
def best_order(scores: Tensor) -> Tensor:
    """Which target each estimate should get for the best mean: (B, estimates, targets) -> (B, estimates).

    All orders are tried for few sources; more of them go to the Hungarian method, as in fast_bss_eval.
    """
    sources = scores.shape[-1]
    if sources > MOST_ENUMERATED:
        from scipy.optimize import linear_sum_assignment

        matrices = torch.nan_to_num(scores).float().cpu()
        found = [linear_sum_assignment(matrix.numpy(), maximize=True)[1] for matrix in matrices]
        return torch.stack([torch.as_tensor(order) for order in found]).to(scores.device)
    orders = torch.tensor(list(itertools.permutations(range(sources))), device=scores.device)  # (orders, S)
    means = scores[:, torch.arange(sources, device=scores.device), orders].mean(-1)  # (B, orders)
    return orders[means.argmax(-1)]


def pit(scores: Tensor) -> Tensor:
    """Best mean score over permutations: (B, estimates, targets) -> (B,) (Kolbæk et al., arXiv 1703.06284)."""
    return scores.gather(-1, best_order(scores)[..., None])[..., 0].mean(-1)


def in_order_of(targets: Tensor, order: Tensor) -> Tensor:
    """Targets (B, S, T) put in the order of the estimates, as `best_order` gives it."""
    return targets.gather(1, order[..., None].expand_as(targets))


def pit_si_sdr(estimates: Tensor, targets: Tensor) -> Tensor:
    """Negative SI-SDR under the best permutation: (B, S, T) twice -> (B,)."""
    return -pit(pairwise(si_sdr, estimates, targets))


def pit_snr(estimates: Tensor, targets: Tensor) -> Tensor:
    """Negative SNR under the best permutation: (B, S, T) twice -> (B,)."""
    return -pit(pairwise(snr, estimates, targets))


def pit_active_snr(estimates: Tensor, targets: Tensor, mixture: Tensor, most_db: float = 30.0) -> Tensor:
    """Negative SNR in dB that knows silent targets: (B, S, T) twice and the mixture (B, T) -> (B,).

    After Wisdom et al., "What's all the FUSS about free universal sound separation data?" (arXiv 2011.00803), with
    their soft threshold τ = 10^(−most_db / 10), below which improving is worth less and less:

        active target     10 log10(‖s − ŝ‖² / ‖s‖² + τ)
        silent target     10 log10(‖ŝ‖² / ‖x‖² + τ)          what the estimate has of the mixture x

    The paper leaves the denominators out, which are constants to the optimiser; with them both are dB from the same
    zero. A target is silent when all its samples are 0.
    """
    estimates, targets, mixture = estimates.float(), targets.float(), mixture.float()
    power = targets.square().sum(-1)  # (B, S)
    reference = torch.where(power > 0, power, mixture.square().sum(-1, keepdim=True)) + EPS
    error = (estimates[:, :, None] - targets[:, None, :]).square().sum(-1)  # (B, estimates, targets)
    return -pit(-10 * torch.log10(error / reference[:, None] + 10 ** (-most_db / 10)))


def above_threshold(losses: Tensor, threshold_db: float = -30.0) -> Tensor:
    """Mean of the losses (B,) above the threshold, 0 if there is none: well-separated mixtures have no loss.

    The rule of SpeechBrain's SepFormer recipes (`threshold_byloss`). A NaN counts as above, so that it is seen.
    """
    kept = ~(losses <= threshold_db)
    return torch.where(kept, losses, 0.0).sum() / kept.sum().clamp(min=1)


def multi_resolution_stft(
    estimate: Tensor, target: Tensor, resolutions: tuple[tuple[int, int, int], ...] = RESOLUTIONS
) -> Tensor:
    """Spectral convergence + log-magnitude L1, mean over resolutions (Yamamoto et al., arXiv 1910.11480).

    (…, T) twice -> (…). Convergence is a share of the target, so that of a silent target, which has none, is left out.
    """
    sounds = target.detach().abs().amax(-1) > 0  # (…)
    losses = []
    for size, window, hop in resolutions:
        found, wanted = _magnitude(estimate, size, window, hop), _magnitude(target, size, window, hop)  # (…, F, N)
        distance = ((found - wanted).square().sum((-2, -1)) + EPS).sqrt()
        convergence = torch.where(sounds, distance / wanted.square().sum((-2, -1)).sqrt(), 0.0)
        losses.append(convergence + (found.log() - wanted.log()).abs().mean((-2, -1)))
    return torch.stack(losses).mean(0)


def _magnitude(audio: Tensor, size: int, window: int, hop: int) -> Tensor:
    """(…, T) -> (…, F, N), never below sqrt(EPS)."""
    flat = audio.float().reshape(-1, audio.shape[-1])
    taper = torch.hann_window(window, device=audio.device)
    spectrum = torch.stft(flat, size, hop, window, taper, pad_mode="constant", return_complex=True)
    power = spectrum.real.square() + spectrum.imag.square()
    return power.clamp(min=EPS).sqrt().reshape(*audio.shape[:-1], *power.shape[-2:])
