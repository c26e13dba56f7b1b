"""Attention and positions are what the papers say; torch's own module and complex numbers are the reference."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from unbraid.models.layers.attention import MultiHeadAttention, causal_mask, padding_mask  # noqa: E402
from unbraid.models.layers.positions import angles, rotate, sinusoidal_positions  # noqa: E402


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)
    with torch.inference_mode():
        yield


def test_masks_say_which_keys_a_query_may_see() -> None:
    padding = padding_mask(torch.tensor([3, 1]), 3)
    assert padding.tolist() == [[[[True, True, True]]], [[[True, False, False]]]]
    assert causal_mask(3, 3, padding).tolist() == [[True, False, False], [True, True, False], [True, True, True]]
    assert causal_mask(2, 4, padding).tolist() == [[True, True, True, False], [True, True, True, True]]
    assert causal_mask(1, 4, padding).tolist() == [[True] * 4]


def test_attention_is_the_formula() -> None:
    """softmax(Q Kᵀ / √(D/H)) V, head by head, in float64."""
    attention = MultiHeadAttention(6, 2).double()
    x = torch.randn(2, 5, 6, dtype=torch.float64)
    q, k, v = attention.in_proj(x).split(6, dim=-1)
    heads = []
    for h in (slice(0, 3), slice(3, 6)):
        scores = q[..., h] @ k[..., h].mT / math.sqrt(3)  # (B, N, N)
        scores[:, ~causal_mask(5, 5, x)] = -torch.inf
        heads.append(scores.softmax(-1) @ v[..., h])
    expected = attention.out_proj(torch.cat(heads, dim=-1))
    torch.testing.assert_close(attention(x, causal_mask(5, 5, x)), expected, rtol=0, atol=1e-12)


def test_cross_attention_with_padding_is_torchs_own() -> None:
    ours, theirs = MultiHeadAttention(24, 4), torch.nn.MultiheadAttention(24, 4, batch_first=True)
    state = ours.state_dict()
    theirs.load_state_dict({name.replace("in_proj.", "in_proj_"): value for name, value in state.items()})
    x, memory, lengths = torch.randn(3, 7, 24), torch.randn(3, 5, 24), torch.tensor([5, 1, 3])
    mask = padding_mask(lengths, 5)
    found = ours.attend(ours.queries(x), ours.keys_values(memory), mask)
    expected, _ = theirs(x, memory, memory, key_padding_mask=~mask[:, 0, 0], need_weights=False)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_weights_are_those_that_mix_the_values() -> None:
    attention, x, lengths = MultiHeadAttention(24, 4), torch.randn(3, 7, 24), torch.tensor([7, 1, 3])
    q, k, v = attention.project(x)
    for mask in (None, padding_mask(lengths, 7), causal_mask(7, 7, x), causal_mask(7, 7, x) & padding_mask(lengths, 7)):
        weights = attention.weights(q, k, mask)  # (B, H, M, N)
        mixed = (weights @ v).transpose(1, 2).reshape(3, 7, 24)
        torch.testing.assert_close(attention.out_proj(mixed), attention.attend(q, (k, v), mask), rtol=0, atol=1e-6)
        torch.testing.assert_close(weights.sum(-1), torch.ones(3, 4, 7), rtol=0, atol=1e-6)
        if mask is not None:
            assert (weights[~mask.expand_as(weights)] == 0).all()


def test_one_projection_or_two_make_the_same_queries_keys_and_values() -> None:
    attention, x = MultiHeadAttention(12, 3), torch.randn(2, 5, 12)
    apart = (attention.queries(x), *attention.keys_values(x))
    torch.testing.assert_close(apart, attention.project(x), rtol=0, atol=1e-6)
    assert [part.shape for part in apart] == [(2, 3, 5, 4)] * 3


def test_rotation_is_a_product_of_complex_numbers() -> None:
    """RoFormer, equation 12: features 2i and 2i + 1 as one complex number, times exp(i n 10000^(-2i/D))."""
    x = np.random.default_rng(0).normal(size=(3, 9, 8))
    turn = np.exp(1j * np.arange(9)[:, None] * 10000 ** (-np.arange(0, 8, 2) / 8))  # (N, D/2)
    expected = ((x[..., 0::2] + 1j * x[..., 1::2]) * turn).view(float)
    found = rotate(torch.from_numpy(x), angles(0, 9, 8, torch.zeros(1)))
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-6)


def test_rotation_keeps_lengths_and_leaves_the_first_step_alone() -> None:
    x = torch.randn(2, 6, 10)
    turned = rotate(x, angles(0, 6, 10, x))
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))
    torch.testing.assert_close(turned[:, 0], x[:, 0], rtol=0, atol=0)


@settings(deadline=None, max_examples=25)
@given(first=st.integers(0, 3000), seed=st.integers(0, 99))
def test_rotary_scores_depend_on_distances_only(first: int, seed: int) -> None:
    q, k = torch.randn(2, 1, 16, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    angle = angles(first, 8, 16, q)
    scores = rotate(q.expand(8, 16), angle) @ rotate(k.expand(8, 16), angle).mT  # (M, N), the same q and k everywhere
    start = rotate(q.expand(8, 16), angles(0, 8, 16, q)) @ rotate(k.expand(8, 16), angles(0, 8, 16, q)).mT
    for distance in range(-7, 8):
        diagonal = scores.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), rtol=0, atol=5e-3)
    torch.testing.assert_close(scores, start, rtol=0, atol=5e-3)  # float32 angles: 3000 radians are known to 1e-4


def test_rotary_attention_does_not_know_where_a_sequence_starts() -> None:
    attention, x = MultiHeadAttention(12, 3), torch.randn(2, 9, 12)
    here, there = (attention(x, angle=angles(first, 9, 4, x)) for first in (0, 100))
    torch.testing.assert_close(here, there, rtol=0, atol=1e-5)
    assert (here - attention(x)).abs().max() > 1e-3  # but it knows the order


@pytest.mark.parametrize("first", [0, 1, 37])
def test_positions_go_on_where_they_were_left(first: int) -> None:
    x = torch.zeros(1)
    torch.testing.assert_close(angles(first, 5, 12, x), angles(0, first + 5, 12, x)[first:], rtol=0, atol=0)
    whole = sinusoidal_positions(first + 5, 12, x)
    torch.testing.assert_close(sinusoidal_positions(5, 12, x, first), whole[first:], rtol=0, atol=0)
