"""Crops of songs: functions of (seed, position), from the corpora that were named, together or remixed."""

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

torch = pytest.importorskip("torch")

from unbraid.corpora.mixtures import Clip  # noqa: E402
from unbraid.corpora.set_aside import SetAside  # noqa: E402
from unbraid.corpora.songs import Song  # noqa: E402
from unbraid.errors import UsageError  # noqa: E402
from unbraid.training.data import Remixing, SongCrops, SongPieces  # noqa: E402

RATE = 8000
STEMS = ("vocals", "drums", "other")
PLAIN = Remixing(
    crop_seconds=0.25, gain_db=(0.0, 0.0), tilt_db_per_octave=(0.0, 0.0), swap_probability=0.0,
    leave_out_probability=0.0, level_db=(-6.0, -6.0), speed=(1.0, 1.0), vocals_speed=(1.0, 1.0),
    stretch_probability=0.0,
)  # fmt: skip
PLAYED, MIXED = dataclasses.replace(PLAIN, remix_probability=0.0), dataclasses.replace(PLAIN, remix_probability=1.0)
Corpus = list[Song]


def hertz_of(song: int, stem: str) -> int:
    """Each stem of each song is a tone of its own."""
    return 200 + 1000 * STEMS.index(stem) + 100 * song


def song(folder: Path, number: int, stems: tuple[str, ...], suffix: str = "wav") -> Song:
    """2 s of tones with a loudness of their own, the right channel half as loud."""
    time = np.arange(2 * RATE) / RATE
    parts = {}
    for stem in stems:
        wave = 0.4 * np.sin(2 * np.pi * hertz_of(number, stem) * time) * (0.8 + 0.2 * np.sin(2 * np.pi * 1.7 * time))
        path = folder / f"{number}_{stem}.{suffix}"
        soundfile.write(path, np.stack((wave, wave / 2), 1).astype(np.float32), RATE)
        parts[stem] = (Clip(path),)
    return Song(str(number), parts)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> list[Corpus]:
    """Three whole songs, the last compressed; two without vocals; a drummer alone, and a singer alone."""
    folder = tmp_path_factory.mktemp("songs")
    band = [song(folder, i, STEMS, "ogg" if i == 2 else "wav") for i in range(3)]
    return [
        band,
        [song(folder, i, STEMS[1:]) for i in (3, 4)],
        [song(folder, 5, ("drums",))],
        [song(folder, 6, ("vocals",))],
    ]


def crops(corpora: list[Corpus], remixing: Remixing = PLAIN, seed: int = 0, shares=None) -> SongCrops:
    shares = [1.0] * len(corpora) if shares is None else shares
    return SongCrops(corpora, shares, STEMS, remixing, sample_rate=RATE, seed=seed)


def who(item) -> list[int | None]:
    """The number of the song that each stem is of."""
    found: list[int | None] = []
    for stem, audio in zip(STEMS, item.numpy(), strict=True):
        spectrum = np.abs(np.fft.rfft(audio[0] * np.hanning(audio.shape[1])))
        hertz = spectrum.argmax() * RATE / audio.shape[1]
        found.append(round((hertz - hertz_of(0, stem)) / 100) if audio.any() else None)
    return found


def test_items(corpora) -> None:
    item = crops(corpora)[0]
    assert item.shape == (3, 2, 2000)
    assert item.dtype == torch.float32
    assert float(item.sum(0).abs().max()) == pytest.approx(10 ** (-6 / 20), rel=1e-3)


def test_items_depend_on_seed_and_position_alone(corpora) -> None:
    remixing = Remixing(crop_seconds=0.25, stretch_probability=0.0)
    forwards = crops(corpora, remixing)
    items = [forwards[i] for i in range(16)]
    backwards = crops(corpora, remixing)
    assert all(torch.equal(backwards[i], items[i]) for i in reversed(range(16)))
    assert not any(torch.equal(items[i], items[j]) for i in range(16) for j in range(i))
    assert not any(torch.equal(items[i], crops(corpora, remixing, seed=1)[i]) for i in range(16))
    assert crops(corpora, remixing)[10**12].shape == (3, 2, 2000)


def test_stretched_items_are_the_same_again(corpora) -> None:
    pytest.importorskip("python_stretch", reason="python-stretch is not installed: pitch and tempo are not tested")
    remixing = Remixing(crop_seconds=0.25, stretch_probability=1.0)
    first, second = crops(corpora, remixing), crops(corpora, remixing)
    assert all(torch.equal(first[i], second[i]) for i in reversed(range(4)))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")  # Python 3.12 and later
def test_workers_make_the_same(corpora) -> None:
    data, positions = crops(corpora), range(5, 13)
    loader = torch.utils.data.DataLoader(data, 2, sampler=positions, num_workers=2)
    for start, batch in zip(range(5, 13, 2), loader, strict=True):
        assert torch.equal(batch, torch.stack((data[start], data[start + 1])))


def test_played_songs_are_one_song_and_borrow_vocals_alone(corpora) -> None:
    data, counts, lenders = crops(corpora, PLAYED), Counter(), Counter()
    for position in range(200):
        vocals, drums, other = who(data[position])
        assert drums == other
        counts[drums] += 1
        if drums < 3:
            assert vocals == drums
        else:
            lenders[vocals] += 1
    assert counts.keys() == {0, 1, 2, 3, 4}  # the drummer alone and the singer alone are no songs
    assert 70 < counts[3] + counts[4] < 130  # 100 ± 7: as often as the other corpus
    assert lenders.keys() == {0, 1, 2, 6}
    assert lenders[6] > 30  # half of 100 ± 7


def test_borrowed_vocals_are_about_as_loud(corpora) -> None:
    data = crops(corpora[1:], PLAYED)
    for position in range(10):
        vocals, *others = data[position].numpy()
        assert np.sqrt(np.mean(vocals**2)) == pytest.approx(np.sqrt(np.mean(sum(others) ** 2)), rel=0.02)


def test_remixed_stems_are_of_any_song_at_equal_power(corpora) -> None:
    data = crops(corpora, MIXED, shares=[1.0, 2.0, 1.0, 0.0])
    found = Counter()
    for position in range(300):
        item = data[position]
        found.update(zip(STEMS, who(item), strict=True))
        power = np.sqrt(np.mean(item.numpy() ** 2, (1, 2)))
        assert power.max() / power.min() < 1.02
    assert {number for stem, number in found if stem == "vocals"} == {0, 1, 2}  # the singer's share is 0
    drums = [sum(found["drums", number] for number in numbers) for numbers in ((0, 1, 2), (3, 4), (5,))]
    assert abs(drums[0] - 75) < 30  # ± 7.5
    assert abs(drums[1] - 150) < 35  # ± 8.7
    assert abs(found["other", 3] + found["other", 4] - 200) < 33  # the drummer's share goes to the others; ± 8.2


def test_how_often_songs_are_remixed(corpora) -> None:
    data = crops(corpora[:1], dataclasses.replace(PLAIN, remix_probability=0.25))
    same = sum(len(set(who(data[position]))) == 1 for position in range(400))
    assert abs(same - 400 * (0.75 + 0.25 / 9)) < 35  # ± 8.3


def test_what_is_no_whole_song_is_always_remixed(corpora) -> None:
    data = SongCrops(corpora[2:], [1.0, 1.0], ("vocals", "drums"), PLAYED, sample_rate=RATE, seed=0)
    assert data[0].any(dim=-1).all()


def test_played_stems_are_of_one_place_and_one_speed(tmp_path: Path) -> None:
    """Two stems that are the same recording stay the same, and are a piece of it."""
    noise = np.random.default_rng(0).normal(0, 0.1, (RATE, 2)).astype(np.float32)  # (T, C)
    soundfile.write(tmp_path / "a.wav", noise, RATE, subtype="FLOAT")
    songs = [Song("a", {"drums": (Clip(tmp_path / "a.wav"),), "bass": (Clip(tmp_path / "a.wav"),)})]
    for remixing in (PLAYED, dataclasses.replace(PLAYED, speed=(0.8, 1.2))):
        data = SongCrops([songs], [1.0], ("drums", "bass"), remixing, sample_rate=RATE, seed=0)
        assert all(torch.equal(*data[position]) for position in range(8))
    data = SongCrops([songs], [1.0], ("drums", "bass"), PLAYED, sample_rate=RATE, seed=0)
    starts = []
    for position in range(20):
        crop = data[position][0].numpy()  # (2, T)
        match = np.correlate(noise[:, 0], crop[0])
        starts.append(int(match.argmax()))
        piece = noise[starts[-1] : starts[-1] + 2000].T
        np.testing.assert_allclose(crop, piece * (crop[0, 0] / piece[0, 0]), atol=1e-5)
    assert min(starts) < 1500
    assert max(starts) > 4500


def test_parts_add_up_to_a_stem(corpora) -> None:
    data = SongCrops(corpora[:1], [1.0], ("vocals", "accompaniment"), PLAYED, sample_rate=RATE, seed=0)
    spectrum = np.abs(np.fft.rfft(data[1][1, 0].numpy() * np.hanning(2000))) / 2000
    loud = np.flatnonzero(spectrum > 0.3 * spectrum.max()) * RATE / 2000
    number = round((loud.min() - hertz_of(0, "drums")) / 100)
    assert {round(hertz / 100) for hertz in loud} == {hertz_of(number, stem) // 100 for stem in STEMS[1:]}


def test_silent_crops_are_drawn_again(tmp_path: Path) -> None:
    """A stem that sounds in a quarter of the song is heard in most crops: 1 - 0.75^6 = 0.82, and more at the edges."""
    audio = np.zeros((8 * RATE, 2), np.float32)
    audio[: 2 * RATE] = np.random.default_rng(0).normal(0, 0.1, (2 * RATE, 2))
    soundfile.write(tmp_path / "a.wav", audio, RATE)
    songs = [Song("a", {"drums": (Clip(tmp_path / "a.wav"),)})]
    data = SongCrops([songs], [1.0], ("drums",), PLAIN, sample_rate=RATE, seed=0)
    heard = sum(bool(data[position].any()) for position in range(100))
    assert 70 < heard < 97


def test_a_short_song_has_zeros_behind(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.full((800, 2), 0.3, np.float32), RATE)
    songs = [Song("a", {"drums": (Clip(tmp_path / "a.wav"),)})]
    item = SongCrops([songs], [1.0], ("drums",), PLAIN, sample_rate=RATE, seed=0)[0]
    assert item[:, :, :800].all()
    assert not item[:, :, 800:].any()


def test_mono_recordings_and_other_rates(tmp_path: Path) -> None:
    time = np.arange(16000) / 16000
    soundfile.write(tmp_path / "a.wav", 0.3 * np.sin(2 * np.pi * 440 * time), 16000)
    songs = [Song("a", {"drums": (Clip(tmp_path / "a.wav"),)})]
    left, right = SongCrops([songs], [1.0], ("drums",), PLAIN, sample_rate=RATE, seed=0)[0][0].numpy()
    np.testing.assert_array_equal(left, right)
    assert np.abs(np.fft.rfft(left * np.hanning(2000))).argmax() * 4 == 440


def test_stems_of_different_length_are_refused(tmp_path: Path) -> None:
    for name, seconds in (("drums", 1), ("other", 2)):
        soundfile.write(tmp_path / f"{name}.wav", np.ones((seconds * RATE, 2), np.float32), RATE)
    songs = [Song("a", {name: (Clip(tmp_path / f"{name}.wav"),) for name in ("drums", "other")})]
    told = r"lasts 2\.000 s but .* 1\.000 s"
    with pytest.warns(SetAside, match=told), pytest.raises(UsageError, match=rf"^No song has drums\. .*{told}"):
        SongCrops([songs], [1.0], ("drums", "other"), PLAIN, sample_rate=RATE, seed=0)


@pytest.mark.parametrize(
    ("shares", "got"),
    [
        ([1.0], "1"),
        ([1.0] * 5, "1, 1, 1, 1, 1"),
        ([0.0] * 4, "0, 0, 0, 0"),
        ([1, 1, -1, 1], "1, 1, -1, 1"),
        ([], "none"),
    ],
)
def test_impossible_shares(corpora, shares, got: str) -> None:
    with pytest.raises(UsageError) as caught:
        crops(corpora, shares=shares)
    assert str(caught.value) == (
        f"shares must be one number for each of the 4 folders of songs, 0 or more and not all 0; got {got}."
    )


def test_a_stem_that_nobody_has(corpora) -> None:
    for songs, shares in ((corpora[1:2], [1.0]), ([corpora[1], corpora[3]], [1.0, 0.0])):
        with pytest.raises(UsageError) as caught:
            crops(songs, shares=shares)
        assert str(caught.value) == (
            "No song has vocals. Take it out of the stems, or add a folder of songs that have it, with a share above 0."
        )


def test_pieces_are_the_middle(corpora) -> None:
    songs = corpora[0] + corpora[1]
    data, whole = (SongPieces(songs, STEMS, sample_rate=RATE, seconds=seconds) for seconds in (0.5, 60.0))
    assert len(data) == len(whole) == 5
    for position in range(5):
        assert whole[position].shape == (3, 2, 16000)
        assert data[position].dtype == torch.float32
        torch.testing.assert_close(data[position], whole[position][:, :, 6000:10000], atol=1e-4, rtol=0)
        assert who(data[position]) == [position if position < 3 else None, position, position]
