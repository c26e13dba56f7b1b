"""Masks add up to one, are the formula, and go on above the network's last bin as they are told."""

import numpy as np
import pytest

from unbraid.dsp.masks import extend, soft_masks

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("exponent", [1.0, 2.0, 3.5])
def test_masks_are_spleeters_ratios(exponent: float) -> None:
    magnitudes = RANDOM.random((4, 2, 5, 7)).astype(np.float32) * 1e-2
    found = soft_masks(magnitudes, exponent)
    power = magnitudes.astype(np.float64) ** exponent
    np.testing.assert_allclose(found, (power + 1e-10 / 4) / (power.sum(0) + 1e-10), rtol=2e-6)
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-6)


def test_masks_of_silence_share_alike() -> None:
    np.testing.assert_allclose(soft_masks(np.zeros((5, 3), np.float32), 2), 0.2, rtol=1e-6)


def test_magnitudes_are_left_as_they_are() -> None:
    magnitudes = RANDOM.random((2, 3)).astype(np.float32)
    kept = magnitudes.copy()
    soft_masks(magnitudes, 2)
    soft_masks(magnitudes, 1)
    np.testing.assert_array_equal(magnitudes, kept)


def test_above_the_last_bin() -> None:
    masks = soft_masks(RANDOM.random((3, 2, 5, 8)).astype(np.float32), 2)
    zeros, average = extend(masks, 13, "zeros"), extend(masks, 13, "average")
    for extended in (zeros, average):
        assert extended.shape == (3, 2, 5, 13)
        assert extended.dtype == np.float32
        np.testing.assert_array_equal(extended[..., :8], masks)
    assert not zeros[..., 8:].any()
    np.testing.assert_allclose(average[..., 8:], np.repeat(masks.mean(-1, keepdims=True), 5, -1), rtol=1e-6)
    np.testing.assert_allclose(average.sum(0), 1, atol=1e-6)
    np.testing.assert_array_equal(extend(masks, 8, "average"), masks)
