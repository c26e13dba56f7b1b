"""Losses agree with the scores they stand for and with other libraries, and have gradients on silence."""

import itertools
import math

import numpy as np
import pytest

from engine_fakes import noise
from unbraid.dsp import metrics

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402

from unbraid.training.losses import (  # noqa: E402
    above_threshold,
    best_order,
    in_order_of,
    multi_resolution_stft,
    pairwise,
    pit,
    pit_active_snr,
    pit_si_sdr,
    pit_snr,
    si_sdr,
    snr,
)


def pair(batch: int, sources: int, samples: int = 400, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Estimates that have something of every target, and the targets: (B, S, T) twice."""
    generator = torch.Generator().manual_seed(seed)
    targets = 0.1 * torch.randn(batch, sources, samples, generator=generator)
    blend = torch.rand(batch, sources, sources, generator=generator)
    return blend @ targets + 0.02 * torch.randn(batch, sources, samples, generator=generator), targets


def test_si_sdr_is_the_score() -> None:
    s, e = noise(4, 500), noise(4, 500, seed=1)
    found = si_sdr(torch.from_numpy(s + 0.3 * e), torch.from_numpy(s))
    np.testing.assert_allclose(found, metrics.si_sdr(s + 0.3 * e, s), atol=1e-3)


def test_si_sdr_is_fast_bss_evals() -> None:
    peer = pytest.importorskip("fast_bss_eval")
    estimates, targets = pair(4, 3)
    expected = peer.si_sdr_loss(estimates, targets, zero_mean=True)
    torch.testing.assert_close(-si_sdr(estimates, targets), expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("sources", [2, 3, 5, 8])
def test_pit_is_fast_bss_evals(sources: int) -> None:
    peer = pytest.importorskip("fast_bss_eval")
    estimates, targets = pair(4, sources)
    expected = peer.si_sdr_pit_loss(estimates, targets, zero_mean=True)  # (B, S)
    torch.testing.assert_close(pit_si_sdr(estimates, targets), expected.mean(-1), atol=1e-3, rtol=0)


def test_scores_are_those_of_torchmetrics() -> None:
    peer = pytest.importorskip("torchmetrics.functional.audio")
    estimates, targets = pair(4, 3)
    expected = peer.scale_invariant_signal_distortion_ratio(estimates, targets, zero_mean=True)
    torch.testing.assert_close(si_sdr(estimates, targets), expected, atol=1e-3, rtol=0)
    torch.testing.assert_close(snr(estimates, targets), peer.signal_noise_ratio(estimates, targets), atol=1e-3, rtol=0)
    best, order = peer.permutation_invariant_training(estimates, targets, peer.signal_noise_ratio)
    torch.testing.assert_close(-pit_snr(estimates, targets), best, atol=1e-3, rtol=0)
    found = best_order(pairwise(snr, estimates, targets))
    torch.testing.assert_close(found.argsort(-1), order)  # torchmetrics says which estimate each target gets


def test_pit_takes_the_best_order_for_each_item() -> None:
    scores = torch.tensor([[[1.0, 9.0], [7.0, 2.0]], [[5.0, 1.0], [1.0, 4.0]]])
    torch.testing.assert_close(pit(scores), torch.tensor([8.0, 4.5]))
    assert best_order(scores).tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("sources", [1, 2, 3, 4, 6])
def test_no_order_is_better(sources: int) -> None:
    """Whether all are tried or the Hungarian method is used."""
    scores = torch.randn(5, sources, sources, generator=torch.Generator().manual_seed(sources))
    means = [
        torch.stack([scores[:, i, j] for i, j in enumerate(order)]).mean(0)
        for order in itertools.permutations(range(sources))
    ]
    torch.testing.assert_close(pit(scores), torch.stack(means).amax(0))


@pytest.mark.parametrize("sources", [1, 2, 3, 5])
@pytest.mark.parametrize("loss", [pit_si_sdr, pit_snr])
def test_pit_losses_know_no_order(sources: int, loss) -> None:
    torch.manual_seed(0)
    targets = torch.randn(2, sources, 300)
    estimates = targets + 0.1 * torch.randn(2, sources, 300)
    score = si_sdr if loss is pit_si_sdr else snr
    expected = -score(estimates, targets).mean(1)
    torch.testing.assert_close(loss(estimates.flip(1), targets), expected, atol=1e-4, rtol=0)
    order = best_order(pairwise(score, estimates.flip(1), targets))
    torch.testing.assert_close(in_order_of(targets, order), targets.flip(1))


def test_scale_counts_in_snr_alone() -> None:
    estimates, targets = pair(3, 2, samples=8000)
    torch.testing.assert_close(pit_si_sdr(7 * estimates, targets), pit_si_sdr(estimates, targets), atol=1e-3, rtol=0)
    torch.testing.assert_close(snr(0.5 * targets, targets), torch.full((3, 2), 6.0206), atol=1e-3, rtol=0)


def test_gradients_go_to_the_chosen_order_alone() -> None:
    scores = torch.tensor([[[1.0, 9.0], [7.0, 2.0]]], requires_grad=True)
    pit(scores).sum().backward()
    assert scores.grad.tolist() == [[[0.0, 0.5], [0.5, 0.0]]]


def silent(loss, estimates: Tensor, targets: Tensor) -> None:
    """The loss and its gradient are finite."""
    estimates = estimates.clone().requires_grad_()
    value = loss(estimates, targets).sum()
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(estimates.grad).all()


def with_mixture(estimates: Tensor, targets: Tensor) -> Tensor:
    return pit_active_snr(estimates, targets, targets.sum(1))


@pytest.mark.parametrize("loss", [pit_si_sdr, pit_snr, with_mixture, multi_resolution_stft])
@pytest.mark.parametrize("sources", [2, 4])
def test_silence_has_finite_losses_and_gradients(loss, sources: int) -> None:
    zeros, some = torch.zeros(1, sources, 300), torch.randn(1, sources, 300)
    one = torch.cat((some[:, :1], zeros[:, 1:]), 1)
    for estimates in (zeros, some, one):
        for targets in (zeros, some, one):
            silent(loss, estimates, targets)


@pytest.mark.parametrize("loss", [pit_si_sdr, pit_snr, with_mixture, multi_resolution_stft])
def test_autocast_changes_nothing(loss) -> None:
    estimates, targets = pair(2, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss(estimates, targets)
        assert loss(estimates.bfloat16(), targets).dtype == torch.float32
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, loss(estimates, targets))


@pytest.mark.parametrize("sources", [2, 4])
def test_nan_stays_nan(sources: int) -> None:
    """So that a bad batch is seen, and not by an error from the Hungarian method."""
    estimates, targets = pair(2, sources)
    estimates[0, 0, 5] = math.nan
    found = pit_si_sdr(estimates, targets)
    assert found.isnan().tolist() == [True, False]
    assert above_threshold(found).isnan()


def test_what_is_separated_well_is_left_alone() -> None:
    losses = torch.tensor([-40.0, -30.0, -20.0, 5.0], requires_grad=True)
    loss = above_threshold(losses)
    loss.backward()
    assert loss.item() == -7.5
    assert losses.grad.tolist() == [0, 0, 0.5, 0.5]
    assert above_threshold(losses, -41.0).item() == -21.25


def test_where_all_is_separated_well_there_is_nothing_to_learn() -> None:
    losses = torch.tensor([-40.0, -31.0], requires_grad=True)
    loss = above_threshold(losses)
    loss.backward()
    assert loss.item() == 0
    assert losses.grad.tolist() == [0, 0]


def test_active_snr_is_snr_with_a_soft_floor() -> None:
    estimates, targets = pair(4, 2, samples=4000)
    found = pit_active_snr(estimates, targets, targets.sum(1))
    torch.testing.assert_close(found, pit_snr(estimates, targets), atol=0.1, rtol=0)  # τ is 30 dB below the target
    perfect = pit_active_snr(targets.flip(1), targets, targets.sum(1))
    torch.testing.assert_close(perfect, torch.full((4,), -30.0))
    looser = pit_active_snr(targets, targets, targets.sum(1), most_db=20.0)
    torch.testing.assert_close(looser, torch.full((4,), -20.0))


def test_a_ghost_costs_its_share_of_the_mixture() -> None:
    _, targets = pair(3, 2, samples=4000)
    targets[:, 1] = 0
    mixture = targets.sum(1)

    def loss(ghost_db: float) -> Tensor:
        ghost = mixture * 10 ** (ghost_db / 20)
        return 2 * pit_active_snr(torch.stack((ghost, mixture), 1), targets, mixture) + 30  # of the silent one alone

    torch.testing.assert_close(loss(0.0), torch.zeros(3), atol=0.01, rtol=0)
    torch.testing.assert_close(loss(-10.0), torch.full((3,), -10.0), atol=0.05, rtol=0)
    torch.testing.assert_close(loss(-90.0), torch.full((3,), -30.0), atol=0.01, rtol=0)


def test_a_silent_output_goes_to_the_silent_target() -> None:
    _, targets = pair(1, 3)
    targets[:, 1] = 0
    order = (2, 0, 1)
    found = pit_active_snr(targets[:, order], targets, targets.sum(1))
    torch.testing.assert_close(found, torch.full((1,), -30.0), atol=1e-2, rtol=0)


def test_a_network_learns_to_be_silent() -> None:
    """Gradient descent on the outputs themselves takes a ghost away, where SI-SDR has nothing to say."""
    _, targets = pair(1, 2)
    targets[:, 1] = 0
    mixture = targets.sum(1)
    outputs = torch.stack((0.6 * mixture, 0.4 * mixture), 1).requires_grad_()
    optimizer = torch.optim.Adam([outputs], 1e-3)
    for _ in range(300):
        optimizer.zero_grad()
        pit_active_snr(outputs, targets, mixture).sum().backward()
        optimizer.step()
    assert (outputs[:, 1].square().sum() / mixture.square().sum()).item() < 1e-3
    assert snr(outputs[:, 0], targets[:, 0]).item() > 25


def spectral(estimate: np.ndarray, target: np.ndarray, size: int, window: int, hop: int) -> float:
    """One resolution in NumPy, frame by frame."""
    taper = np.zeros(size)
    left = (size - window) // 2
    taper[left : left + window] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    magnitudes = []
    for audio in (estimate, target):
        padded = np.pad(audio.astype(np.float64), size // 2)
        frames = [padded[at : at + size] * taper for at in range(0, len(padded) - size + 1, hop)]
        magnitudes.append(np.sqrt(np.maximum(np.abs(np.fft.rfft(frames)) ** 2, 1e-8)))
    found, wanted = magnitudes
    return np.linalg.norm(found - wanted) / np.linalg.norm(wanted) + np.abs(np.log(found / wanted)).mean()


def test_multi_resolution_stft_is_what_the_paper_says() -> None:
    estimates, targets = pair(2, 2, samples=3000)
    resolutions = ((128, 100, 30), (256, 240, 60))
    found = multi_resolution_stft(estimates, targets, resolutions)
    for b, s in itertools.product(range(2), range(2)):
        terms = [spectral(estimates[b, s].numpy(), targets[b, s].numpy(), *each) for each in resolutions]
        assert found[b, s].item() == pytest.approx(np.mean(terms), rel=1e-4)


def test_multi_resolution_stft_of_the_same_is_nothing() -> None:
    _, targets = pair(1, 2)
    assert multi_resolution_stft(targets, targets).abs().max() < 1e-4
    assert multi_resolution_stft(0 * targets, targets).min() > 1
    assert multi_resolution_stft(targets, 0 * targets).min() > 1
