"""The graph that is written node by node and the torch module are one network: same weights in, same numbers out."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from engine_fakes import (
    BANDS,
    FILMS,
    HTDEMUCS,
    LIVE,
    MEL_ROFORMER,
    MOSS,
    MUSIC,
    ROFORMER,
    SPEECH,
    TASNET,
    TEXT,
    TIGER,
    bands_spec,
    htdemucs_spec,
    live_spec,
    moss_spec,
    music_spec,
    peak_error,
    roformer_spec,
    snr,
    speech_spec,
    tasnet_spec,
    text_spec,
    tiger_spec,
    weights,
    write_model,
)
from unbraid.hub.folder import write_model_folder
from unbraid.hub.spec import ModelSpec
from unbraid.models.audio_transformer.config import AudioTransformerConfig, TextSide
from unbraid.models.conv_tasnet.config import ConvTasNetConfig
from unbraid.models.mossformer2.config import MossFormer2Config
from unbraid.models.sepformer.config import SepFormerConfig
from unbraid.models.unet.config import UNetConfig
from unbraid.runtime import Engine, Executor, open_executor
from unbraid.tasks.decoding.state import DecoderState

pytest.importorskip("torch")
pytest.importorskip("onnx")

TOLERANCE = 3e-5  # of the output's peak; the contract is 1e-4
TWO_FRAMES = 1e-4  # normalised over them and six features, either engine may be 5e-5 from the exact result

SPEECHES = {
    "one source": dataclasses.replace(SPEECH, sources=1),
    "two sources": SPEECH,
    "three sources": dataclasses.replace(SPEECH, sources=3),
    "odd widths": SepFormerConfig(2, features=6, chunk_frames=6, blocks=1, layers=1, heads=3, hidden=7),
    "one head": SepFormerConfig(2, features=10, chunk_frames=2, blocks=3, layers=1, heads=1, hidden=11),
    "other kernel": SepFormerConfig(
        2, features=8, kernel_samples=10, stride_samples=5, chunk_frames=8, blocks=1, layers=2, heads=2, hidden=8
    ),
}
BANDED = {
    "three sources": BANDS,
    "one source, one tap": dataclasses.replace(BANDS, sources=1, taps=1),
    "five taps, wide kernels": dataclasses.replace(BANDS, taps=5, kernel_frames=7, kernel_bands=1),
    "one band, one head": dataclasses.replace(BANDS, bands=1, heads=1, kernel_bands=3),
    "one bin a band": dataclasses.replace(BANDS, frame_samples=8, bands=4, blocks=1),
}
CAUSAL = {
    "two sources": LIVE,
    "one source, nothing before": dataclasses.replace(LIVE, sources=1, taps=1, kernel_frames=1),
    "more of everything": dataclasses.replace(LIVE, sources=3, blocks=3, taps=5, kernel_frames=3, level_frames=21),
}
MOSSES = {
    "two voices": MOSS,
    "one voice": dataclasses.replace(MOSS, sources=1, layers=1),
    "three voices, odd widths": MossFormer2Config(3, 6, 10, 2, 7, 40, 3, 5, 9),
    "a frame in a group": dataclasses.replace(MOSS, group_frames=1, kernel_frames=1, memory_frames=1),
    "a group longer than all": dataclasses.replace(MOSS, group_frames=1200),
}
TASNETS = {
    "two voices": TASNET,
    "one voice": dataclasses.replace(TASNET, sources=1),
    "three voices, odd widths": ConvTasNetConfig(3, 7, 10, 5, 3, 9, kernel_frames=5, blocks=2, repeats=1),
    "a single block": ConvTasNetConfig(2, 4, 2, 3, 3, 5, kernel_frames=1, blocks=1, repeats=1),
}
MUSICS = {
    "two stems": MUSIC,
    "one stem": dataclasses.replace(MUSIC, stems=1),
    "elu": UNetConfig(4, 2, (3, 2, 5), "elu", "elu"),
    "softmax": UNetConfig(5, 2, (2, 3), "elu", "elu", "softmax"),
    "one trunk": UNetConfig(3, 2, (2, 3, 4), "elu", "elu", "softmax", "shared"),
    "mixed activations": UNetConfig(2, 1, (2, 3, 4), "relu", "leaky_relu"),
    "across all bins": UNetConfig(2, 2, (2, 3, 4), "leaky_relu", "elu", "softmax", "shared", bins=64),
    "a side": UNetConfig(2, 2, (2, 3), "elu", "elu", side=True),
    "a side, one trunk": UNetConfig(3, 2, (2, 3), "elu", "relu", "softmax", "shared", side=True),
}
ROFORMERS = {
    "bands side by side": ROFORMER,
    "mel bands": MEL_ROFORMER,
    "three stems, mono": dataclasses.replace(MEL_ROFORMER, stems=3, channels=1),
    "more layers, skips, both norms": dataclasses.replace(
        ROFORMER, blocks=3, time_layers=2, band_layers=3, skips=True, block_norm=True
    ),
    "no norms behind, no hidden layer": dataclasses.replace(MEL_ROFORMER, block_norm=False, mask_layers=0),
    "one head, one band": dataclasses.replace(ROFORMER, heads=1, widths=(33,)),
}
HYBRIDS = {
    "two stems": HTDEMUCS,
    "a network for each stem": dataclasses.replace(HTDEMUCS, networks=2),
    "mono, one stem, no layers for the bottom": dataclasses.replace(HTDEMUCS, channels=1, stems=1, bottom=0, heads=2),
    "three levels, six layers": dataclasses.replace(
        HTDEMUCS, frame_samples=512, levels=3, layers=6, segment_samples=2048
    ),
    "residual layers in encoders only": dataclasses.replace(HTDEMUCS, decoder_residuals=False, residual_layers=3),
    "no residual layers": dataclasses.replace(HTDEMUCS, residual_layers=0, layers=1),
}


TIGERS = {
    "two voices": TIGER,
    "a network for each stem": FILMS,
    "three voices, three levels, one iteration": dataclasses.replace(TIGER, sources=3, levels=3, iterations=1),
    "one band, one head, five levels": dataclasses.replace(TIGER, widths=(33,), heads=1, levels=5),
}


def engines(folder: Path, spec: ModelSpec, dtype: str = "float32") -> tuple[Executor, Executor]:
    spec = write_model(folder, spec, dtype)
    return (
        open_executor(spec, folder, engine=Engine("cpu", threads=1)),
        open_executor(spec, folder, engine=Engine("torch", threads=1)),
    )


def assert_equal(ours: Executor, theirs: Executor, inputs: dict[str, np.ndarray], tolerance: float = TOLERANCE) -> None:
    (found,), (expected,) = ours.run(inputs).values(), theirs.run(inputs).values()
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    assert peak_error(expected, found) <= tolerance


def mixture(batch: int, samples: int) -> dict[str, np.ndarray]:
    return {"mixture": np.random.default_rng(samples).normal(0, 0.1, (batch, samples)).astype(np.float32)}


def magnitude(batch: int, geometry: UNetConfig, frames: int, bins: int) -> dict[str, np.ndarray]:
    multiple = 2 ** len(geometry.filters)
    shape = (batch, geometry.inputs, frames * multiple, geometry.bins or bins * multiple)
    return {"magnitude": np.abs(np.random.default_rng(frames).normal(size=shape)).astype(np.float32)}


@pytest.mark.parametrize("kind", SPEECHES)
def test_sepformer(tmp_path: Path, kind: str) -> None:
    geometry = SPEECHES[kind]
    spec = dataclasses.replace(speech_spec(geometry.sources), geometry=geometry)
    ours, theirs = engines(tmp_path / "model", spec)
    for batch, samples in ((1, 16), (1, 17), (3, 1009), (2, 2003), (5, 641)):  # none a multiple of anything
        is_shortest = kind == "odd widths" and samples == 16
        assert_equal(ours, theirs, mixture(batch, samples), TWO_FRAMES if is_shortest else TOLERANCE)


@pytest.mark.parametrize("kind", MOSSES)
def test_mossformer2(tmp_path: Path, kind: str) -> None:
    geometry = MOSSES[kind]
    ours, theirs = engines(tmp_path / "model", moss_spec(geometry))
    for batch, samples in ((1, 16), (1, 17), (3, 1009), (2, 2003), (5, 641)):
        assert_equal(ours, theirs, mixture(batch, samples))
    for engine in (ours, theirs):
        found = engine.run({"mixture": np.zeros((2, 500), np.float32)})["sources"]
        np.testing.assert_array_equal(found, np.zeros((2, geometry.sources, 500), np.float32))


@pytest.mark.parametrize("kind", TASNETS)
def test_conv_tasnet(tmp_path: Path, kind: str) -> None:
    geometry = TASNETS[kind]
    ours, theirs = engines(tmp_path / "model", tasnet_spec(geometry))
    least = geometry.least_samples
    for batch, samples in ((1, least + 9), (3, 1009), (2, 2003), (5, 641)):
        assert_equal(ours, theirs, mixture(batch, samples))
    for engine in (ours, theirs):
        found = engine.run({"mixture": np.zeros((2, 500), np.float32)})["sources"]
        np.testing.assert_array_equal(found, np.zeros((2, geometry.sources, 500), np.float32))


@pytest.mark.parametrize("kind", CAUSAL)
def test_causal_lstm(tmp_path: Path, kind: str) -> None:
    geometry = CAUSAL[kind]
    ours, theirs = engines(tmp_path / "model", live_spec(geometry))
    random = np.random.default_rng(0)
    for batch, hops in ((1, 1), (2, 2), (3, 31)):
        inputs = {
            "mixture": random.normal(0, 0.1, (batch, hops * geometry.hop_samples)).astype(np.float32),
            "state": random.uniform(0, 0.5, (batch, geometry.state_size)).astype(np.float32),  # powers are not below 0
        }
        found, expected = ours.run(inputs), theirs.run(inputs)
        for name, value in expected.items():
            assert peak_error(value, found[name]) <= TOLERANCE


@pytest.mark.parametrize("remainder", range(10))
def test_sepformer_at_every_remainder_of_a_chunk(speech_engines: tuple[Executor, Executor], remainder: int) -> None:
    assert_equal(*speech_engines, mixture(1, 16 + 8 * (30 + remainder) + remainder % 8))


@pytest.fixture(scope="module")
def speech_engines(tmp_path_factory: pytest.TempPathFactory) -> tuple[Executor, Executor]:
    return engines(tmp_path_factory.mktemp("graph") / "model", speech_spec())


@pytest.mark.parametrize("kind", BANDED)
def test_band_split(tmp_path: Path, kind: str) -> None:
    ours, theirs = engines(tmp_path / "model", bands_spec(BANDED[kind]))
    for batch, samples in ((1, 1), (1, 16), (3, 1009), (2, 2003), (5, 641)):
        assert_equal(ours, theirs, mixture(batch, samples))
    for engine in (ours, theirs):
        found = engine.run({"mixture": np.zeros((2, 500), np.float32)})["sources"]
        np.testing.assert_array_equal(found, np.zeros((2, BANDED[kind].sources, 500), np.float32))


@pytest.mark.parametrize("kind", HYBRIDS)
def test_htdemucs(tmp_path: Path, kind: str) -> None:
    g = HYBRIDS[kind]
    spec, random = write_model(tmp_path / "model", htdemucs_spec(g)), np.random.default_rng(0)
    for graph in g.graphs:
        ours, theirs = (
            open_executor(spec, tmp_path / "model", graph, Engine(name, threads=1)) for name in ("cpu", "torch")
        )
        for batch in (1, 3):
            mixture = random.normal(0.01, 0.1, (batch, g.channels, g.segment_samples)).astype(np.float32)
            spectrum = random.normal(0, 0.3, (batch, 2 * g.channels, g.bins, g.frames)).astype(np.float32)
            inputs = {"mixture": mixture, "spectrum": spectrum}
            found, expected = ours.run(inputs), theirs.run(inputs)
            for name in ("waves", "spectra"):
                assert found[name].shape == expected[name].shape
                assert peak_error(expected[name], found[name]) <= TOLERANCE


@pytest.mark.parametrize("kind", ROFORMERS)
def test_roformers(tmp_path: Path, kind: str) -> None:
    geometry = ROFORMERS[kind]
    ours, theirs = engines(tmp_path / "model", roformer_spec(geometry))
    for batch, frames in ((1, 1), (1, 2), (3, 37), (2, 113)):
        random = np.random.default_rng(frames)
        spectrum = random.normal(size=(batch, frames, geometry.spectrum_size)).astype(np.float32)
        assert_equal(ours, theirs, {"spectrum": spectrum})
    for engine in (ours, theirs):  # silence is no division by zero
        found = engine.run({"spectrum": np.zeros((1, 5, geometry.spectrum_size), np.float32)})["masks"]
        assert np.isfinite(found).all()


@pytest.mark.parametrize("kind", MUSICS)
def test_unets(tmp_path: Path, kind: str) -> None:
    geometry = MUSICS[kind]
    spec = dataclasses.replace(music_spec(geometry.stems), geometry=geometry, channels=geometry.channels)
    ours, theirs = engines(tmp_path / "model", spec)
    for batch, frames, bins in ((1, 1, 1), (3, 1, 2), (2, 3, 1)):
        assert_equal(ours, theirs, magnitude(batch, geometry, frames, bins))


def test_float16_weights_are_the_same_in_both_engines_and_close_to_float32(tmp_path: Path) -> None:
    for name, spec, inputs in (
        ("speech", speech_spec(), mixture(2, 1501)),
        ("bands", bands_spec(), mixture(2, 1501)),
        ("moss", moss_spec(), mixture(2, 1501)),
        ("music", music_spec(), magnitude(1, MUSIC, 1, 2)),
        ("roformer", roformer_spec(), {"spectrum": np.random.default_rng(0).normal(size=(2, 9, 132)).astype("f")}),
    ):
        ours, theirs = engines(tmp_path / f"{name}16", spec, "float16")
        assert_equal(ours, theirs, inputs)
        wide, _ = engines(tmp_path / f"{name}32", spec)
        (half,), (full,) = ours.run(inputs).values(), wide.run(inputs).values()
        assert snr(full, half) > 40
        small, large = ((tmp_path / f"{name}{bits}" / "model.safetensors").stat().st_size for bits in (16, 32))
        assert small < 0.75 * large


TEXTS = {
    "sinusoidal": TEXT,
    "rotary": dataclasses.replace(TEXT, positions="rotary"),
    "one layer, one head": AudioTransformerConfig(TextSide(5), TextSide(6), 10, 1, 7, 1, 1),
    "rotary, more heads": AudioTransformerConfig(TextSide(30), TextSide(50), 32, 8, 64, 1, 2, "rotary"),
}


def text_engines(folder: Path, geometry: AudioTransformerConfig, dtype: str) -> list[tuple[Executor, Executor]]:
    """Encoder and decoder, on ONNX Runtime and on torch."""
    spec = write_model(folder, text_spec(geometry), dtype)
    return [
        tuple(
            open_executor(spec, folder, graph=graph, engine=Engine(device, threads=1))
            for graph in ("encoder", "decoder")
        )
        for device in ("cpu", "torch")
    ]


def written(encoder: Executor, decoder: Executor, geometry: AudioTransformerConfig, batch: int) -> np.ndarray:
    """Logits (B, M, V) of a text, step by step."""
    random = np.random.default_rng(batch)
    items = [random.integers(1, geometry.source.symbols, 3 + 11 * i % 17) for i in range(batch)]
    steps = DecoderState(encoder, decoder, geometry, items)
    target = random.integers(1, geometry.target.symbols, (batch, 23))  # (B, M)
    return np.stack([steps.logits(symbols) for symbols in target.T], 1)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("kind", TEXTS)
def test_audio_transformer(tmp_path: Path, kind: str, dtype: str) -> None:
    """The same logits, keys and values, whatever the batch; teacher forcing is compared by `export.check_parity`."""
    geometry = TEXTS[kind]
    ours, theirs = text_engines(tmp_path / "model", geometry, dtype)
    for batch in (1, 2, 7):
        found, expected = (written(*engine, geometry, batch) for engine in (ours, theirs))
        assert found.dtype == np.float32
        assert found.shape == expected.shape == (batch, 23, geometry.target.symbols)
        assert peak_error(expected, found) <= TOLERANCE
    inputs = {"symbols": np.array([[4, 3, 1, 4, 2]]), "lengths": np.array([4])}
    memories = [engine[0].run(inputs) for engine in (ours, theirs)]
    for name in ("cross_keys", "cross_values"):
        assert peak_error(memories[1][name][..., :4, :], memories[0][name][..., :4, :]) <= TOLERANCE


@pytest.mark.parametrize("kind", ["sinusoidal", "rotary"])
def test_padding_changes_nothing(tmp_path: Path, kind: str) -> None:
    """What stands behind a text does not reach its logits, however much there is of it."""
    (encoder, decoder), _ = text_engines(tmp_path / "model", TEXTS[kind], "float32")
    items = [np.array(item) for item in ([5, 7, 4, 2], [8] * 40, [6])]
    for i, item in enumerate(items):
        steps, alone = DecoderState(encoder, decoder, TEXT, items), DecoderState(encoder, decoder, TEXT, [item])
        steps.keep([i])
        np.testing.assert_allclose(steps.logits([1]), alone.logits([1]), atol=2e-6)


@pytest.mark.parametrize("bias", [-12.0, -20.0, -40.0])
def test_masks_near_zero_keep_their_digits(tmp_path: Path, bias: float) -> None:
    """Where no stem claims a bin, who gets it is the ratio of two tiny masks (the runtime's Sigmoid loses it)."""
    spec = music_spec()
    tensors = weights(spec.geometry) | {f"nets.{k}.last.bias": np.full(2, bias, np.float32) for k in range(2)}
    spec = write_model_folder(tmp_path / "model", spec, tensors)
    ours, theirs = (open_executor(spec, tmp_path / "model", engine=Engine(device)) for device in ("cpu", "torch"))
    inputs = magnitude(1, MUSIC, 1, 1)
    np.testing.assert_allclose(ours.run(inputs)["magnitudes"], theirs.run(inputs)["magnitudes"], rtol=1e-3, atol=0)


def test_a_long_window_meets_no_wall(tmp_path: Path) -> None:
    """2600 chunks; the published code ends at 2500."""
    geometry = SepFormerConfig(2, features=4, chunk_frames=2, blocks=1, layers=1, heads=1, hidden=4)
    ours, theirs = engines(tmp_path / "model", dataclasses.replace(speech_spec(), geometry=geometry))
    assert_equal(ours, theirs, mixture(1, 8 * 2600 + 3))


@pytest.mark.parametrize("samples", [16, 500, 3001])
def test_silence_stays_silent(speech_engines: tuple[Executor, Executor], samples: int) -> None:
    for engine in speech_engines:
        found = engine.run({"mixture": np.zeros((2, samples), np.float32)})["sources"]
        np.testing.assert_array_equal(found, np.zeros((2, 2, samples), np.float32))


@pytest.mark.parametrize("kind", TIGERS)
def test_tigers(tmp_path: Path, kind: str) -> None:
    g = TIGERS[kind]
    spec = write_model(tmp_path / "model", tiger_spec(g))
    for graph in g.graphs:
        ours, theirs = (
            open_executor(spec, tmp_path / "model", graph, Engine(name, threads=1)) for name in ("cpu", "torch")
        )
        for batch, frames in ((1, 1), (1, 2), (3, 37), (2, 80), (1, 113)):  # a multiple of every resolution, or of none
            random = np.random.default_rng(frames)
            spectrum = random.normal(size=(batch, 2, g.bins, frames)).astype(np.float32)
            assert_equal(ours, theirs, {"spectrum": spectrum})
