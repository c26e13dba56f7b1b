"""Small models, fake networks and signals for the tests of the engine."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from unbraid.hub.folder import write_model_folder
from unbraid.hub.spec import ModelSpec, Spectral, Vocabularies, Windows
from unbraid.hub.vocabulary import SPECIAL
from unbraid.models.audio_transformer.config import AudioTransformerConfig, TextSide
from unbraid.models.band_split.config import BandSplitConfig
from unbraid.models.causal_lstm.config import CausalLSTMConfig
from unbraid.models.config import Config
from unbraid.models.conv_tasnet.config import ConvTasNetConfig
from unbraid.models.family import tensor_shapes
from unbraid.models.htdemucs.config import HtdemucsConfig
from unbraid.models.mossformer2.config import MossFormer2Config
from unbraid.models.roformer.config import RoformerConfig
from unbraid.models.sepformer.config import SepFormerConfig
from unbraid.models.tiger.config import TigerConfig
from unbraid.models.unet.config import UNetConfig

Network = Callable[[np.ndarray], np.ndarray]

SPEECH = SepFormerConfig(features=12, chunk_frames=10, blocks=2, layers=2, heads=3, hidden=20)
MOSS = MossFormer2Config(
    features=12, layers=2, group_frames=20, key_features=6, kernel_frames=5, memory_features=8, memory_frames=7
)
TASNET = ConvTasNetConfig(2, 8, 16, 6, 4, 10, 3, blocks=3, repeats=2)
BANDS = BandSplitConfig(
    frame_samples=32,
    bands=4,
    features=12,
    blocks=2,
    heads=3,
    query_features=2,
    hidden=10,
    band_features=3,
    band_hidden=7,
)
LIVE = CausalLSTMConfig(sources=2, frame_samples=32, features=12, hidden=10, kernel_frames=2, taps=3, level_frames=8)
MUSIC = UNetConfig(stems=2, filters=(2, 3, 4, 5, 6, 7))
ROFORMER = RoformerConfig(
    frame_samples=64,
    hop_samples=13,
    mel_bands=0,
    mel_rate=0,
    widths=(2, 3, 5, 10, 13),
    features=12,
    blocks=2,
    heads=3,
    head_features=4,
    hidden=20,
    mask_hidden=10,
    mask_layers=1,
    block_norm=False,
    final_norm=True,
)
MEL_ROFORMER = dataclasses.replace(
    ROFORMER, mel_bands=7, mel_rate=8000, widths=(), mask_layers=2, block_norm=True, final_norm=False
)
HTDEMUCS = HtdemucsConfig(
    stems=2, frame_samples=256, segment_samples=1501, features=4, levels=2, squeeze=2, bottom=12, heads=3, hidden=20
)
TIGER = TigerConfig(
    frame_samples=64,
    hop_samples=16,
    widths=(1, 1, 2, 3, 6, 9, 11),
    features=12,
    hidden=10,
    iterations=3,
    levels=4,
    heads=2,
    query_features=3,
)
FILMS = dataclasses.replace(TIGER, sources=3, chosen=(2, 0, 1))
TEXT = AudioTransformerConfig(TextSide(9), TextSide(11), 24, 3, 40, encoder_layers=2, decoder_layers=3)
SPECTRAL = Spectral(frame_samples=256, hop_samples=64, frames=64, bins=64)


class Fake:
    """An executor around a function, which counts what it is shown."""

    device, reason = "fake", "a test asked for it"

    def __init__(self, network: Network, output: str):
        self.network, self.output = network, output
        self.shapes: list[tuple[int, ...]] = []
        self.closed = False

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        (value,) = inputs.values()
        assert value.dtype == np.float32
        assert value.flags.c_contiguous
        self.shapes.append(value.shape)
        return {self.output: self.network(value).astype(np.float32)}

    def close(self) -> None:
        self.closed = True


def speech_fake(network: Network) -> Fake:
    """(B, T) -> (B, S, T)."""
    return Fake(network, "sources")


def music_fake(network: Network) -> Fake:
    """(B, 2, N, F) -> (B, S, 2, N, F)."""
    return Fake(network, "magnitudes")


def even_and_odd(mixture: np.ndarray) -> np.ndarray:
    """Pulls apart two voices of which one lives in the even samples and the other one in the odd ones."""
    voices = np.repeat(mixture[:, None], 2, axis=1)
    voices[:, 0, 1::2] = 0
    voices[:, 1, 0::2] = 0
    return voices


def copies(sources: int) -> Network:
    """Every output is the mixture: linear, and as bad as can be."""
    return lambda mixture: np.repeat(mixture[:, None], sources, axis=1)


def bands(stems: int) -> Network:
    """Each stem gets some bins more than others: linear, and each stem has something of everything."""

    def network(magnitude: np.ndarray) -> np.ndarray:
        bins = np.arange(magnitude.shape[-1])
        weights = np.stack([1.2 + np.cos(bins / 5 + stem) for stem in range(stems)])  # (S, F)
        return magnitude[:, None] * weights[:, None, None].astype(np.float32)

    return network


def speech_spec(sources: int = 2, sample_rate: int = 8000, windows: Windows = Windows(0.1, 0.025)) -> ModelSpec:
    """A speech model of any sources and windows."""
    stems = ("speech",) if sources == 1 else tuple(f"voice{i + 1}" for i in range(sources))
    geometry = dataclasses.replace(SPEECH, sources=sources)
    return ModelSpec("tiny-speech", "sepformer", sample_rate, 1, stems, geometry, "MIT", "a test", windows=windows)


def bands_spec(geometry: BandSplitConfig = BANDS, windows: Windows = Windows(0.1, 0.025)) -> ModelSpec:
    """A band-split speech model of any sources and windows, with a level of its own."""
    stems = tuple(f"voice{i + 1}" for i in range(geometry.sources))
    spec = ModelSpec("tiny-bands", "band_split", 8000, 1, stems, geometry, "MIT", "a test", windows=windows)
    return dataclasses.replace(spec, level="own")


def moss_spec(geometry: MossFormer2Config = MOSS, windows: Windows = Windows(0.1, 0.025)) -> ModelSpec:
    """A MossFormer2 of any sources and windows."""
    stems = ("speech",) if geometry.sources == 1 else tuple(f"voice{i + 1}" for i in range(geometry.sources))
    return ModelSpec("tiny-moss", "mossformer2", 8000, 1, stems, geometry, "MIT", "a test", windows=windows)


def tasnet_spec(geometry: ConvTasNetConfig = TASNET, windows: Windows = Windows(0.1, 0.025)) -> ModelSpec:
    """A Conv-TasNet of any sources and windows, with a level of its own."""
    stems = ("speech",) if geometry.sources == 1 else tuple(f"voice{i + 1}" for i in range(geometry.sources))
    spec = ModelSpec("tiny-tasnet", "conv_tasnet", 8000, 1, stems, geometry, "MIT", "a test", windows=windows)
    return dataclasses.replace(spec, level="own")


def live_spec(geometry: CausalLSTMConfig = LIVE, sample_rate: int = 8000) -> ModelSpec:
    """A causal speech model of any sources, with a level of its own."""
    stems = ("speech",) if geometry.sources == 1 else tuple(f"voice{i + 1}" for i in range(geometry.sources))
    spec = ModelSpec("tiny-live", "causal_lstm", sample_rate, 1, stems, geometry, "MIT", "a test")
    return dataclasses.replace(spec, level="own")


def music_spec(stems: int = 2, sample_rate: int = 8000, spectral: Spectral = SPECTRAL) -> ModelSpec:
    """A music model of any stems and spectrogram."""
    names = ("vocals", "drums", "bass", "other", "piano")[:stems]
    geometry = dataclasses.replace(MUSIC, stems=stems)
    return ModelSpec("tiny-music", "unet", sample_rate, 2, names, geometry, "MIT", "a test", spectral=spectral)


def roformer_spec(
    geometry: RoformerConfig = MEL_ROFORMER, sample_rate: int = 8000, windows: Windows = Windows(0.1, 0.05)
) -> ModelSpec:
    """A RoFormer of any stems and windows."""
    names = ("vocals", "drums", "bass", "other", "guitar", "piano")[: geometry.stems]
    facts = ("tiny-roformer", "roformer", sample_rate, geometry.channels, names, geometry, "MIT", "a test")
    rest = "instrumental" if geometry.stems == 1 else "residual"
    return ModelSpec(*facts, windows=windows, level="own", remainder=rest)


def htdemucs_spec(geometry: HtdemucsConfig = HTDEMUCS, sample_rate: int = 8000) -> ModelSpec:
    """A Hybrid Transformer Demucs of any stems, in windows of its segments."""
    names = ("drums", "bass", "other", "vocals")[: geometry.stems]
    facts = ("tiny-htdemucs", "htdemucs", sample_rate, geometry.channels, names, geometry, "MIT", "a test")
    windows = Windows(geometry.segment_samples / sample_rate, geometry.segment_samples // 4 / sample_rate)
    return ModelSpec(*facts, windows=windows, level="own")


def tiger_spec(
    geometry: TigerConfig = TIGER, sample_rate: int = 8000, windows: Windows = Windows(0.25, 0.125)
) -> ModelSpec:
    """A TIGER for voices, or for the stems of films."""
    voices = tuple(f"voice{i + 1}" for i in range(geometry.sources))
    names = ("dialogue", "music", "effects")[: geometry.outputs] if geometry.chosen else voices
    facts = ("tiny-tiger", "tiger", sample_rate, 1, names, geometry, "MIT", "a test")
    return ModelSpec(*facts, windows=windows, level="own")


def text_spec(geometry: AudioTransformerConfig = TEXT) -> ModelSpec:
    """A model that writes texts of capital letters for texts of small ones, of any sizes."""
    ends = [ord(first) for first in "aA"]
    symbols = [
        (*SPECIAL, *(chr(end + i) for i in range(side.symbols - len(SPECIAL))))
        for end, side in zip(ends, (geometry.source, geometry.target), strict=True)
    ]
    vocabularies = Vocabularies(*symbols)
    return ModelSpec("tiny-text", "audio_transformer", 0, 0, (), geometry, "MIT", "a test", vocabularies=vocabularies)


def weights(geometry: Config, seed: int = 0) -> dict[str, np.ndarray]:
    """Random weights of a sensible size, so that nothing saturates and every term counts."""
    random = np.random.default_rng(seed)
    out = {}
    for name, shape in tensor_shapes(geometry).items():
        value = random.normal(size=shape)
        fan_in = np.prod(shape[1:]) if len(shape) > 1 else 25.0
        value *= 1 / np.sqrt(fan_in)
        if "norm" in name and name.endswith(("weight", "running_var")):
            value = 1 + 0.2 * np.abs(value)
        out[name] = value.astype(np.float32)
    return out


def write_model(folder: Path, spec: ModelSpec, dtype: str = "float32", seed: int = 0) -> ModelSpec:
    """A model folder with random weights; its graph has to be built, which needs `onnx`."""
    pytest.importorskip("onnx")
    return write_model_folder(folder, spec, weights(spec.geometry, seed), dtype)


def noise(channels: int, samples: int, seed: int = 0) -> np.ndarray:
    """(C, T), about -20 dB."""
    return np.random.default_rng(seed).normal(0, 0.1, (channels, samples)).astype(np.float32)


def snr(reference: np.ndarray, estimate: np.ndarray) -> float:
    """How far an estimate lies from a reference, in dB."""
    reference, estimate = np.asarray(reference, np.complex128), np.asarray(estimate, np.complex128)
    error = np.sum(np.abs(reference - estimate) ** 2)
    return float(10 * np.log10((np.sum(np.abs(reference) ** 2) + 1e-30) / (error + 1e-30)))


def peak_error(reference: np.ndarray, estimate: np.ndarray) -> float:
    """The largest difference, relative to the reference's peak."""
    return float(np.abs(reference - estimate).max() / max(np.abs(reference).max(), 1e-12))
