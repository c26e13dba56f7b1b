"""MossFormer2 from weights to stems of files: ClearerVoice's own output, and the output contract."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors.numpy import load_file

from engine_fakes import moss_spec, noise, peak_error, snr, write_model
from unbraid.hub.folder import write_model_folder
from unbraid.hub.importers import read_checkpoint
from unbraid.hub.spec import Windows
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator

pytest.importorskip("onnx")

PEER_DB, PEER_PEAK = 110.0, 1e-5
NAMES = ["voice1", "voice2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("moss") / "model"
    write_model(place, moss_spec(windows=Windows(0.25, 0.1)))
    return place


@pytest.mark.parametrize("device", ["cpu", "torch"])
def test_raw_is_what_clearervoice_gives(goldens: Path, tmp_path: Path, device: str) -> None:
    """Three groups of frames and a piece; its program then scales each voice to the power of the mixture."""
    if device == "torch":
        pytest.importorskip("torch")
    found, io = read_checkpoint(goldens / "clearvoice", "peer"), load_file(goldens / "clearvoice.safetensors")
    write_model_folder(tmp_path / "model", found.spec, found.tensors)
    with Separator(tmp_path / "model", raw=True, device=device) as separator:
        voices = np.concatenate(list(separator(io["mixture"], 16000).values()))
    assert snr(io["voices"], voices) >= PEER_DB
    assert peak_error(io["voices"], voices) <= PEER_PEAK
    power = np.square(voices).mean(1, keepdims=True)
    scaled = voices * np.sqrt(np.square(io["mixture"]).mean() / power)
    assert snr(io["decoded"], scaled) >= PEER_DB


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("samples", [1, 257, 9001])
def test_rate_length_channels_and_sum_are_kept(folder: Path, rate: int, channels: int, samples: int) -> None:
    x = noise(channels, samples, seed=samples)
    with Separator(folder) as separator:
        stems = separator(x, rate)
    assert list(stems) == NAMES
    assert all(stem.shape == x.shape and stem.dtype == np.float32 for stem in stems.values())
    assert snr(x, sum(stem.astype(np.float64) for stem in stems.values())) > 100


def test_silence_gives_silence_and_a_level_stays(folder: Path) -> None:
    x = noise(1, 6000)
    with Separator(folder) as separator:
        assert not any(stem.any() for stem in separator(np.zeros((2, 5000), np.float32), 8000).values())
        loud, quiet = separator(x, 8000), separator(0.1 * x, 8000)
    for name, stem in loud.items():
        assert snr(stem, 10 * quiet[name]) > 40


def test_a_recording_of_one_window_is_the_whole_run(folder: Path) -> None:
    """Windows change nothing in a recording that one window holds."""
    x = noise(1, 2000)
    with (
        Separator(folder, options=Options(window_seconds=0.25)) as short,
        Separator(folder, options=Options(window_seconds=10.0)) as long,
    ):
        for name, stem in short(x, 8000).items():
            np.testing.assert_allclose(stem, long(x, 8000)[name], atol=1e-6)


def test_blocks_of_a_file_are_the_whole(folder: Path, tmp_path: Path) -> None:
    x = noise(2, 12_345)
    soundfile.write(tmp_path / "x.wav", x.T, 8000, subtype="FLOAT")
    with Separator(folder) as separator:
        whole = separator(x, 8000)
        pieces = list(separator.blocks(tmp_path / "x.wav"))
    for name, stem in whole.items():
        np.testing.assert_allclose(np.concatenate([piece[name] for piece in pieces], -1), stem, atol=1e-6)


def test_voices_keep_their_outputs_where_windows_exchange_them(folder: Path) -> None:
    """A network that gives its voices in another order from window to window; the overlap tells."""
    spec = moss_spec(windows=Windows(0.25, 0.1))
    low, high = (0.3 * np.sin(2 * np.pi * f * np.arange(12_000) / 8000).astype(np.float32) for f in (200, 2000))

    class Exchanging:
        device, reason, calls = "fake", "a test asked for it", 0

        def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            spectrum = np.fft.rfft(inputs["mixture"])
            edge = spectrum.shape[1] // 4  # 1 kHz
            below, above = spectrum.copy(), spectrum.copy()
            below[:, edge:], above[:, :edge] = 0, 0
            self.calls += 1
            voices = [np.fft.irfft(part, inputs["mixture"].shape[1]) for part in (below, above)]
            return {"sources": np.stack(voices[:: 1 if self.calls % 2 else -1], 1).astype(np.float32)}

        def close(self) -> None:
            pass

    engine = Exchanging()
    with Separator.over(engine, spec) as separator:
        voices = separator((low + high)[None], 8000)
    assert engine.calls > 5
    for stem, tone in zip(voices.values(), (low, high), strict=True):
        assert snr(tone, stem[0]) > 20
