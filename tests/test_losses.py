"""Losses agree with the scores they stand for, and have gradients on silence."""

import numpy as np
import pytest

from engine_fakes import noise
from unbraid import metrics

torch = pytest.importorskip("torch")

from unbraid.losses import pit, pit_si_sdr, si_sdr  # noqa: E402


def test_si_sdr_is_the_score() -> None:
    s, e = noise(4, 500), noise(4, 500, seed=1)
    found = si_sdr(torch.from_numpy(s + 0.3 * e), torch.from_numpy(s))
    np.testing.assert_allclose(found, metrics.si_sdr(s + 0.3 * e, s), atol=1e-3)


def test_pit_takes_the_best_order_for_each_item() -> None:
    pairwise = torch.tensor([[[1.0, 9.0], [7.0, 2.0]], [[5.0, 1.0], [1.0, 4.0]]])
    torch.testing.assert_close(pit(pairwise), torch.tensor([8.0, 4.5]))


@pytest.mark.parametrize("sources", [1, 2, 3])
def test_pit_loss_knows_no_order(sources: int) -> None:
    torch.manual_seed(0)
    targets = torch.randn(2, sources, 300)
    estimates = targets + 0.1 * torch.randn(2, sources, 300)
    expected = -si_sdr(estimates, targets).mean(1)
    torch.testing.assert_close(pit_si_sdr(estimates.flip(1), targets), expected, atol=1e-4, rtol=0)


def test_gradients_are_finite_on_silence() -> None:
    for estimates, targets in (
        (torch.zeros(1, 2, 50), torch.randn(1, 2, 50)),
        (torch.randn(1, 2, 50), torch.zeros(1, 2, 50)),
    ):
        estimates.requires_grad_()
        loss = pit_si_sdr(estimates, targets).sum()
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(estimates.grad).all()
