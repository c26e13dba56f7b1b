"""Items are functions of (seed, position); positions cover everything once, over ranks and interruptions."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from unbraid.corpora import Clip, Mixture  # noqa: E402
from unbraid.errors import UsageError  # noqa: E402
from unbraid.training.data import DynamicMixtures, FixedMixtures, Mixing  # noqa: E402
from unbraid.training.datamodule import Parts  # noqa: E402

RATE = 8000
MIXING = Mixing(crop_seconds=0.5, noise_probability=0.5, one_voice_probability=0.2)


def dynamic(speakers, noises, seed: int = 0, mixing: Mixing = MIXING) -> DynamicMixtures:
    return DynamicMixtures(speakers, mixing, sources=2, sample_rate=RATE, seed=seed, noises=noises)


def same(first, second) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_items(speakers, noises) -> None:
    mixture, sources = dynamic(speakers, noises)[0]
    assert mixture.shape == (4000,)
    assert sources.shape == (2, 4000)
    assert mixture.dtype == sources.dtype == torch.float32


def test_items_depend_on_seed_and_position_alone(speakers, noises) -> None:
    forwards = dynamic(speakers, noises)
    items = [forwards[i] for i in range(12)]
    backwards = dynamic(speakers, noises)
    assert all(same(backwards[i], items[i]) for i in reversed(range(12)))
    assert not any(same(items[i], items[j]) for i in range(12) for j in range(i))
    assert not any(same(items[i], dynamic(speakers, noises, seed=1)[i]) for i in range(12))
    assert dynamic(speakers, noises)[10**12][0].shape == (4000,)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")  # Python 3.12 and later
def test_workers_make_the_same(speakers, noises) -> None:
    data, positions = dynamic(speakers, noises), range(5, 13)
    loader = torch.utils.data.DataLoader(data, 2, sampler=positions, num_workers=2)
    assert len(loader) == 4
    for start, (mixture, sources) in zip(range(5, 13, 2), loader, strict=True):
        assert same((mixture[0], sources[0]), data[start])
        assert same((mixture[1], sources[1]), data[start + 1])


def test_speakers_differ_within_a_mixture_and_come_equally_often(speakers) -> None:
    """Each speaker is a tone of their own, so that a spectrum tells who it is."""
    mixing = Mixing(crop_seconds=0.25, speed=(1.0, 1.0))
    counts = np.zeros(5)
    data = dynamic(speakers, (), mixing=mixing)
    for position in range(200):
        hertz = np.abs(np.fft.rfft(data[position][1].numpy())).argmax(1) * 4  # (S,)
        who = np.round(hertz / 200).astype(int) - 1
        assert who[0] != who[1]
        counts[who] += 1
    assert counts.min() > 50  # 80 ± 7


def test_refusals(speakers) -> None:
    with pytest.raises(UsageError) as caught:
        DynamicMixtures(speakers, Mixing(), sources=6, sample_rate=RATE, seed=0)
    assert str(caught.value) == "6 voices in a mixture need 6 speakers or more; there are 5."
    with pytest.raises(UsageError) as caught:
        dynamic(speakers, ())
    assert str(caught.value) == ("There are no noises to mix in; name a folder of them, or set noise_probability to 0.")


@pytest.fixture
def mixtures(tmp_path: Path) -> list[Mixture]:
    """Of 0.5 s and 0.1 s, as a corpus has them."""
    found = []
    for i, samples in enumerate((4000, 800)):
        rows = np.random.default_rng(i).normal(0, 0.1, (2, samples)).astype(np.float32)
        clips = []
        for j, row in enumerate((*rows, rows.sum(0))):
            path = tmp_path / f"{i}_{j}.wav"
            soundfile.write(path, row, RATE, subtype="FLOAT")
            clips.append(Clip(path))
        found.append(Mixture(str(i), tuple(clips[:2]), clips[2]))
    return found


def test_fixed_mixtures_come_whole(mixtures) -> None:
    data = FixedMixtures(mixtures, sample_rate=RATE)
    assert len(data) == 2
    for position, samples in enumerate((4000, 800, 4000)):
        mixture, sources = data[position]
        assert mixture.shape == (samples,)
        assert sources.shape == (2, samples)
        torch.testing.assert_close(mixture, sources.sum(0), atol=1e-6, rtol=0)


@pytest.mark.parametrize("scaled", [False, True])
def test_fixed_mixtures_come_as_crops(mixtures, scaled: bool) -> None:
    """Crops of the same voices at the same places, zeros behind what is short."""
    if scaled:
        mixtures = [Mixture(m.name, tuple(dataclasses.replace(clip, rms=0.05) for clip in m.sources)) for m in mixtures]
    whole = FixedMixtures(mixtures, sample_rate=RATE)
    data = FixedMixtures(mixtures, sample_rate=RATE, crop_seconds=0.2, seed=3)
    starts = set()
    for position in range(0, 12, 2):
        mixture, sources = data[position]
        assert mixture.shape == (1600,)
        everything = torch.cat((whole[0][0][None], whole[0][1]))
        (start,) = [i for i in range(2401) if everything[0, i] == mixture[0]]
        torch.testing.assert_close(everything[:, start : start + 1600], torch.cat((mixture[None], sources)))
        starts.add(start)
        assert same(data[position], (mixture, sources))
    assert len(starts) > 3
    mixture, sources = data[1]
    torch.testing.assert_close(sources[:, :800], whole[1][1])
    assert not mixture[800:].any()
    assert not sources[:, 800:].any()


@given(st.integers(0, 20), st.integers(0, 12), st.integers(1, 5))
def test_positions_cover_each_index_once(part: int, count: int, world: int) -> None:
    size = count * world
    ranks = [Parts(size, part, rank=rank, world=world) for rank in range(world)]
    assert sorted(position for rank in ranks for position in rank) == list(range(part * size, (part + 1) * size))
    assert [len(rank) for rank in ranks] == [len(list(rank)) for rank in ranks]


@given(st.integers(1, 4), st.integers(0, 8), st.integers(0, 4))
def test_positions_go_on_where_they_stopped(world: int, count: int, before: int) -> None:
    for rank in range(world):
        straight, resumed = (Parts(count * world, part, rank=rank, world=world) for part in (0, before))
        for part in range(before):
            straight.set_epoch(part + 1)
        assert list(straight) == list(resumed)
        assert [position % world for position in resumed] == [rank] * count
