"""Folders of speakers: with a manifest, with listed or drawn mixtures, or just one folder for each speaker."""

import csv
from pathlib import Path

import corpora_trees as trees
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from unbraid.corpora import Clip, Wanted, find_mixtures, find_noises, find_speakers, read_clip, read_mixture
from unbraid.corpora.speakers import part
from unbraid.errors import UsageError


def folders(root: Path, speakers: int, seconds: float = 1.5) -> Path:
    for who in range(speakers):
        for take in range(2):
            name = f"speaker{who:02d}/book/{take}.wav"
            trees.write(root / name, trees.voices(name, 1, round(seconds * 8000))[0])
    return root


def test_a_manifest_says_who_speaks(tmp_path: Path) -> None:
    trees.manifest(tmp_path)
    found = find_speakers(tmp_path, "train", Wanted())
    assert list(found) == ["train0", "train1", "train2", "train3"]
    assert found["train2"] == [Clip(tmp_path / "audio" / f"train2_{take}.wav") for take in range(2)]
    assert len(find_noises(tmp_path, "test", Wanted())) == 8


def test_listed_mixtures(tmp_path: Path) -> None:
    """Unit RMS, times the gain, times 0.05, and summed."""
    trees.manifest(tmp_path)
    (tmp_path / "test_mix2.csv").write_text(
        "id,seconds,path_1,start_1,gain_db_1,path_2,start_2,gain_db_2\n"
        "m,1.0,audio/test0_0.wav,0.5,-20,audio/test1_1.wav,0.25,6.0206\n"
    )
    (found,) = find_mixtures(tmp_path, "test", Wanted())
    assert found.name == "m"
    mixture, sources = read_mixture(found, 8000)
    np.testing.assert_allclose(np.sqrt(np.mean(sources**2, 1)), [0.005, 0.1], rtol=1e-5)
    np.testing.assert_allclose(mixture, sources.sum(0), atol=1e-7)
    raw = read_clip(Clip(tmp_path / "audio" / "test1_1.wav"), 8000)[2000:10000]
    np.testing.assert_allclose(sources[1], raw / np.sqrt(np.mean(raw**2)) * 0.1, rtol=1e-4)


@pytest.mark.parametrize("make", [trees.manifest, lambda root: folders(root, 7)])
@pytest.mark.parametrize("sources", [2, 3])
def test_drawn_mixtures(tmp_path: Path, make, sources: int) -> None:
    if make is not trees.manifest and sources == 3:
        folders(tmp_path, 9)
    make(tmp_path)
    found = find_mixtures(tmp_path, "test", Wanted(sources=sources))
    assert found == find_mixtures(tmp_path, "test", Wanted(sources=sources))
    assert len(found) == len({mixture.name for mixture in found}) == 200
    speakers = find_speakers(tmp_path, "test", Wanted(sources=sources))
    who = {clip.path: name for name, clips in speakers.items() for clip in clips}
    for mixture in found[:20]:
        assert len({who[clip.path] for clip in mixture.sources}) == sources  # and all of them are of the split
        heard, voices = read_mixture(mixture, 8000)
        assert 8000 <= heard.shape[0] <= 40000
        assert np.all(np.abs(20 * np.log10(np.sqrt(np.mean(voices**2, 1)) / 0.05)) <= 2.5 + 1e-3)


def test_other_splits_are_drawn_otherwise(tmp_path: Path) -> None:
    trees.manifest(tmp_path, splits=("dev", "test"))
    levels = [[m.sources[0].rms for m in find_mixtures(tmp_path, split, Wanted())] for split in ("dev", "test")]
    assert levels[0] != levels[1]


def test_folders_of_speakers_are_split_by_speaker(tmp_path: Path) -> None:
    folders(tmp_path, 20, seconds=0.01)
    splits = [find_speakers(tmp_path, split, Wanted()) for split in ("train", "dev", "test")]
    assert [len(found) for found in splits] == [16, 2, 2]
    assert sorted(name for found in splits for name in found) == [f"speaker{i:02d}" for i in range(20)]
    assert all(len(clips) == 2 for found in splits for clips in found.values())


@given(st.lists(st.text(min_size=1), unique=True, min_size=9), st.integers(1, 3), st.randoms())
def test_splits_share_nobody_and_lose_nobody(names: list[str], least: int, random) -> None:
    parts = [part(names, split, least) for split in ("train", "dev", "test")]
    assert sorted(name for each in parts for name in each) == sorted(names)
    assert all(len(each) >= least for each in parts)
    shuffled = random.sample(names, len(names))
    assert [part(shuffled, split, least) for split in ("train", "dev", "test")] == parts


def test_hidden_files_are_no_recordings(tmp_path: Path) -> None:
    """macOS leaves a ._0.wav beside 0.wav on other systems' disks."""
    folders(tmp_path, 6, seconds=0.01)
    for path in list(tmp_path.rglob("0.wav")):
        path.with_name("._0.wav").write_bytes(b"resources")
    found = find_speakers(tmp_path, "train", Wanted()).values()
    assert [clip.path.name for clips in found for clip in clips] == ["0.wav", "1.wav"] * 2
    assert all(clip.path.name[0] != "." for clip in find_noises(tmp_path, "train", Wanted()))


def test_noises_are_any_files(tmp_path: Path) -> None:
    for i in range(5):
        trees.write(tmp_path / f"{i}.wav", trees.voices("x", 1)[0])
    found = [find_noises(tmp_path, split, Wanted()) for split in ("train", "dev", "test")]
    assert [len(clips) for clips in found] == [3, 1, 1]
    assert len({clip.path for clips in found for clip in clips}) == 5


def check(error: str, call) -> None:
    with pytest.raises(UsageError) as caught:
        call()
    assert str(caught.value) == error


def test_refusals_of_a_manifest(tmp_path: Path) -> None:
    trees.manifest(tmp_path)
    listing = tmp_path / "manifest.csv"
    check(
        f"{listing} has no recording of the split 'dev'; it has test, train.",
        lambda: find_speakers(tmp_path, "dev", Wanted()),
    )
    check(
        "The split test has 4 speakers; a mixture of 5 voices needs as many.",
        lambda: find_mixtures(tmp_path, "test", Wanted(sources=5)),
    )
    fixed = tmp_path / "test_mix2.csv"
    fixed.write_text("id,seconds,path_1,start_1,gain_db_1,path_2,start_2,gain_db_2\nm,1,a.wav,0,1,b.wav,x,1\n")
    check(
        f"{fixed}, line 2: could not convert string to float: 'x'. Seconds, starts and gains are numbers.",
        lambda: find_mixtures(tmp_path, "test", Wanted()),
    )
    fixed.write_text("id,seconds,path_1,start_1,gain_db_1\n")
    check(
        f"{fixed} lacks the columns path_2, start_2, gain_db_2; it needs id, seconds, path_1, start_1, gain_db_1, "
        f"path_2, start_2, gain_db_2.",
        lambda: find_mixtures(tmp_path, "test", Wanted()),
    )
    listing.write_text("path,speaker,split\na.wav,,train\n")
    check(
        f"{listing} has nothing in column speaker of line 2; fill it in.",
        lambda: find_speakers(tmp_path, "train", Wanted()),
    )
    listing.write_text("file,who\n")
    check(
        f"{listing} lacks the columns path, speaker, split; it needs path, speaker, split.",
        lambda: find_speakers(tmp_path, "train", Wanted()),
    )


def test_refusals_of_folders(tmp_path: Path) -> None:
    folders(tmp_path, 5, seconds=0.5)
    check(
        f"{tmp_path} has 5 folders with audio; 6 speakers are needed, each in a folder of their own, so that train, "
        f"dev and test have 2 each.",
        lambda: find_speakers(tmp_path, "train", Wanted()),
    )
    folders(tmp_path, 6, seconds=0.5)
    check("There is no split 'tr'; choose train, dev or test.", lambda: find_speakers(tmp_path, "tr", Wanted()))
    check(
        "Hardly any recording lasts 1 s, which a mixture to score must; join short ones.",
        lambda: find_mixtures(tmp_path, "test", Wanted()),
    )
    (tmp_path / "empty").mkdir()
    check(
        f"{tmp_path}/empty has 0 audio files; train, dev and test need one each.",
        lambda: find_noises(tmp_path / "empty", "train", Wanted()),
    )


@pytest.mark.parametrize("make", [trees.manifest, lambda root: folders(root, 7)])
def test_mixtures_of_speakers_are_clean_and_short(tmp_path: Path, make) -> None:
    """Nothing is scored under a name that it does not deserve."""
    make(tmp_path)
    check(
        f"Mixtures of the speakers in {tmp_path} are clean, not 'noisy'; leave it out, or add noise of a folder of its "
        f"own.",
        lambda: find_mixtures(tmp_path, "test", Wanted(condition="noisy")),
    )
    check(
        f"Mixtures of the speakers in {tmp_path} end with the shortest (min), not 'max'; leave it out.",
        lambda: find_mixtures(tmp_path, "test", Wanted(mode="max")),
    )
    assert len(find_mixtures(tmp_path, "test", Wanted(sources=1, condition="single"))) == 200


@pytest.mark.parametrize("sources", [2, 3])
def test_real_mixtures(speech8k: Path, sources: int) -> None:
    """As its description has it, straight from the files."""
    found = find_mixtures(speech8k, "test", Wanted(sources=sources))
    with (speech8k / f"test_mix{sources}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [mixture.name for mixture in found] == [row["id"] for row in rows]
    for mixture, row in list(zip(found, rows, strict=True))[::100]:
        heard, voices = read_mixture(mixture, 8000)
        expected = []
        for j in range(1, sources + 1):
            start, samples = round(float(row[f"start_{j}"]) * 8000), round(float(row["seconds"]) * 8000)
            audio, _ = soundfile.read(speech8k / row[f"path_{j}"], start=start, frames=samples)
            gain = 10 ** (float(row[f"gain_db_{j}"]) / 20)
            expected.append(audio / np.sqrt(np.mean(audio**2)) * gain * 0.05)
        np.testing.assert_allclose(voices, expected, atol=1e-6)
        np.testing.assert_allclose(heard, np.sum(expected, 0), atol=1e-6)


def test_real_speakers(speech8k: Path) -> None:
    splits = [find_speakers(speech8k, split, Wanted()) for split in ("train", "dev", "test")]
    assert [len(found) for found in splits] == [279, 38, 65]
    names = [name for found in splits for name in found]
    assert len(set(names)) == len(names)
