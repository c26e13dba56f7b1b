"""The mean over copies of a recording that begin later, and the mean of several models."""

from pathlib import Path

import numpy as np
import pytest

from engine_fakes import (
    HTDEMUCS,
    Fake,
    bands,
    copies,
    even_and_odd,
    htdemucs_spec,
    live_spec,
    music_fake,
    music_spec,
    noise,
    roformer_spec,
    snr,
    speech_fake,
    speech_spec,
    write_model,
)
from unbraid.errors import UsageError
from unbraid.hub.spec import Windows
from unbraid.tasks.separation.ensemble import Ensemble, open_separator
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.separation.shifts import delays, mean, shifted, together


def test_delays_are_the_same_each_time_and_at_most_half_a_second() -> None:
    assert delays(5, 44_100) == delays(6, 44_100)[:5]
    assert len(set(delays(20, 44_100))) == 20
    assert all(0 <= delay <= 22_050 for delay in delays(20, 44_100))


def test_blocks_of_several_streams_are_cut_alike() -> None:
    x = noise(2, 1000)
    streams = [iter(np.split(x, range(step, 1000, step), 1)) for step in (1000, 7, 64)]
    pieces = list(together(streams))
    assert all(len({part.shape for part in parts}) == 1 for parts in pieces)
    for number in range(3):
        np.testing.assert_array_equal(np.concatenate([parts[number] for parts in pieces], 1), x)
    assert list(together([iter([x]), iter([])])) == []


def test_what_does_not_depend_on_the_time_is_the_same_with_shifts() -> None:
    x = noise(2, 3000)

    def network(open_blocks):  # two stems, in blocks of its own
        return (np.stack((block, 2 * block)) for block in open_blocks())

    blocks = [x[:, i : i + 170] for i in range(0, 3000, 170)]
    found = np.concatenate(list(shifted(network, (0, 11, 400, 2999), any_order=False)(lambda: iter(blocks))), -1)
    np.testing.assert_allclose(found, np.stack((x, 2 * x)), rtol=1e-6)


def test_stems_in_another_order_are_put_in_that_of_the_first() -> None:
    a, b = noise(1, 500), noise(1, 500, seed=1)
    runs = [iter([np.stack(pair)]) for pair in ((a, b), (b, a), (a, b))]
    np.testing.assert_allclose(next(mean(runs, any_order=True)), np.stack((a, b)), rtol=1e-5)
    runs = [iter([np.stack(pair)]) for pair in ((a, b), (b, a))]
    np.testing.assert_allclose(next(mean(runs)), np.stack((a + b, a + b)) / 2, rtol=1e-5)


KINDS = {
    "U-Net": lambda options: Separator.over(music_fake(bands(2)), music_spec(), options),
    "voices": lambda options: Separator.over(speech_fake(even_and_odd), speech_spec(), options),
    "one voice": lambda options: Separator.over(speech_fake(copies(1)), speech_spec(1), options),
    "RoFormer": lambda options: Separator.over(
        Fake(lambda seen: 0.5 * seen[:, None] ** 0, "masks"), roformer_spec(), options
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("samples", [1, 5000])
def test_the_contract_holds_with_shifts(kind: str, samples: int) -> None:
    x = noise(2, samples)
    plain, found = KINDS[kind](Options())(x, 8000), KINDS[kind](Options(shifts=3))(x, 8000)
    assert list(found) == list(plain)
    assert all(stem.shape == x.shape for stem in found.values())
    assert snr(x, np.sum(list(found.values()), 0)) > 90
    again = KINDS[kind](Options(shifts=3))(x, 8000)
    assert all(np.array_equal(found[name], stem) for name, stem in again.items())


def test_a_network_errs_less_with_shifts(tmp_path: Path) -> None:
    """Its mean over shifts is nearer to its mean over many more than one run is."""
    write_model(tmp_path / "model", htdemucs_spec())
    x = noise(2, 4000)
    runs = {}
    for count in (0, 1, 8, 20):
        with Separator(tmp_path / "model", options=Options(shifts=count)) as separator:
            runs[count] = separator(x, 8000)["drums"]
    assert snr(runs[20], runs[8]) > snr(runs[20], runs[1]) + 3
    assert not np.array_equal(runs[0], runs[1])


REFUSED = [
    (music_spec(), Options(shifts=2, wiener=1), "Shifts do not go with the Wiener filter; leave one of them out."),
    (music_spec(), Options(shifts=2, raw=True), "Shifts do not go with a raw run, which is the published system's;"),
    (music_spec(), Options(shifts=21), "Shifts are from 0 to 20, got 21."),
    (music_spec(), Options(shifts=-1), "Shifts are from 0 to 20, got -1."),
    (live_spec(), Options(shifts=2), "tiny-live is causal, which is not repeated for shifts; leave them out."),
]


@pytest.mark.parametrize(("spec", "options", "told"), REFUSED, ids=[told for *_, told in REFUSED])
def test_shifts_that_make_no_sense_are_refused(spec, options: Options, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        Separator.over(music_fake(bands(2)), spec, options)
    assert str(caught.value).startswith(told)


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """Two networks of the same stems, one of vocals alone, and one at another rate."""
    specs = {
        "a": (htdemucs_spec(), 0),
        "b": (htdemucs_spec(), 1),
        "vocals": (roformer_spec(windows=Windows(0.25, 0.125)), 2),
        "high": (htdemucs_spec(sample_rate=16_000), 3),
        "four": (htdemucs_spec(type(HTDEMUCS)(**{**vars(HTDEMUCS), "stems": 4, "networks": 4})), 4),
    }
    for name, (spec, seed) in specs.items():
        write_model(tmp_path / name, spec, seed=seed)
    return {name: tmp_path / name for name in specs}


def opened(model: str | Path, options: Options) -> Separator:
    return Separator(model, device="cpu", options=options)


def ensemble(folders: dict[str, Path], names: str, options: Options = Options()) -> Separator:
    return open_separator(",".join(str(folders[name]) for name in names.split(",")), opened, options)


def test_the_mean_of_two_models(folders: dict[str, Path]) -> None:
    x = noise(2, 5000)
    with ensemble(folders, "a,b") as both, ensemble(folders, "a") as a, ensemble(folders, "b") as b:
        assert isinstance(both, Ensemble) and not isinstance(a, Ensemble)
        assert both.spec.name == "tiny-htdemucs,tiny-htdemucs"
        found, one, other = both(x, 44_100), a(x, 44_100), b(x, 44_100)
        pieces = list(both.blocks((x[:, i : i + 77] for i in range(0, 5000, 77)), sample_rate=44_100))
    assert list(found) == ["drums", "bass"]
    for name, stem in found.items():
        np.testing.assert_allclose(stem, (one[name] + other[name]) / 2, atol=1e-6)
        np.testing.assert_allclose(np.concatenate([piece[name] for piece in pieces], 1), stem, atol=1e-6)
    assert snr(x, np.sum(list(found.values()), 0)) > 100


def test_stems_that_one_model_lacks_are_in_the_rest(folders: dict[str, Path]) -> None:
    x = noise(2, 5000)
    with ensemble(folders, "four,vocals") as both:
        found = both(x, 8000)
    assert list(found) == ["vocals", "instrumental"]
    assert snr(x, np.sum(list(found.values()), 0)) > 100
    with ensemble(folders, "four,vocals", Options(two_stems="vocals")) as two:
        assert len(two.members[0]._networks) == 1  # of the bag, only that of vocals runs
        assert list(two(x, 8000)) == ["vocals", "no_vocals"]
    with ensemble(folders, "a,b", Options(remove=("drums",))) as rest:
        np.testing.assert_array_equal(rest(x, 8000)["no-drums"], ensemble(folders, "a,b")(x, 8000)["bass"])


ODD = [
    (
        "a,high",
        Options(),
        "An ensemble is of models of one sample rate, not tiny-htdemucs at 8000 Hz, tiny-htdemucs at",
    ),
    ("a,vocals", Options(), "tiny-htdemucs and tiny-roformer have no stem in common; an ensemble needs one."),
    ("a,b", Options(raw=True), "Raw is the output of one published system; name one model, or leave raw out."),
    ("four,b", Options(wiener=1), "The Wiener filter is for U-Nets; tiny-htdemucs is a htdemucs."),
    ("a,a", Options(), "An ensemble is of 2 to 8 different models, with commas between them."),
    ("a,b", Options(remove=("vocals",)), "tiny-htdemucs,tiny-htdemucs has no stem 'vocals', only drums, bass;"),
    ("a,b", Options(two_stems="vocals"), "tiny-htdemucs,tiny-htdemucs has no stem 'vocals', only drums, bass;"),
]


@pytest.mark.parametrize(("names", "options", "told"), ODD, ids=[told for *_, told in ODD])
def test_models_that_cannot_be_averaged_are_refused(
    folders: dict[str, Path], names: str, options: Options, told: str
) -> None:
    with pytest.raises(UsageError) as caught:
        ensemble(folders, names, options)
    assert str(caught.value).startswith(told)


def test_voices_in_any_order_are_not_averaged(tmp_path: Path) -> None:
    write_model(tmp_path / "one", speech_spec())
    write_model(tmp_path / "two", speech_spec(), seed=1)
    with pytest.raises(UsageError, match="gives voices in any order, which cannot be averaged; leave it out"):
        open_separator(f"{tmp_path / 'one'},{tmp_path / 'two'}", opened)
