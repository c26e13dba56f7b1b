"""From a published checkpoint to stems, the whole way: what comes out is what the published system gives.

Goldens are in the tree; the larger fixtures are taken where this machine has them.
"""

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import safetensors.numpy

from engine_fakes import peak_error, snr
from unbraid.hub.folder import write_model_folder
from unbraid.hub.importers import read_checkpoint
from unbraid.models.roformer.config import RoformerConfig
from unbraid.runtime import Engine, open_executor
from unbraid.tasks.separation.complex_front import ComplexFront
from unbraid.tasks.separation.separator import Separator

pytest.importorskip("onnx")

SPEECH_PEAK = 1e-5  # of the output's peak
MUSIC_DB = 95.0  # SNR per stem
ROFORMER_DB, ROFORMER_PEAK = 110.0, 1e-5


def imported(checkpoint: Path, tmp_path: Path) -> Path:
    """A published checkpoint as a model folder."""
    found = read_checkpoint(checkpoint, "peer")
    write_model_folder(tmp_path / "model", found.spec, found.tensors)
    return tmp_path / "model"


def assert_speech(checkpoint: Path, tmp_path: Path, device: str = "cpu") -> None:
    signals = safetensors.numpy.load_file(checkpoint / "io.safetensors")
    with Separator(imported(checkpoint, tmp_path), raw=True, device=device) as separator:
        stems = separator(signals["mixture"][None], separator.spec.sample_rate)
    found = np.concatenate(list(stems.values()))  # (S, T)
    assert found.shape == signals["sources"].shape
    assert peak_error(signals["sources"], found) <= SPEECH_PEAK


def assert_music(checkpoint: Path, waveform: np.ndarray, tmp_path: Path) -> None:
    folder = imported(checkpoint, tmp_path)
    reference = safetensors.numpy.load_file(checkpoint / "reference.safetensors")
    for kind, wiener in (("mask", False), ("mwf", True)):
        expected = {key.split("/")[1]: stem for key, stem in reference.items() if key.startswith(f"{kind}/")}
        assert expected
        with Separator(folder, raw=True, wiener=wiener, device="cpu") as separator:
            found = separator(waveform, 44100)
        for stem, wave in expected.items():
            assert found[stem].shape == wave.shape
            assert snr(wave, found[stem]) >= MUSIC_DB, (kind, stem)


@pytest.mark.parametrize("kind", ["speechbrain_1spk", "speechbrain_2spk", "speechbrain_3spk"])
def test_speechbrain(goldens: Path, tmp_path: Path, kind: str) -> None:
    assert_speech(goldens / kind, tmp_path)


@pytest.mark.parametrize("kind", ["spleeter_2stems", "spleeter_4stems", "spleeter_5stems"])
def test_spleeter(goldens: Path, tmp_path: Path, kind: str) -> None:
    reference = safetensors.numpy.load_file(goldens / kind / "reference.safetensors")
    assert_music(goldens / kind, reference["waveform"], tmp_path)


@pytest.mark.parametrize("device", ["cpu", "torch"])
@pytest.mark.parametrize("kind", ["mel_band_roformer", "bs_roformer"])
def test_roformers(goldens: Path, tmp_path: Path, kind: str, device: str) -> None:
    """One chunk through the network, and a song of two chunks and a half through the published program."""
    if device == "torch":
        pytest.importorskip("torch")
    folder, io = imported(goldens / kind, tmp_path), safetensors.numpy.load_file(goldens / f"{kind}.safetensors")
    with Separator(folder, raw=True, device=device) as separator:
        spec, found = separator.spec, separator(io["song"], 8000)
    assert {f"stems/{stem}" for stem in found} == {name for name in io if "/" in name}
    for stem, wave in found.items():
        assert wave.shape == io[f"stems/{stem}"].shape
        assert snr(io[f"stems/{stem}"], wave) >= ROFORMER_DB
    alone = open_executor(spec, folder, engine=Engine(device))
    size = io["chunk"].shape[-1]
    front = ComplexFront(alone, cast(RoformerConfig, spec.geometry), size, 0)
    expected = io["chunk"].reshape(len(spec.stems), 2, size)
    assert peak_error(expected, front.separate(io["song"][:, :size])) <= ROFORMER_PEAK


@pytest.mark.parametrize("seconds", [0.002, 0.01, 0.035, 0.06, 0.0601, 0.2])
def test_blocks_of_a_song_through_a_roformer_are_the_whole(goldens: Path, tmp_path: Path, seconds: float) -> None:
    """The chunks of the published program come from blocks of any length, and the song keeps its length."""
    song = safetensors.numpy.load_file(goldens / "bs_roformer.safetensors")["song"]
    song = np.concatenate((song, song[:, ::-1]), 1)[:, : round(seconds * 8000)]
    with Separator(imported(goldens / "bs_roformer", tmp_path), raw=True, device="cpu") as separator:
        whole = separator(song, 8000)
        pieces = (song[:, i : i + 77] for i in range(0, song.shape[1], 77))
        blocks = list(separator.blocks(pieces, sample_rate=8000))
    for stem, wave in whole.items():
        assert wave.shape == song.shape
        np.testing.assert_allclose(np.concatenate([block[stem] for block in blocks], 1), wave, atol=1e-6)


@pytest.mark.parametrize("kind", ["sepformer-2spk-small", "sepformer-3spk-small"])
def test_speechbrain_on_the_larger_fixtures(parity: Path, tmp_path: Path, kind: str) -> None:
    assert_speech(parity / "speechbrain" / kind, tmp_path)


@pytest.mark.parametrize("kind", ["tiny_2stems", "tiny_4stems", "tiny_5stems"])
def test_spleeter_on_the_larger_fixtures(parity: Path, tmp_path: Path, kind: str) -> None:
    song = safetensors.numpy.load_file(parity / "spleeter" / "song4s.safetensors")["waveform"]
    assert_music(parity / "spleeter" / kind, song, tmp_path)


def test_blocks_of_a_song_are_spleeters_too(goldens: Path, tmp_path: Path) -> None:
    """The same numbers when the song comes from a file, block by block."""
    soundfile = pytest.importorskip("soundfile")
    checkpoint = goldens / "spleeter_5stems"
    reference = safetensors.numpy.load_file(checkpoint / "reference.safetensors")
    soundfile.write(tmp_path / "song.wav", reference["waveform"].T, 44100, subtype="FLOAT")
    with Separator(imported(checkpoint, tmp_path), raw=True, device="cpu") as separator:
        blocks = list(separator.blocks(tmp_path / "song.wav"))
    for stem in separator.stems():
        found = np.concatenate([block[stem] for block in blocks], axis=1)
        assert snr(reference[f"mask/{stem}"], found) >= MUSIC_DB
