"""The graph of Wav2Vec2 and HuBERT is the torch module, in float32 and with float16 weights, and uses every weight."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from engine_fakes import weights
from unbraid.errors import SpecError
from unbraid.hub.folder import open_model_folder, write_model_folder
from unbraid.hub.spec import ModelSpec, Vocabularies, Windows, parse_spec
from unbraid.models.family import tensor_shapes
from unbraid.models.wav2vec2.config import Wav2Vec2Config
from unbraid.runtime import Engine, open_executor

pytest.importorskip("torch")
pytest.importorskip("onnx")

from graph_files import unused
from unbraid.models.onnx.build import build_graph

SYMBOLS = ("<padding>", "<begin>", "<end>", "<unknown>", " ", "a", "b")
SMALL = Wav2Vec2Config(
    symbols=7,
    features=12,
    heads=3,
    hidden=20,
    layers=2,
    filters=(4, 6, 8),
    kernels=(10, 3, 2),
    strides=(5, 2, 2),
    position_kernel=6,
    position_groups=2,
)
LARGE = dataclasses.replace(SMALL, filter_norm="layer", filter_bias=True, pre_norm=True)
GEOMETRIES = {
    "base": SMALL,
    "large": LARGE,
    "odd kernel of positions": dataclasses.replace(SMALL, position_kernel=5, position_groups=12),
    "no norm of the projection": dataclasses.replace(LARGE, project_norm=False),
    "level kept": dataclasses.replace(SMALL, normalized=False),
    "one convolution": dataclasses.replace(SMALL, filters=(5,), kernels=(9,), strides=(4,), pre_norm=True),
}


def a_spec(geometry: Wav2Vec2Config) -> ModelSpec:
    vocabularies = Vocabularies((), SYMBOLS)
    return ModelSpec(
        "tiny", "wav2vec2", 16000, 1, (), geometry, "none", "here", windows=Windows(), vocabularies=vocabularies
    )


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("kind", GEOMETRIES)
def test_both_engines_give_the_same(tmp_path: Path, kind: str, dtype: str) -> None:
    geometry = GEOMETRIES[kind]
    spec = write_model_folder(tmp_path / "m", a_spec(geometry), weights(geometry), dtype)
    assert open_model_folder(tmp_path / "m") == spec
    ours, theirs = (
        open_executor(spec, tmp_path / "m", engine=Engine(device, threads=1)) for device in ("cpu", "torch")
    )
    for samples in (
        geometry.receptive_field + 7 * geometry.stride,
        397,
        2003,
    ):  # a norm over a single step would be of nothing
        waveform = 0.1 + np.random.default_rng(samples).standard_normal((2, samples)).astype(np.float32)
        found, wanted = (engine.run({"waveform": waveform})["logits"] for engine in (ours, theirs))
        assert found.shape == wanted.shape == (2, 1 + (samples - geometry.receptive_field) // geometry.stride, 7)
        assert np.abs(found - wanted).max() < 3e-5 * max(np.abs(wanted).max(), 1)


@pytest.mark.parametrize("kind", GEOMETRIES)
def test_every_weight_is_used_and_none_is_inside(kind: str) -> None:
    tensors = {name: ("float32", shape) for name, shape in tensor_shapes(GEOMETRIES[kind]).items()}
    graph = build_graph(GEOMETRIES[kind], "float32")
    assert unused(graph, tensors) == []
    assert len(graph) < 60_000


def test_a_spec_comes_back_from_json() -> None:
    spec = a_spec(LARGE)
    assert parse_spec(json.loads(spec.to_json()), "here") == spec


WRONG = [
    (
        {"stems": ("speech",)},
        "its network takes a sample rate above 0 Hz, 1 channel and 0 stems, not 16000 Hz, 1 and 1.",
    ),
    ({"sample_rate": 0}, "its network takes a sample rate above 0 Hz, 1 channel and 0 stems, not 0 Hz, 1 and 0."),
    ({"channels": 2}, "its network takes a sample rate above 0 Hz, 1 channel and 0 stems, not 16000 Hz, 2 and 0."),
    (
        {"vocabularies": Vocabularies((), SYMBOLS[:-1])},
        "the network's target has 7 symbols, its vocabulary 6.",
    ),
    (
        {"vocabularies": Vocabularies(SYMBOLS, SYMBOLS)},
        "its network reads audio, so its source has no vocabulary; write [].",
    ),
]


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_a_spec_that_does_not_fit_the_network_is_refused(changes: dict, message: str) -> None:
    with pytest.raises(SpecError) as error:
        dataclasses.replace(a_spec(SMALL), **changes)
    assert str(error.value) == f"tiny: {message}"


@pytest.mark.parametrize("part", ["windows", "vocabularies"])
def test_a_spec_needs_windows_and_vocabularies(part: str) -> None:
    with pytest.raises(SpecError, match=r"its network needs windows, vocabularies and no other"):
        dataclasses.replace(a_spec(SMALL), **{part: None})
