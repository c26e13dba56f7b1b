"""MossFormer2: its sizes, how far its frames see, and what every separator must do."""

import dataclasses
import math
from typing import Any

import pytest

from engine_fakes import MOSS, weights
from unbraid.models.family import tensor_shapes
from unbraid.models.mossformer2.config import MossFormer2Config

torch = pytest.importorskip("torch")

from unbraid.models.mossformer2.network import FrameNorm, MossFormer2, scaled  # noqa: E402
from unbraid.runtime.eager import load_module  # noqa: E402


def test_the_published_network_has_the_published_size() -> None:
    """55,735,666 numbers in the file, less a gain of each of three norms in 24 layers, which became part of others."""
    assert sum(map(math.prod, tensor_shapes(MossFormer2Config()).values())) == 55_735_666 - 3 * 24


@pytest.mark.parametrize("config", [MOSS, dataclasses.replace(MOSS, sources=3, key_features=64)])
def test_the_module_has_the_tensors_of_the_layout(config: MossFormer2Config) -> None:
    module = MossFormer2(config)
    assert {name: tuple(value.shape) for name, value in module.state_dict().items()} == tensor_shapes(config)
    assert len(module.masknet.rotary_rates) == min(32, config.key_features) // 2
    torch.testing.assert_close(module.masknet.position_rates, 10000 ** (-torch.arange(0, 12, 2) / 12))


@pytest.mark.parametrize("samples", [16, 100, 1001])
def test_every_length_comes_back_whole(samples: int) -> None:
    assert MossFormer2(MOSS)(torch.randn(2, samples)).shape == (2, 2, samples)


def test_masks_depend_on_no_level() -> None:
    module = load_module(MOSS, weights(MOSS))
    x = torch.randn(1, 2000, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(module(100 * x), 100 * module(x), rtol=1e-3, atol=1e-3)


def test_attention_of_near_frames_ends_at_their_group_and_that_of_far_ones_nowhere() -> None:
    """With the products of far frames off, a frame depends on its group alone, and the reach of the convolutions."""
    attention = load_module(MOSS, weights(MOSS)).masknet.layers[0].attention
    angle, frames, group = torch.zeros(100, 3), 100, MOSS.group_frames
    reach = 2 * (MOSS.kernel_frames // 2)  # in front of the attention and behind it

    def seen() -> tuple[int, int]:
        x = torch.randn(1, frames, MOSS.features, requires_grad=True, generator=torch.Generator().manual_seed(1))
        attention(x, angle)[0, 2 * group + group // 2].square().sum().backward()
        places = x.grad[0].abs().sum(1).nonzero()[:, 0]
        return int(places.min()), int(places.max())

    assert seen() == (0, frames - 1)
    with torch.no_grad():
        attention.head_scales[[1, 3]] = attention.head_offsets[[1, 3]] = 0
    first, last = seen()
    assert 2 * group - reach - 1 <= first <= 2 * group  # the token shift adds a frame
    assert 3 * group - 1 <= last < 3 * group + reach


def test_the_norms_of_frames_are_those_of_torch() -> None:
    x = torch.randn(2, 5, 40)
    torch.testing.assert_close(FrameNorm(5)(x), torch.nn.InstanceNorm1d(5)(x), atol=1e-5, rtol=1e-4)
    assert FrameNorm(5)(x[..., :1]).abs().max() == 0  # a single frame has no deviation
    torch.testing.assert_close(scaled(x).square().mean(-1), torch.ones(2, 5))
    assert scaled(torch.zeros(1, 2, 3)).abs().max() == 0


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"kernel_samples": 5}, "kernel_samples must be even, got 5."),
        ({"features": 7}, "features must be even, got 7."),
        ({"key_features": 3}, "key_features must be even, got 3."),
        ({"kernel_frames": 4}, "kernel_frames must be odd, got 4."),
        ({"memory_frames": 2}, "memory_frames must be odd, got 2."),
        ({"layers": 0}, "layers must be at least 1, got 0."),
        ({"sources": 65}, "sources must be at most 64, got 65."),
        ({"group_frames": 1 << 20}, "group_frames must be at most 65536, got 1048576."),
    ],
)
def test_sizes_that_make_no_network(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError) as caught:
        dataclasses.replace(MOSS, **changes)
    assert str(caught.value) == told
