"""The output contract with real TIGERs on ONNX Runtime, and the stems of the published programs."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors.numpy import load_file

from engine_fakes import FILMS, TIGER, Fake, noise, peak_error, snr, tiger_spec, write_model
from unbraid.errors import UsageError
from unbraid.hub.folder import write_model_folder
from unbraid.hub.importers import read_checkpoint
from unbraid.hub.spec import Windows
from unbraid.tasks.separation.fronts import WaveformFront
from unbraid.tasks.separation.masked import MaskingExecutor, NamedFront, published_means
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator

pytest.importorskip("onnx")

PARITY_DB, PARITY_PEAK = 85.0, 5e-5  # spectra in float64 here, in float32 there, and norms over few features
STEMS = ["dialogue", "music", "effects"]


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("voices") / "model"
    write_model(place, tiger_spec())
    return place


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network for each of three stems; each moment is in three chunks of the published program."""
    place = tmp_path_factory.mktemp("films") / "model"
    write_model(place, tiger_spec(FILMS, windows=Windows(0.3, 0.2)))
    return place


@pytest.fixture(scope="module")
def opened(voices: Path, films: Path) -> Iterator[tuple[Separator, Separator]]:
    """Both, as they are run without options."""
    with Separator(voices) as of_voices, Separator(films) as of_films:
        yield of_voices, of_films


def imported(checkpoint: Path, tmp_path: Path) -> Path:
    found = read_checkpoint(checkpoint, "peer")
    write_model_folder(tmp_path / "model", found.spec, found.tensors)
    return tmp_path / "model"


@pytest.mark.parametrize("device", ["cpu", "torch"])
def test_voices_of_the_published_program(goldens: Path, tmp_path: Path, device: str) -> None:
    """A length that is no multiple of a hop, in one window."""
    if device == "torch":
        pytest.importorskip("torch")
    io = load_file(goldens / "tiger.safetensors")
    with Separator(imported(goldens / "tiger", tmp_path), raw=True, device=device) as separator:
        found = np.concatenate(list(separator(io["mixture"], 16_000).values()))
    assert found.shape == io["sources"].shape == (2, 5001)
    assert peak_error(io["sources"], found) <= PARITY_PEAK
    assert snr(io["sources"], found) >= PARITY_DB


def test_stems_of_the_published_program(goldens: Path, tmp_path: Path) -> None:
    """Every 97th sample of 4.5 s, in the published chunks of 12 s."""
    io = load_file(goldens / "tiger_dnr.safetensors")
    mixture = np.tile(io["mixture"], 7)[None, :200_001]
    with Separator(imported(goldens / "tiger_dnr", tmp_path), raw=True, device="cpu") as separator:
        stems = separator(mixture, 44_100)
    assert list(stems) == STEMS
    for name, stem in stems.items():
        assert stem.shape == mixture.shape
        assert snr(io[f"stems/{name}"], stem[0, ::97]) >= PARITY_DB, name


@pytest.mark.parametrize("rate", [8000, 44100])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("samples", [1, 33, 257, 5003])
def test_rate_length_channels_and_sum_are_kept(
    opened: tuple[Separator, Separator], rate: int, channels: int, samples: int
) -> None:
    x = noise(channels, samples, seed=samples)
    for separator, names in zip(opened, (["voice1", "voice2"], STEMS), strict=True):
        stems = separator(x, rate)
        assert list(stems) == names == list(separator.stems())
        assert all(stem.shape == x.shape and stem.dtype == np.float32 for stem in stems.values())
        assert snr(x, sum(stem.astype(np.float64) for stem in stems.values())) > 100


def test_silence_gives_silence(opened: tuple[Separator, Separator]) -> None:
    x = noise(2, 6000)
    x[1] = 0
    for separator in opened:
        assert not any(stem.any() for stem in separator(np.zeros((1, 5000), np.float32), 8000).values())
        assert not any(stem[1].any() for stem in separator(x, 8000).values())


def test_blocks_of_a_file_are_the_whole(voices: Path, films: Path, tmp_path: Path) -> None:
    x = noise(2, 12_345)
    soundfile.write(tmp_path / "x.wav", x.T, 8000, subtype="FLOAT")
    for folder in (voices, films):
        for raw in (False, True):
            with Separator(folder, raw=raw) as separator:
                whole = separator(x, 8000)
                pieces = list(separator.blocks(tmp_path / "x.wav"))
            assert len(pieces) > 1 or raw
            for name, stem in whole.items():
                found = np.concatenate([piece[name] for piece in pieces], -1)
                np.testing.assert_allclose(found, stem, atol=1e-6)


def test_a_recording_no_longer_than_a_window_is_one_run(voices: Path) -> None:
    x = noise(1, 2000)
    with Separator(voices) as own, Separator(voices, raw=True) as raw:
        assert snr(raw(x, 8000)["voice1"], own(x, 8000)["voice1"]) > 100
        x = noise(1, 4000)
        assert snr(raw(x, 8000)["voice1"], own(x, 8000)["voice1"]) < 100


def test_only_the_networks_of_the_stems_that_are_wanted_run(films: Path) -> None:
    x = noise(1, 5000)
    with Separator(films, options=Options(residual=True)) as every:
        whole = every(x, 8000)
    with Separator(films, options=Options(stems=("music",))) as one:
        stems = one(x, 8000)
        assert list(stems) == ["music", "residual"]
        np.testing.assert_allclose(stems["music"], whole["music"], atol=1e-6)
        np.testing.assert_allclose(stems["music"] + stems["residual"], x, atol=1e-6)
    with Separator(films, options=Options(two_stems="dialogue")) as two:
        assert two.stems() == ("dialogue", "no_dialogue")
        np.testing.assert_allclose(two(x, 8000)["dialogue"], whole["dialogue"], atol=1e-6)


def test_stems_keep_their_names_where_windows_overlap() -> None:
    """Voices are put in the order of the window before; stems of a film are not, however alike they are."""
    calls = []

    def network(spectrum: np.ndarray) -> np.ndarray:
        calls.append(None)
        masks = np.zeros((1, 2, 2, *spectrum.shape[2:]), np.float32)
        masks[:, len(calls) % 2, 0] = 1  # all of the recording in one output, and in the next window in the other one
        return masks

    x = noise(1, 8000)
    fake = Fake(network, "masks")
    followed = Separator.over(fake, tiger_spec(windows=Windows(0.5, 0.1)))(x, 8000)
    assert snr(x, followed["voice2"]) > 60 or snr(x, followed["voice1"]) > 60
    film = tiger_spec(dataclasses.replace(TIGER, chosen=(0, 1)), windows=Windows(0.5, 0.1))
    named = Separator.over(fake, film)(x, 8000)
    assert max(snr(x, stem) for stem in named.values()) < 10


@pytest.mark.parametrize("samples", [1, 799, 2400, 5003])
def test_a_mask_of_ones_gives_the_recording_back(samples: int) -> None:
    """In windows, and in the published chunks, which begin before the recording and end after it."""
    fake = Fake(lambda spectrum: np.stack((np.ones_like(spectrum[:, :1]), np.zeros_like(spectrum[:, :1])), 2), "masks")
    x = noise(2, samples)
    front = NamedFront(WaveformFront(MaskingExecutor(fake, TIGER), TIGER.least_samples, 2400, 1600, False))
    blocks = (x[:, i : i + 777] for i in range(0, samples, 777))
    found = np.concatenate(list(published_means(front, blocks)), -1)[0]
    assert found.shape == x.shape
    assert snr(x, found) > 100
    assert not list(published_means(front, iter(())))


REFUSED = [
    (Options(wiener=1), "The Wiener filter is for U-Nets; tiny-tiger is a tiger."),
    (Options(speakers=2), "tiny-tiger separates songs, and a number of speakers is for speech; leave it out."),
    (Options(overlap_seconds=0.2), "An overlap of 0.2 s does not fit windows of 0.3 s; at most half may overlap."),
    (
        Options(window_seconds=0.004, overlap_seconds=0.0),
        "Windows of 0.004 s are too short; they must hold a kernel of the network, 0.004125 s.",
    ),
    (Options(two_stems="vocals"), "tiny-tiger has no stem 'vocals', only dialogue, music, effects;"),
]


@pytest.mark.parametrize(("options", "told"), REFUSED, ids=[told for _, told in REFUSED])
def test_what_does_not_go_with_it_is_refused(films: Path, options: Options, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        Separator(films, options=options)
    assert str(caught.value).startswith(told)


def test_int8_is_refused(voices: Path) -> None:
    with pytest.raises(UsageError, match="int8 is for SepFormers, RoFormers and Whispers, and tiny-tiger is none"):
        Separator(voices, precision="int8")
