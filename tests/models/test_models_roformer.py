"""The bands and sizes of RoFormers, and what the network does with silence, channels and time."""

import dataclasses
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from engine_fakes import MEL_ROFORMER, ROFORMER, weights
from unbraid.models.family import tensor_shapes
from unbraid.models.roformer.bands import mel_spans, plain_spans, sections
from unbraid.models.roformer.config import RoformerConfig
from unbraid.models.roformer.published import PUBLISHED


def test_the_published_mel_bands() -> None:
    """1979 bins in 60 bands: the sum of the widths in the published checkpoints (of 2 channels and 2 parts, 7916)."""
    spans = mel_spans(60, 2048, 44_100)
    assert sum(end - first for first, end in spans) == 1979
    assert (spans[0][0], spans[-1][1]) == (0, 1025)
    assert all(low[0] < high[0] < low[1] < high[1] for low, high in pairwise(spans))  # each reaches into the next
    assert max(len(bands) for _, bands in sections(spans)) == 2


def test_sections_cut_the_bins_once_and_name_every_band() -> None:
    spans = mel_spans(7, 64, 8000)
    held = np.zeros((len(spans), 33), int)
    place = 0
    for (first, end), bands in sections(spans):
        assert first == place < end
        held[list(bands), first:end] += 1
        place = end
    assert place == 33
    for row, (first, end) in zip(held, spans, strict=True):
        assert row.sum() == row[first:end].sum() == end - first
    assert [bands for _, bands in sections(plain_spans((3, 1, 2)))] == [(0,), (1,), (2,)]


def test_the_published_networks_have_their_published_sizes() -> None:
    """The number of parameters in the published files, of 913, 639 and 699 MB."""
    numbers_of = {"mel, 1 stem": 228_202_852, "bs, 1 stem": 159_758_092, "bs, 6 stems": 174_656_564}
    for kind, numbers in numbers_of.items():
        config = PUBLISHED[kind]
        assert sum(map(math.prod, tensor_shapes(config).values())) == numbers


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"hop_samples": 40}, "frame_samples must be even, and 2 to 64 times hop_samples, got 64 for 40."),
        ({"hop_samples": 0}, "hop_samples must be at least 1"),
        ({"blocks": 200, "band_layers": 5}, "a network has at most 1000 layers, got 200 times 6."),
        ({"head_features": 5}, "head_features must be even, got 5."),
        ({"mel_bands": 7}, "bands are either mel_bands at a mel_rate or a list of widths; give one of them."),
        ({"widths": ()}, "bands are either mel_bands at a mel_rate or a list of widths; give one of them."),
        ({"widths": (16, 16)}, "widths must be above 0 and add up to 33 bins, got 32."),
        ({"widths": (33, 0)}, "widths must be above 0 and add up to 33 bins, got 33."),
        ({"stems": 9}, "stems must be at most 8, got 9."),
        ({"channels": 3}, "channels must be at most 2, got 3."),
        (
            {"mel_bands": 60, "mel_rate": 8000, "widths": ()},
            "60 mel bands do not cover the bins of frames of 64 samples at 8000 Hz.",
        ),
    ],
)
def test_sizes_that_make_no_network(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError) as caught:
        dataclasses.replace(ROFORMER, **changes)
    assert told in str(caught.value)


@pytest.mark.parametrize("config", [ROFORMER, MEL_ROFORMER], ids=["plain", "mel"])
def test_the_module_has_the_tensors_of_the_layout(config: RoformerConfig) -> None:
    torch = pytest.importorskip("torch")
    from unbraid.models.roformer.network import build

    module = build(config)
    assert {name: tuple(value.shape) for name, value in module.state_dict().items()} == tensor_shapes(config)
    assert torch.equal(module.rotary.time, 10000 ** (-torch.arange(0, 4, 2) / 4))


@pytest.mark.parametrize("config", [ROFORMER, MEL_ROFORMER], ids=["plain", "mel"])
def test_masks_depend_on_no_level_and_on_the_order_of_frames(config: RoformerConfig) -> None:
    torch = pytest.importorskip("torch")
    from unbraid.runtime.eager import load_module

    module = load_module(config, weights(config))
    x = torch.randn(1, 9, config.spectrum_size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        masks = module(x)
        torch.testing.assert_close(module(1000 * x), masks, atol=1e-5, rtol=1e-4)
        assert not torch.allclose(module(x.flip(1)).flip(2), masks, atol=1e-3)


def test_where_bands_overlap_the_mean_of_their_masks_counts() -> None:
    """Masks of band k that are all k, whatever comes in."""
    torch = pytest.importorskip("torch")
    from unbraid.runtime.eager import load_module

    tensors = {name: np.zeros(shape, np.float32) for name, shape in tensor_shapes(MEL_ROFORMER).items()}
    for k, (first, end) in enumerate(MEL_ROFORMER.spans):
        tensors[f"masks.0.{k}.2.bias"][: (end - first) * 4] = 2 * k  # times a gate of one half
    with torch.no_grad():
        masks = load_module(MEL_ROFORMER, tensors)(torch.randn(1, 1, MEL_ROFORMER.spectrum_size))[0, 0, 0]
    numbers = masks.view(33, 4).numpy()
    for f, found in enumerate(numbers):
        bands = [k for k, (first, end) in enumerate(MEL_ROFORMER.spans) if first <= f < end]
        np.testing.assert_allclose(found, np.mean(bands), atol=1e-5)
