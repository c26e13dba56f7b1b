"""The graph that shows who attends to whom: the torch module's weights, which sum to 1 and never look ahead."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from engine_fakes import write_model
from side_fakes import CONVERTERS, EVERY, SPEAKERS, WRITERS, items, side_spec
from unbraid.hub.graphs import find_graph
from unbraid.models.audio_transformer.config import AudioTransformerConfig, SpectrogramSide, TextSide
from unbraid.runtime import Engine, open_executor
from unbraid.tasks.decoding.state import as_item, batch

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

STEPS, WRITTEN = 13, 7
G2P = AudioTransformerConfig(TextSide(33), TextSide(43), 192, 4, 640, 3, 3)


def inputs(geometry: AudioTransformerConfig, steps: int = STEPS, written: int = WRITTEN) -> dict[str, np.ndarray]:
    """A random source, and a random target where there is a decoder."""
    random = np.random.default_rng(1)
    (item,) = items(geometry.source, [steps])
    given = batch([as_item(0, item, geometry.source)], geometry.source)
    if isinstance(geometry.target, TextSide):
        given["target"] = random.integers(1, geometry.target.symbols, (1, written))
    elif not geometry.is_aligned:
        assert isinstance(geometry.target, SpectrogramSide)
        width = geometry.target.stride * geometry.target.bins
        given["target"] = random.uniform(-1, 1, (1, written, width)).astype(np.float32)
    return given


def maps(folder: Path, geometry: AudioTransformerConfig, dtype: str = "float32") -> list[dict[str, np.ndarray]]:
    """What ONNX Runtime and torch find."""
    spec = write_model(folder, side_spec(geometry), dtype)
    engines = [
        open_executor(spec, folder, graph="attention", engine=Engine(device, threads=1)) for device in ("cpu", "torch")
    ]
    return [engine.run(inputs(geometry)) for engine in engines]


@pytest.mark.parametrize("name", EVERY)
def test_the_maps_are_torchs(tmp_path: Path, name: str) -> None:
    geometry = EVERY[name]
    ours, theirs = maps(tmp_path / "model", geometry)
    shapes = {"encoder_attention": (geometry.encoder_layers, geometry.heads, STEPS, STEPS)}
    if not geometry.is_aligned:
        above = (geometry.decoder_layers, geometry.heads, WRITTEN)
        shapes |= {"decoder_attention": (*above, WRITTEN), "cross_attention": (*above, STEPS)}
    assert {kind: found.shape for kind, found in ours.items()} == shapes
    for kind, found in ours.items():
        np.testing.assert_allclose(found, theirs[kind], rtol=0, atol=1e-5)
        np.testing.assert_allclose(found.sum(-1), 1, rtol=0, atol=1e-5)
        assert found.std() > 1e-3  # they tell one step from another
    if not geometry.is_aligned:
        assert (np.triu(ours["decoder_attention"], 1) == 0).all()
        assert (np.triu(theirs["decoder_attention"], 1) == 0).all()


def test_rotary_positions_and_half_weights(tmp_path: Path) -> None:
    geometry = dataclasses.replace(WRITERS["text to text"], positions="rotary")
    ours, theirs = maps(tmp_path / "model", geometry, "float16")
    for kind, found in ours.items():
        np.testing.assert_allclose(found, theirs[kind], rtol=0, atol=1e-5)


def test_one_step_attends_to_itself(tmp_path: Path) -> None:
    geometry = WRITERS["text to text"]
    spec = write_model(tmp_path / "model", side_spec(geometry))
    engine = open_executor(spec, tmp_path / "model", graph="attention", engine=Engine("cpu"))
    for found in engine.run(inputs(geometry, 1, 1)).values():
        np.testing.assert_allclose(found, 1, rtol=0, atol=1e-6)


def test_every_audio_transformer_has_the_graph_and_no_other_network_does() -> None:
    for geometry in (WRITERS["waveform to text"], SPEAKERS["text to spectrogram"], CONVERTERS["waveform to waveform"]):
        assert (*geometry.graphs, *geometry.optional_graphs) == (*geometry.graphs, "attention")
    assert "attention" not in WRITERS["waveform to text"].graphs  # folders run without it


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_it_is_small(dtype: str) -> None:
    assert len(find_graph(G2P, dtype, "attention")) < 60_000


@pytest.mark.parametrize("name", ["text to text", "waveform to text", "text to spectrogram", "waveform to waveform"])
def test_it_passes_the_checker(tmp_path: Path, name: str) -> None:
    write_model(tmp_path / "model", side_spec(EVERY[name]))
    onnx.checker.check_model(tmp_path / "model" / "attention.onnx")
