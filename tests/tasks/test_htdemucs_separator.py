"""Hybrid Transformer Demucs from weights to stems of files: Demucs's own output, and the output contract."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors.numpy import load_file

from engine_fakes import HTDEMUCS, htdemucs_spec, noise, peak_error, snr, write_model
from unbraid.errors import UsageError
from unbraid.hub.folder import write_model_folder
from unbraid.hub.importers import read_checkpoint
from unbraid.runtime import Engine, open_executor
from unbraid.tasks.separation.hybrid_front import HybridFront
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator

pytest.importorskip("onnx")

PEER_DB, PEER_PEAK = 110.0, 1e-5
NAMES = ["drums", "bass"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One network for two stems; windows of 0.19 s."""
    place = tmp_path_factory.mktemp("one") / "model"
    write_model(place, htdemucs_spec())
    return place


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network for each of four stems."""
    place = tmp_path_factory.mktemp("bag") / "model"
    write_model(place, htdemucs_spec(dataclasses.replace(HTDEMUCS, stems=4, networks=4)))
    return place


def imported(checkpoint: Path, tmp_path: Path) -> Path:
    found = read_checkpoint(checkpoint, "peer")
    write_model_folder(tmp_path / "model", found.spec, found.tensors)
    return tmp_path / "model"


@pytest.mark.parametrize("device", ["cpu", "torch"])
@pytest.mark.parametrize("kind", ["htdemucs", "htdemucs_bag"])
def test_raw_is_what_demucs_gives(goldens: Path, tmp_path: Path, kind: str, device: str) -> None:
    """A song in three segments, of which the last, or the last two, are short."""
    if device == "torch":
        pytest.importorskip("torch")
    folder, io = imported(goldens / kind, tmp_path), load_file(goldens / f"{kind}.safetensors")
    with Separator(folder, raw=True, device=device) as separator:
        found = separator(io["song"], 8000)
    for wave, (stem, ours) in zip(io["stems"], found.items(), strict=True):
        assert ours.shape == wave.shape
        assert snr(wave, ours) >= PEER_DB, stem


def test_a_segment_through_the_network_is_that_of_demucs(goldens: Path, tmp_path: Path) -> None:
    folder, io = imported(goldens / "htdemucs", tmp_path), load_file(goldens / "htdemucs.safetensors")
    spec = read_checkpoint(goldens / "htdemucs", "peer").spec
    network = open_executor(spec, folder, engine=Engine("cpu"))
    front = HybridFront(network, spec.geometry, 1501, 0, fits_level=False)
    assert peak_error(io["segment"], front.separate(io["song"][:, :1501])) <= PEER_PEAK


@pytest.mark.parametrize("samples", [1, 700, 1126, 1501, 1502, 4000])
def test_raw_in_blocks_is_raw_of_the_whole(goldens: Path, tmp_path: Path, samples: int) -> None:
    song = np.tile(load_file(goldens / "htdemucs.safetensors")["song"], 2)[:, :samples]
    soundfile.write(tmp_path / "x.wav", song.T, 8000, subtype="FLOAT")
    with Separator(imported(goldens / "htdemucs", tmp_path), raw=True, device="cpu") as separator:
        whole = separator(song, 8000)
        assert separator.passes == 2
        pieces = (song[:, i : i + 77] for i in range(0, samples, 77))
        blocks = list(separator.blocks(pieces, sample_rate=8000))
    for stem, wave in whole.items():
        assert wave.shape == song.shape
        np.testing.assert_allclose(np.concatenate([block[stem] for block in blocks], 1), wave, atol=1e-5)


@pytest.mark.parametrize("rate", [8000, 44100])
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("samples", [1, 257, 9001])
def test_rate_length_channels_and_sum_are_kept(model: Path, rate: int, channels: int, samples: int) -> None:
    x = noise(channels, samples, seed=samples)
    with Separator(model) as separator:
        stems = separator(x, rate)
    assert list(stems) == NAMES
    assert all(stem.shape == x.shape and stem.dtype == np.float32 for stem in stems.values())
    assert snr(x, sum(stem.astype(np.float64) for stem in stems.values())) > 100


def test_silence_gives_silence_and_a_level_stays(model: Path) -> None:
    x = noise(2, 6000)
    x[1] = 0
    with Separator(model) as separator:
        assert not any(stem.any() for stem in separator(np.zeros((2, 5000), np.float32), 8000).values())
        loud, quiet = separator(x, 8000), separator(1e-4 * x, 8000)
    for name, stem in loud.items():
        assert not stem[1].any()
        assert snr(stem, 1e4 * quiet[name]) > 60


def test_blocks_of_a_file_are_the_whole(model: Path, tmp_path: Path) -> None:
    x = noise(2, 12_345)
    soundfile.write(tmp_path / "x.wav", x.T, 8000, subtype="FLOAT")
    with Separator(model) as separator:
        whole, pieces = separator(x, 8000), list(separator.blocks(tmp_path / "x.wav"))
        assert separator.passes == 1
    assert len(pieces) > 1
    for name, stem in whole.items():
        np.testing.assert_allclose(np.concatenate([piece[name] for piece in pieces], -1), stem, atol=1e-6)


def test_of_a_bag_only_the_networks_that_are_wanted_run(bag: Path) -> None:
    """The stem of one network is what it gives; all else is the residual."""
    x = noise(2, 5000)
    with Separator(bag) as whole, Separator(bag, raw=True) as raw:
        assert list(whole(x, 8000)) == ["drums", "bass", "other", "vocals"]
        every = raw(x, 8000)
    with Separator(bag, raw=True, options=Options(stems=("vocals",))) as one:
        found = one(x, 8000)
        assert (list(found), len(one._networks)) == (["vocals"], 1)
        np.testing.assert_array_equal(found["vocals"], every["vocals"])
    with Separator(bag, options=Options(stems=("vocals", "bass"))) as two:
        found = two(x, 8000)
    assert list(found) == ["bass", "vocals", "residual"]
    assert snr(x, sum(found.values())) > 100
    for asked in (("vocals", "residual"), ("drums", "bass", "other", "vocals"), ()):
        with Separator(bag, options=Options(stems=asked)) as all_of_them:
            assert all_of_them.stems() == ("drums", "bass", "other", "vocals")


def test_two_stems_are_one_and_the_sum_of_the_others(model: Path, bag: Path) -> None:
    x = noise(2, 5000)
    with Separator(model) as plain, Separator(model, options=Options(two_stems="bass")) as two:
        expected, found = plain(x, 8000), two(x, 8000)
    assert list(found) == ["bass", "no_bass"]
    np.testing.assert_array_equal(found["bass"], expected["bass"])
    np.testing.assert_array_equal(found["no_bass"], expected["drums"])
    with Separator(bag, options=Options(two_stems="vocals")) as two:
        found = two(x, 8000)
    assert list(found) == ["vocals", "no_vocals"]
    assert snr(x, found["vocals"] + found["no_vocals"]) > 100
    with Separator(bag) as whole:  # networks that are open already
        two = Separator.over(whole._executor, whole.spec, Options(two_stems="vocals", stems=("bass",)))
        np.testing.assert_array_equal(two(x, 8000)["vocals"], whole(x, 8000)["vocals"])


REFUSED = [
    (Options(wiener=1), "The Wiener filter is for U-Nets; tiny-htdemucs is a htdemucs."),
    (Options(window_seconds=0.2), "tiny-htdemucs hears at most 0.187625 s at once; leave the window out."),
    (Options(two_stems="vocals"), "tiny-htdemucs has no stem 'vocals', only drums, bass;"),
    (Options(two_stems="bass", remove=("drums",)), "Two stems are one and the sum of all others; leave out what is"),
    (Options(overlap_seconds=0.1), "An overlap of 0.1 s does not fit windows of 0.187625 s; at most half may overlap."),
]


@pytest.mark.parametrize(("options", "told"), REFUSED, ids=[told for _, told in REFUSED])
def test_what_does_not_go_with_it_is_refused(model: Path, options: Options, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        Separator(model, options=options)
    assert str(caught.value).startswith(told)


def test_int8_is_refused(model: Path) -> None:
    with pytest.raises(UsageError, match="int8 is for SepFormers, RoFormers and Whispers, and tiny-htdemucs is none"):
        Separator(model, precision="int8")
