"""The sizes of a Hybrid Transformer Demucs, and what the network does with level and time."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from engine_fakes import HTDEMUCS, weights
from unbraid.hub.importers.htdemucs_names import published_shapes
from unbraid.models.family import tensor_shapes
from unbraid.models.htdemucs.config import HtdemucsConfig
from unbraid.models.htdemucs.layout import BRANCHES
from unbraid.models.htdemucs.published import PUBLISHED


def test_the_published_networks_have_their_published_sizes() -> None:
    """The numbers in the published files, 84 and 55 MB in float16."""
    assert sum(map(math.prod, published_shapes(PUBLISHED["4 stems"]).values())) == 41_984_456
    assert sum(map(math.prod, published_shapes(PUBLISHED["6 stems"]).values())) == 27_414_996


def test_a_network_of_one_stem_has_the_outputs_of_one() -> None:
    whole, bag = (tensor_shapes(PUBLISHED[kind]) for kind in ("4 stems", "4 stems, a network for each"))
    assert len(bag) == 4 * len(whole)
    for part in range(4):
        changed = {name: shape for name, shape in whole.items() if bag[f"networks.{part}.{name}"] != shape}
        assert set(changed) == {f"{branch}.decoder.3.conv.{of}" for branch in BRANCHES for of in ("weight", "bias")}
        for name, shape in changed.items():
            axis = 1 if name.endswith("weight") else 0
            assert bag[f"networks.{part}.{name}"][axis] * 4 == shape[axis]


def test_a_segment_is_the_published_one() -> None:
    g = HtdemucsConfig()
    assert g.segment_samples == 39 * 44_100 // 5
    assert (g.frames, g.lengths) == (336, (343_980, 85_995, 21_499, 5375, 1344))


CHANGES = [
    ({"networks": 3, "stems": 4}, "networks must be 1, or one for each of the 4 stems, got 3."),
    ({"frame_samples": 260}, "frame_samples must be a multiple of 8, got 260."),
    ({"frame_samples": 72}, "half of frame_samples must be a multiple of 4^levels, and more than it, got 36 bins for"),
    ({"levels": 4}, "half of frame_samples must be a multiple of 4^levels, and more than it, got 128 bins for 4"),
    ({"segment_samples": 160}, "segment_samples must be above 160, a frame mirrored at both ends, got 160."),
    ({"squeeze": 5}, "squeeze must be at most features, got 5."),
    ({"bottom": 14}, "the features of the Transformer must be a multiple of 4 and of heads, got 14 and 3."),
    ({"bottom": 0}, "the features of the Transformer must be a multiple of 4 and of heads, got 8 and 3."),
    ({"features": 65_536}, "the deepest level must have at most 65536 features, got 131072."),
    ({"channels": 3}, "channels must be at most 2, got 3."),
    ({"stems": 9}, "stems must be at most 8, got 9."),
]


@pytest.mark.parametrize(("changes", "told"), CHANGES)
def test_sizes_that_make_no_network(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError) as caught:
        dataclasses.replace(HTDEMUCS, **changes)
    assert told in str(caught.value)


@pytest.mark.parametrize("config", [HTDEMUCS, dataclasses.replace(HTDEMUCS, networks=2, bottom=0, heads=2, layers=2)])
def test_the_module_has_the_tensors_of_the_layout(config: HtdemucsConfig) -> None:
    pytest.importorskip("torch")
    from unbraid.models.htdemucs.network import build

    assert {name: tuple(value.shape) for name, value in build(config).state_dict().items()} == tensor_shapes(config)


def test_outputs_follow_the_level_and_the_offset_of_the_input() -> None:
    torch = pytest.importorskip("torch")
    from unbraid.runtime.eager import load_module

    g = HTDEMUCS
    module, seed = load_module(g, weights(g)), torch.Generator().manual_seed(0)
    mixture = torch.randn(1, g.channels, g.segment_samples, generator=seed)
    spectrum = torch.randn(1, 2 * g.channels, g.bins, g.frames, generator=seed)
    with torch.no_grad():
        waves, spectra = module(mixture, spectrum)
        louder, higher = module(100 * mixture + 7, 100 * spectrum)
    torch.testing.assert_close(louder, 100 * waves + 7, rtol=0, atol=0.1 * float(waves.std()))
    torch.testing.assert_close(higher, 100 * spectra, rtol=0, atol=0.1 * float(spectra.std()))


def test_positions_tell_the_frame_in_one_half_and_the_bin_in_the_other() -> None:
    torch = pytest.importorskip("torch")
    from unbraid.models.htdemucs.network import positions_1d, positions_2d

    like = torch.zeros(1, 8)
    table = positions_2d(5, 3, like).view(5, 3, 8).numpy()
    assert np.ptp(table[..., :4], axis=1).max() == 0
    assert np.ptp(table[..., 4:], axis=0).max() == 0
    np.testing.assert_allclose(table[2, 1, :2], [math.sin(2), math.cos(2)], rtol=1e-6)
    line = positions_1d(4, like).numpy()
    np.testing.assert_allclose(line[3, 3], math.cos(3 / 10_000), rtol=1e-6)  # the longest period is just 10 000
    np.testing.assert_allclose(line[3, 4], math.sin(3), rtol=1e-6)
