"""The bands and sizes of TIGERs, and what the network does with silence, level and length."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine_fakes import FILMS, TIGER, tiger_spec, weights, write_model
from unbraid.hub.graph_check import check_graph
from unbraid.hub.importers.tiger_names import published_shapes
from unbraid.models.family import signature, tensor_shapes
from unbraid.models.tiger.config import TigerConfig
from unbraid.models.tiger.layout import spans
from unbraid.models.tiger.published import FILMS as FILM_BANDS
from unbraid.models.tiger.published import PUBLISHED, VOICES, widths_of


def test_the_published_bands() -> None:
    """25 Hz are one bin of 640 samples at 16 kHz; above 8 kHz nothing is left but the last bin."""
    assert widths_of(VOICES, 640, 16_000) == (*[1] * 40, *[4] * 10, *[10] * 8, *[20] * 8, 1)
    widths = widths_of(FILM_BANDS, 2048, 44_100)
    assert widths == (*[2] * 20, *[4] * 10, *[11] * 8, *[23] * 8, *[46] * 8, 92, 92, 121)
    assert spans(PUBLISHED["films"])[-1] == (904, 1025)


def test_the_published_networks_have_their_published_sizes() -> None:
    """Tensors and numbers in the published files: 838 tensors, and 3 times 768."""
    voices, films = (published_shapes(PUBLISHED[kind]) for kind in ("voices", "films"))
    assert (len(voices), sum(map(math.prod, voices.values()))) == (838, 821_932)
    assert (3 * len(films), 3 * sum(map(math.prod, films.values()))) == (2304, 4_221_846)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"hop_samples": 24}, "frame_samples must be even, and 2 to 64 times hop_samples, got 64 for 24."),
        ({"hop_samples": 0}, "hop_samples must be at least 1"),
        ({"widths": (16, 16)}, "widths must add up to 33 bins, got 32."),
        ({"widths": (33, 0)}, "widths must be at least 1, got 0."),
        ({"heads": 5}, "features (12) must be a multiple of heads (5)."),
        ({"sources": 5}, "features (12) must be a multiple of sources (5)."),
        ({"sources": 1}, "sources must be at least 2, got 1."),
        ({"chosen": (0,) * 9}, "chosen must have at most 8 entries, got 9."),
        ({"chosen": (0, 2)}, "chosen must be below the 2 sources, got 2."),
        ({"levels": 2}, "levels must be at least 3, got 2."),
        ({"iterations": 17}, "iterations must be at most 16, got 17."),
    ],
)
def test_sizes_that_do_not_fit_are_told(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError) as caught:
        dataclasses.replace(TIGER, **changes)
    assert told in str(caught.value)


def test_the_largest_graph_for_its_weights_can_be_opened(tmp_path: Path) -> None:
    """The limits of a graph follow from its weights; layers that run again add nodes and no weights."""
    g = dataclasses.replace(TIGER, widths=(33,), iterations=16, levels=8)
    write_model(tmp_path / "model", tiger_spec(g))
    check_graph(tmp_path / "model" / "model.onnx", "tiger", signature(g), "model.safetensors")


def test_a_network_for_each_stem_is_one_of_songs_and_can_be_fewer() -> None:
    assert (TIGER.separates_songs, FILMS.separates_songs, FILMS.graphs) == (False, True, ("model1", "model2", "model3"))
    music = FILMS.of_stems((1,))
    assert (music.chosen, music.outputs, music.graphs, music.task) == ((0,), 1, ("model1",), "separation")


@pytest.mark.parametrize("config", [TIGER, FILMS, dataclasses.replace(TIGER, levels=3, sources=3)])
def test_the_module_has_the_tensors_of_the_layout(config: TigerConfig) -> None:
    pytest.importorskip("torch")
    from unbraid.models.tiger.network import build

    found = {name: tuple(value.shape) for name, value in build(config).state_dict().items()}
    assert found == tensor_shapes(config)


def test_voices_add_up_and_silence_stays_silent() -> None:
    """Whatever the weights are, masks add up to one; and a mask of nothing is nothing."""
    torch = pytest.importorskip("torch")
    from unbraid.runtime.eager import load_module

    network = load_module(TIGER, weights(TIGER))
    mixture = torch.from_numpy(np.random.default_rng(0).normal(0, 0.1, (2, 1003)).astype(np.float32))
    with torch.inference_mode():
        sources, loud = network(mixture), network(16 * mixture)
        assert not network(torch.zeros(1, 500)).any()
    assert sources.shape == (2, 2, 1003)
    torch.testing.assert_close(sources.sum(1), mixture, atol=1e-5, rtol=0)
    torch.testing.assert_close(loud, 16 * sources, atol=1e-3, rtol=0)  # each band is normalised
    assert (sources[:, 0] - sources[:, 1]).std() > 0.02


def test_training_reaches_every_weight() -> None:
    torch = pytest.importorskip("torch")
    from unbraid.models.tiger.network import build

    network = build(TIGER)
    network(torch.randn(1, 700)).square().sum().backward()
    without = [name for name, value in network.named_parameters() if value.grad is None or not value.grad.any()]
    assert without == []
