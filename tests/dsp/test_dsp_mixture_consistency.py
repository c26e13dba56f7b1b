"""What stems leave over goes back to them: the sum is the mixture, and a silent stem stays silent."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_fakes import noise
from unbraid.dsp.mixture_consistency import share, shared


def scene(stems: int, channels: int, samples: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    loudness = random.gamma(0.3, size=(stems, channels, 1)) * 0.2
    parts = (random.normal(size=(stems, channels, samples)) * loudness).astype(np.float32)
    return (parts.sum(0) + 0.1 * random.normal(size=(channels, samples))).astype(np.float32), parts


@given(stems=st.integers(1, 5), channels=st.integers(1, 3), samples=st.integers(1, 500), cell=st.integers(1, 40))
@settings(max_examples=100, deadline=None)
def test_stems_add_up_to_the_mixture(stems: int, channels: int, samples: int, cell: int) -> None:
    mixture, parts = scene(stems, channels, samples)
    found = share(mixture, parts, cell)
    assert found.shape == parts.shape
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(0), mixture, atol=3e-7 * max(1, np.abs(parts).max() * 10))


@given(
    samples=st.integers(1, 600), cell=st.integers(1, 30), cuts=st.lists(st.integers(1, 120), min_size=1, max_size=12)
)
@settings(max_examples=150, deadline=None)
def test_a_stream_is_shared_as_the_whole_is(samples: int, cell: int, cuts: list[int]) -> None:
    mixture, parts = scene(3, 2, samples)
    edges = np.unique(np.clip(np.cumsum([0, *cuts, samples]), 0, samples))
    pairs = [(mixture[:, a:b], parts[..., a:b]) for a, b in pairwise(edges)]
    found = np.concatenate(list(shared(iter(pairs), cell)), axis=-1)
    np.testing.assert_array_equal(found, share(mixture, parts, cell))


def test_stems_that_add_up_are_left_alone() -> None:
    _, parts = scene(3, 2, 300)
    np.testing.assert_allclose(share(parts.sum(0), parts, 10), parts, atol=1e-7)


def test_a_silent_stem_stays_silent_even_for_a_while() -> None:
    mixture, parts = scene(3, 2, 1000)
    parts[1] = 0
    parts[2, :, 400:600] = 0
    found = share(mixture, parts, 10)
    assert not found[1].any()
    assert not found[2, :, 420:580].any()  # a cell and a half from where it speaks
    np.testing.assert_allclose(found.sum(0), mixture, atol=1e-6)


def test_the_louder_stem_gets_more_channel_by_channel() -> None:
    parts = np.ones((2, 2, 200), np.float32) * np.array([[[1.0], [2.0]], [[3.0], [0.0]]], np.float32)
    leftover = np.full((2, 200), 0.5, np.float32)
    given_back = share(parts.sum(0) + leftover, parts, 10) - parts
    np.testing.assert_allclose(given_back[:, 0], [[0.05] * 200, [0.45] * 200], rtol=1e-5)  # power 1 : 9
    np.testing.assert_allclose(given_back[:, 1], [[0.5] * 200, [0.0] * 200], rtol=1e-5)


def test_where_all_are_silent_all_get_the_same() -> None:
    mixture = noise(2, 100)
    found = share(mixture, np.zeros((4, 2, 100), np.float32), 10)
    np.testing.assert_allclose(found, np.broadcast_to(mixture / 4, (4, 2, 100)), rtol=1e-6)


def test_shares_change_without_steps() -> None:
    """A stem that stops: its share fades over cells, and never jumps from one sample to the next."""
    parts = np.ones((2, 1, 400), np.float32)
    parts[1, :, 200:] = 0
    weights = share(parts.sum(0) + 1, parts, 20) - parts
    assert np.abs(np.diff(weights[:, 0])).max() < 1 / 20


@pytest.mark.parametrize("level", [1e-30, 1e-18, 1e12])
def test_any_level_is_finite(level: float) -> None:
    mixture, parts = scene(2, 1, 100)
    found = share((mixture * level).astype(np.float32), (parts * level).astype(np.float32), 10)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(0) / level, mixture, atol=1e-5)
