"""The output contract with a real band-split network on ONNX Runtime, from export to stems of files."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine_fakes import BANDS, bands_spec, noise, snr, weights, write_model
from unbraid.errors import UsageError
from unbraid.hub.folder import write_model_folder
from unbraid.hub.spec import Windows
from unbraid.runtime import open_executor
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator

pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("bands") / "model"
    write_model(place, bands_spec(windows=Windows(0.25, 0.1)))
    return place


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("samples", [1, 257, 9001])
def test_rate_length_channels_and_sum_are_kept(folder: Path, rate: int, channels: int, samples: int) -> None:
    x = noise(channels, samples, seed=samples)
    with Separator(folder) as separator:
        stems = separator(x, rate)
    assert list(stems) == ["voice1", "voice2", "voice3"]
    assert all(stem.shape == x.shape and stem.dtype == np.float32 for stem in stems.values())
    assert snr(x, sum(stem.astype(np.float64) for stem in stems.values())) > 100


def test_silence_gives_silence_and_a_level_stays(folder: Path) -> None:
    x = noise(1, 6000)
    x[:, 3000:] = 0
    with Separator(folder) as separator:
        assert not any(stem.any() for stem in separator(np.zeros((2, 5000), np.float32), 8000).values())
        loud, quiet = separator(x, 8000), separator(0.01 * x, 8000)
    for name, stem in loud.items():
        assert not stem[:, 3100:].any()
        assert snr(stem, 100 * quiet[name]) > 40


def test_blocks_of_a_file_are_the_whole(folder: Path, tmp_path: Path) -> None:
    x = noise(2, 12_345)
    soundfile.write(tmp_path / "x.wav", x.T, 8000, subtype="FLOAT")
    with Separator(folder) as separator:
        whole = separator(x, 8000)
        pieces = list(separator.blocks(tmp_path / "x.wav"))
    for name, stem in whole.items():
        np.testing.assert_allclose(np.concatenate([piece[name] for piece in pieces], -1), stem, atol=1e-6)


def test_float16_weights_and_torch_give_the_same(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    spec = write_model_folder(tmp_path / "half", bands_spec(), weights(BANDS), "float16")
    x = noise(2, 3001)
    with Separator(tmp_path / "half") as ours, Separator(tmp_path / "half", device="torch") as theirs:
        for name, stem in ours(x, 16000).items():
            assert snr(stem, theirs(x, 16000)[name]) > 80
    assert spec.level == "own"


def test_one_output_leaves_a_residual(tmp_path: Path) -> None:
    spec = dataclasses.replace(bands_spec(dataclasses.replace(BANDS, sources=1)), stems=("speech",))
    write_model(tmp_path / "model", spec)
    with Separator(tmp_path / "model") as separator:
        assert list(separator(noise(1, 2000), 8000)) == ["speech", "residual"]


def test_what_does_not_go_with_it_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="^int8 is for SepFormers, RoFormers and Whispers, and tiny-bands"):
        Separator(folder, precision="int8")
    with pytest.raises(UsageError, match="^The Wiener filter is for music models; tiny-bands is a band_split"):
        Separator(folder, wiener=True)
    with pytest.raises(UsageError, match="they must hold a kernel of the network, 0.004 s"):
        Separator(folder, options=Options(window_seconds=0.003, overlap_seconds=0.0))
    with pytest.raises(UsageError, match="has no graph 'encoder'; it has model"):
        open_executor(bands_spec(), folder, graph="encoder")
