"""The output contract with real RoFormers on ONNX Runtime, from weights to stems of files."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine_fakes import MEL_ROFORMER, ROFORMER, Fake, noise, roformer_spec, snr, write_model
from unbraid.errors import UsageError
from unbraid.hub.spec import Windows
from unbraid.tasks.separation.complex_front import ComplexFront, published_stems, windowed_stems
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator

FOUR = dataclasses.replace(ROFORMER, stems=4)


@pytest.fixture(scope="module")
def vocals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One stem, mel bands, windows of 0.25 s that overlap by half."""
    place = tmp_path_factory.mktemp("vocals") / "model"
    write_model(place, roformer_spec(windows=Windows(0.25, 0.125)))
    return place


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four stems, bands side by side; each moment is in four chunks of the published program."""
    place = tmp_path_factory.mktemp("four") / "model"
    write_model(place, roformer_spec(FOUR, windows=Windows(0.25, 0.1875)))
    return place


@pytest.mark.parametrize("rate", [8000, 44100])
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("samples", [1, 33, 257, 9001])
def test_rate_length_channels_and_sum_are_kept(
    vocals: Path, four: Path, rate: int, channels: int, samples: int
) -> None:
    x = noise(channels, samples, seed=samples)
    for folder, names in ((vocals, ["vocals", "instrumental"]), (four, ["vocals", "drums", "bass", "other"])):
        with Separator(folder) as separator:
            stems = separator(x, rate)
        assert list(stems) == names == list(separator.stems())
        assert all(stem.shape == x.shape and stem.dtype == np.float32 for stem in stems.values())
        assert snr(x, sum(stem.astype(np.float64) for stem in stems.values())) > 100


def test_silence_gives_silence_and_a_level_stays(vocals: Path, four: Path) -> None:
    x = noise(2, 6000)
    x[1] = 0
    for folder in (vocals, four):
        with Separator(folder) as separator:
            assert not any(stem.any() for stem in separator(np.zeros((2, 5000), np.float32), 8000).values())
            loud, quiet = separator(x, 8000), separator(0.01 * x, 8000)
        for name, stem in loud.items():
            assert not stem[1].any()
            assert snr(stem, 100 * quiet[name]) > 60


def test_blocks_of_a_file_are_the_whole(four: Path, tmp_path: Path) -> None:
    x = noise(2, 12_345)
    soundfile.write(tmp_path / "x.wav", x.T, 8000, subtype="FLOAT")
    with Separator(four) as separator:
        whole = separator(x, 8000)
        pieces = list(separator.blocks(tmp_path / "x.wav"))
    assert len(pieces) > 1
    for name, stem in whole.items():
        np.testing.assert_allclose(np.concatenate([piece[name] for piece in pieces], -1), stem, atol=1e-6)


def test_a_song_no_longer_than_a_window_is_one_run(vocals: Path) -> None:
    x = noise(2, 2000)
    with Separator(vocals) as own, Separator(vocals, options=Options(window_seconds=10.0)) as long:
        assert snr(long(x, 8000)["vocals"], own(x, 8000)["vocals"]) > 120
        assert snr(long(noise(2, 2500), 8000)["vocals"], own(noise(2, 2500), 8000)["vocals"]) < 120


def test_the_overlap_is_the_published_one_up_to_half_or_chosen(vocals: Path, four: Path) -> None:
    x, runs = noise(2, 16_000), {}
    for folder in (vocals, four):
        for overlap in (None, 0.125, 0.05, 0.0):
            with Separator(folder, options=Options(overlap_seconds=overlap)) as separator:
                engine = separator._executor
                fake = Fake(lambda seen, engine=engine: engine.run({"spectrum": seen})["masks"], "masks")
                Separator.over(fake, separator.spec, separator.options)(x, 8000)
                runs[folder, overlap] = len(fake.shapes)
    assert [runs[vocals, overlap] for overlap in (None, 0.125, 0.05, 0.0)] == [15, 15, 10, 8]  # of 2 s
    assert runs[four, None] == runs[four, 0.125] == 15


def test_karaoke_is_what_is_left_without_vocals(vocals: Path) -> None:
    x = noise(2, 3000)
    with Separator(vocals) as plain, Separator(vocals, options=Options(remove=("vocals",))) as karaoke:
        assert karaoke.stems() == ("no-vocals",)
        np.testing.assert_array_equal(karaoke(x, 8000)["no-vocals"], plain(x, 8000)["instrumental"])
    with pytest.raises(UsageError, match="has no stem 'drums', only vocals, instrumental"):
        Separator(vocals, options=Options(remove=("drums",)))


def test_raw_is_stereo_and_has_no_remainder(vocals: Path, four: Path) -> None:
    with Separator(vocals, raw=True) as separator:
        stems = separator(noise(1, 3000), 8000)
        assert {name: stem.shape for name, stem in stems.items()} == {"vocals": (2, 3000)}
    with Separator(four, raw=True) as separator:
        assert [stem.shape for stem in separator(noise(3, 5001), 8000).values()] == [(3, 5001)] * 4


def test_a_mono_network_hears_each_distinct_channel_once() -> None:
    geometry = dataclasses.replace(MEL_ROFORMER, channels=1)
    fake = Fake(lambda seen: np.ones((len(seen), 1, *seen.shape[1:]), np.float32) * np.tile([0.5, 0], 33), "masks")
    x = noise(3, 800)
    x[2] = x[0]
    stems = Separator.over(fake, roformer_spec(geometry, windows=Windows(1.0, 0.5)))(x, 8000)
    np.testing.assert_allclose(stems["vocals"], 0.5 * x, atol=1e-6)
    assert len(fake.shapes) == 2


@pytest.mark.parametrize("zero_dc", [False, True])
@pytest.mark.parametrize("normalized", [False, True])
def test_a_mask_of_ones_gives_the_song_back(zero_dc: bool, normalized: bool) -> None:
    """Also in the published program's chunks; without its first bin, two thirds of an offset are gone: a Hann window
    spreads the rest into the second."""
    geometry = dataclasses.replace(ROFORMER, zero_dc=zero_dc, normalized=normalized)
    fake = Fake(lambda seen: np.ones((1, 1, *seen.shape[1:]), np.float32) * np.tile([1, 0], 66), "masks")
    t = np.arange(5001) / 8000
    tone = np.stack([np.sin(2 * np.pi * f * t) for f in (1000, 2500)]).astype(np.float32)
    x = tone + np.float32(0.3)
    for stems in (windowed_stems, published_stems):
        blocks = (x[:, i : i + 777] for i in range(0, 5001, 777))
        found = np.concatenate(list(stems(ComplexFront(fake, geometry, 1300, 650), blocks)), -1)[0]
        assert found.shape == x.shape
        inside = slice(100, -100)
        assert snr(tone[:, inside] + np.float32(0.1 if zero_dc else 0.3), found[:, inside]) > (60 if zero_dc else 110)


def test_int8_is_near(four: Path) -> None:
    x = noise(2, 4000)
    with Separator(four) as full, Separator(four, precision="int8") as small:
        for name, stem in full(x, 8000).items():
            assert snr(stem, small(x, 8000)[name]) > 25


REFUSED = [
    (Options(wiener=1), "The Wiener filter is for U-Nets; tiny-roformer is a roformer."),
    (Options(mask_exponent=1.0), "Exponents of masks are for U-Nets; tiny-roformer is a roformer."),
    (Options(speakers=2), "tiny-roformer separates songs, and a number of speakers is for speech; leave it out."),
    (Options(overlap_seconds=0.2), "An overlap of 0.2 s does not fit windows of 0.25 s; at most half may overlap."),
    (
        Options(window_seconds=0.004, overlap_seconds=0.0),
        "Windows of 0.004 s are too short; they must hold a kernel of the network, 0.004125 s.",
    ),
]


@pytest.mark.parametrize(("options", "told"), REFUSED, ids=[told for _, told in REFUSED])
def test_what_does_not_go_with_it_is_refused(vocals: Path, options: Options, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        Separator(vocals, options=options)
    assert str(caught.value) == told
