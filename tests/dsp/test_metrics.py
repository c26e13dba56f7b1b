"""Scores against their formulas, and on silence."""

from itertools import permutations

import numpy as np
import pytest

from engine_fakes import noise
from reference_scores import sdr
from unbraid.dsp.metrics import as_many, best_permutation, si_sdr, si_sdr_improvement


def db(ratio: float) -> float:
    return 10 * np.log10(ratio)


def test_si_sdr_of_orthogonal_noise_is_the_ratio_of_powers() -> None:
    t = np.arange(1000)
    s, n = np.sin(2 * np.pi * 5 * t / 1000), np.cos(2 * np.pi * 5 * t / 1000)
    np.testing.assert_allclose(si_sdr(s + 0.1 * n, s), 20, atol=1e-9)


def test_si_sdr_is_its_formula() -> None:
    s, e = noise(2, 500).astype(np.float64) + 0.3
    e = s + 0.2 * e
    s0, e0 = s - s.mean(), e - e.mean()
    target = (s0 @ e0) / (s0 @ s0) * s0
    np.testing.assert_allclose(si_sdr(e, s), db((target @ target) / ((target - e0) @ (target - e0))))


def test_si_sdr_knows_no_scale_no_sign_and_no_offset() -> None:
    s, e = noise(2, 500)
    expected = si_sdr(s + 0.1 * e, s)
    for changed in (100 * (s + 0.1 * e), -(s + 0.1 * e), s + 0.1 * e + 0.7, 1e-12 * (s.astype(float) + 0.1 * e)):
        np.testing.assert_allclose(si_sdr(changed, s), expected, atol=1e-3)


def test_sdr_is_over_channels_and_samples_together() -> None:
    s, e = noise(2, 500), noise(2, 500, seed=1)
    np.testing.assert_allclose(sdr(s + e, s), db(np.sum(s**2.0) / np.sum(e**2.0)), atol=1e-4)
    np.testing.assert_allclose(sdr(np.stack((s + e, s)), np.stack((s, s)))[0], sdr(s + e, s))
    np.testing.assert_allclose(sdr(0.5 * s, s), db(4), atol=1e-6)  # the level counts


@pytest.mark.parametrize("score", [si_sdr, sdr])
def test_scores_are_finite_on_silence(score) -> None:
    s, silence = noise(2, 100), np.zeros((2, 100), np.float32)
    best, worst = (np.max(score(s, s)), np.min(score(s, silence)))
    np.testing.assert_allclose(best, 120, atol=0.1)
    np.testing.assert_allclose(worst, -120, atol=0.1)
    assert np.isfinite(score(silence, silence)).all()


def test_a_silent_estimate_is_no_good() -> None:
    s, silence = noise(2, 100), np.zeros((2, 100), np.float32)
    np.testing.assert_allclose(si_sdr(silence, s), -120, atol=0.1)
    np.testing.assert_allclose(sdr(silence, s), 0, atol=1e-6)  # all of the reference is missing


def test_improvement_takes_the_best_permutation() -> None:
    voices = noise(3, 2000)
    mixture = voices.sum(0)
    estimates = voices + 0.1 * noise(3, 2000, seed=1)
    expected = np.mean(si_sdr(estimates, voices)) - np.mean([si_sdr(mixture, voice) for voice in voices])
    for order in permutations(range(3)):
        np.testing.assert_allclose(si_sdr_improvement(estimates[list(order)], voices, mixture), expected)
    np.testing.assert_allclose(si_sdr_improvement(np.stack([mixture] * 3), voices, mixture), 0, atol=1e-9)


def test_surplus_estimates_count_for_nothing_and_missing_ones_as_silence() -> None:
    voices = noise(2, 2000)
    mixture, ghost = voices.sum(0), noise(1, 2000, seed=1)
    plain = si_sdr_improvement(voices, voices, mixture)
    assert si_sdr_improvement(np.concatenate((ghost, voices[::-1])), voices, mixture) == pytest.approx(plain)
    missing = si_sdr_improvement(voices[:1], voices, mixture)
    silent = si_sdr_improvement(np.stack((voices[0], 0 * voices[1])), voices, mixture)
    assert missing == pytest.approx(silent)
    assert missing < plain - 100
    assert as_many(voices, 2).shape == as_many(voices, 1).shape == voices.shape


def test_best_permutation_finds_every_order() -> None:
    voices = np.stack([noise(2, 300, seed) for seed in range(4)])  # (S, C, T)
    for order in permutations(range(4)):
        shuffled = voices[list(order)] + 0.05
        found = best_permutation(voices, shuffled)
        np.testing.assert_array_equal(shuffled[found], voices + 0.05)


def test_one_order_is_found_for_all_channels() -> None:
    """The loud channel knows, the silent one does not."""
    voices = np.stack((noise(2, 300, 0), noise(2, 300, 1)))
    voices[:, 1] *= 1e-3
    swapped = voices[::-1].copy()
    swapped[:, 1] = voices[:, 1]  # on its own, this channel would say: not swapped
    assert best_permutation(voices, swapped) == [1, 0]


def test_order_is_kept_where_nothing_speaks_for_another() -> None:
    silence = np.zeros((3, 2, 50), np.float32)
    assert best_permutation(silence, silence) == [0, 1, 2]
