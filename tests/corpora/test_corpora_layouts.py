"""Each published layout: what is found in it, and what is said when it is not there."""

from pathlib import Path

import corpora_trees as trees
import numpy as np
import pytest

from unbraid.corpora import Clip, Wanted, find_mixtures, find_noises, find_speakers, read_mixture
from unbraid.errors import UsageError

PUBLISHED = {"wsj0mix": trees.wsj0mix, "librimix": trees.librimix, "wham": trees.wham, "whamr": trees.whamr}


@pytest.mark.parametrize("layout", PUBLISHED)
@pytest.mark.parametrize("split", ["train", "dev", "test"])
@pytest.mark.parametrize("named", [False, True])
def test_mixtures_are_the_sums_of_their_sources(tmp_path: Path, layout: str, split: str, named: bool) -> None:
    PUBLISHED[layout](tmp_path)
    found = find_mixtures(tmp_path, split, Wanted(layout if named else "auto"))
    assert [mixture.name for mixture in found] == sorted(trees.LIBRI if layout == "librimix" else trees.WSJ0)
    for each in found:
        mixture, sources = read_mixture(each, 8000)
        assert sources.shape == (2, trees.SAMPLES)
        assert mixture.dtype == sources.dtype == np.float32
        np.testing.assert_allclose(mixture, sources.sum(0), atol=1e-6)


def test_the_layouts_are_told_apart(tmp_path: Path) -> None:
    """By what is in the mixtures' paths only a layout's own folders hold."""
    for layout, make in PUBLISHED.items():
        paths = [mixture.mixture.path for mixture in find_mixtures(make(tmp_path / layout), "train", Wanted())]
        top, folder = {
            "wsj0mix": ("2speakers", "mix"),
            "librimix": ("Libri2Mix", "mix_clean"),
            "wham": ("wav8k", "mix_clean"),
            "whamr": ("wav8k", "mix_clean_anechoic"),
        }[layout]
        assert {(path.relative_to(tmp_path / layout).parts[0], path.parent.name) for path in paths} == {(top, folder)}


@pytest.mark.parametrize("make", [trees.wsj0mix, trees.librimix])
def test_three_voices(tmp_path: Path, make) -> None:
    make(tmp_path, 3)
    (found,) = find_mixtures(tmp_path, "test", Wanted(sources=3))
    mixture, sources = read_mixture(found, 8000)
    assert sources.shape == (3, trees.SAMPLES)
    np.testing.assert_allclose(mixture, sources.sum(0), atol=1e-6)
    speakers = find_speakers(tmp_path, "test", Wanted(sources=3))
    assert list(speakers) == (["01a", "209", "40n"] if make is trees.wsj0mix else ["1034", "3214", "4446"])


@pytest.mark.parametrize("make", [trees.wsj0mix, trees.librimix])
def test_the_folder_inside_may_be_named_too(tmp_path: Path, make) -> None:
    make(tmp_path)
    (inside,) = tmp_path.iterdir()
    assert find_mixtures(inside, "dev", Wanted()) == find_mixtures(tmp_path, "dev", Wanted())


@pytest.mark.parametrize("make", [trees.wsj0mix, trees.librimix])
def test_min_and_max_are_different_folders(tmp_path: Path, make) -> None:
    make(tmp_path, mode="min")
    make(tmp_path, mode="max")
    for mode in ("min", "max"):
        paths = [mixture.mixture.path for mixture in find_mixtures(tmp_path, "train", Wanted(mode=mode))]
        assert all(mode in path.parts for path in paths)


@pytest.mark.parametrize(
    ("condition", "folder"), [("clean", "mix_clean"), ("noisy", "mix_both"), ("single", "mix_single")]
)
@pytest.mark.parametrize("layout", ["librimix", "wham"])
def test_noisy_conditions_keep_clean_targets(tmp_path: Path, layout: str, condition: str, folder: str) -> None:
    PUBLISHED[layout](tmp_path)
    found = find_mixtures(tmp_path, "test", Wanted(sources=1 if condition == "single" else 2, condition=condition))
    for mixture in found:
        assert mixture.mixture.path.parent.name == folder
        assert [clip.path.parent.name for clip in mixture.sources] == ["s1", "s2"][: len(mixture.sources)]


@pytest.mark.parametrize(
    ("condition", "folder"),
    [("reverb", "mix_clean_reverb"), ("noisy-reverb", "mix_both_reverb"), ("noisy", "mix_both_anechoic")],
)
def test_reverberant_mixtures_have_anechoic_targets(tmp_path: Path, condition: str, folder: str) -> None:
    for mixture in find_mixtures(trees.whamr(tmp_path), "train", Wanted(condition=condition)):
        assert mixture.mixture.path.parent.name == folder
        assert [clip.path.parent.name for clip in mixture.sources] == ["s1_anechoic", "s2_anechoic"]


def test_speakers_are_known_by_their_file_names(tmp_path: Path) -> None:
    wsj0 = find_speakers(trees.wsj0mix(tmp_path / "a"), "train", Wanted())
    base = tmp_path / "a" / "2speakers" / "wav8k" / "min" / "tr"
    assert list(wsj0) == ["01a", "02b", "209"]
    assert wsj0["01a"] == [Clip(base / "s1" / f"{trees.WSJ0[0]}.wav"), Clip(base / "s2" / f"{trees.WSJ0[1]}.wav")]
    libri = find_speakers(trees.librimix(tmp_path / "b"), "train", Wanted())
    assert {name: len(clips) for name, clips in libri.items()} == {"1034": 2, "3214": 1, "4446": 1}


def test_train_is_the_larger_half_of_librimix_where_it_is_there(tmp_path: Path) -> None:
    trees.librimix(tmp_path)
    base = tmp_path / "Libri2Mix" / "wav8k" / "min"
    assert find_mixtures(tmp_path, "train", Wanted()) == find_mixtures(tmp_path, "train-100", Wanted())
    trees.noisy(base / "train-360", trees.LIBRI[0], 2)
    assert len(find_mixtures(tmp_path, "train", Wanted())) == 1
    assert len(find_mixtures(tmp_path, "train-100", Wanted())) == 2


def test_noises(tmp_path: Path) -> None:
    for layout in ("librimix", "wham", "whamr"):
        found = find_noises(PUBLISHED[layout](tmp_path / layout), "dev", Wanted())
        assert len(found) == 2
        assert {clip.path.parent.name for clip in found} == {"noise"}


def test_another_rate_will_do(tmp_path: Path) -> None:
    trees.librimix(tmp_path, rate=16000)
    mixture, sources = read_mixture(find_mixtures(tmp_path, "dev", Wanted(sample_rate=8000))[0], 8000)
    assert mixture.shape == (trees.SAMPLES // 2,)
    np.testing.assert_allclose(mixture, sources.sum(0), atol=1e-4)


def check(error: str, call) -> None:
    with pytest.raises(UsageError) as caught:
        call()
    assert str(caught.value) == error


def test_refusals(tmp_path: Path) -> None:
    trees.wsj0mix(tmp_path, splits=("tr",))
    check(
        "There is no layout 'wsj'; choose auto, wsj0mix, librimix, wham, whamr, manifest, speakers.",
        lambda: find_mixtures(tmp_path, "train", Wanted("wsj")),
    )
    check(
        f"There is no folder {tmp_path}/no. Name the folder that holds the corpus.",
        lambda: find_mixtures(tmp_path / "no", "train", Wanted()),
    )
    check(
        f"Mixtures in the layout of {tmp_path} come as clean, not 'noisy'.",
        lambda: find_mixtures(tmp_path, "train", Wanted(condition="noisy")),
    )
    check(
        f"{tmp_path} has no folder of that split, condition and mode; looked for 2speakers/wav8k/min/tt/mix, "
        f"2speakers/wav16k/min/tt/mix, wav8k/min/tt/mix, wav16k/min/tt/mix. "
        f"Splits are train, dev, test or the corpus's own names, modes min and max.",
        lambda: find_speakers(tmp_path, "test", Wanted()),
    )


def test_a_folder_in_no_layout(tmp_path: Path) -> None:
    check(
        f"{tmp_path} is in none of the layouts wsj0mix, librimix, wham, whamr, manifest, speakers: it holds no "
        f"manifest.csv, no two folders with audio, and no mixtures in 3speakers/wav8k/max, 3speakers/wav16k/max, "
        f"wav8k/max, wav16k/max, Libri3Mix/wav8k/max, Libri3Mix/wav16k/max.",
        lambda: find_mixtures(tmp_path, "train", Wanted(sources=3, mode="max")),
    )


def test_a_corpus_with_holes(tmp_path: Path) -> None:
    trees.wsj0mix(tmp_path)
    base = tmp_path / "2speakers" / "wav8k" / "min" / "tr"
    (base / "s2" / f"{trees.WSJ0[1]}.wav").unlink()
    check(
        f"{base / 's2'} lacks 1 of 2 files, {trees.WSJ0[1]}.wav for one; each source must be there under the name of "
        f"its mixture.",
        lambda: find_mixtures(tmp_path, "train", Wanted()),
    )
    for path in (base / "mix").iterdir():
        path.unlink()
    check(f"{base / 'mix'} holds no wav files.", lambda: find_mixtures(tmp_path, "train", Wanted()))


def test_names_that_tell_no_speaker(tmp_path: Path) -> None:
    base = tmp_path / "2speakers" / "wav8k" / "min" / "tr"
    for folder in ("mix", "s1", "s2"):
        trees.write(base / folder / "1.wav", trees.voices("1", 1)[0])
    assert len(find_mixtures(tmp_path, "train", Wanted())) == 1
    check(
        f"{base / 's2' / '1.wav'} does not name its speakers as the files of wsj0mix do; use the original names.",
        lambda: find_speakers(tmp_path, "train", Wanted()),
    )
