"""The cost of separations: what is in the table, and how one measurement scales it."""

import dataclasses
from pathlib import Path

import pytest

from engine_fakes import roformer_spec, write_model
from unbraid.hub import names
from unbraid.hub.catalogue import catalogue
from unbraid.tasks.separation import cost
from unbraid.tasks.separation.cost import Cost, candidates, costs, estimates, measured

TABLE = {"music-4": Cost(0.02, 300), "spleeter:2stems": Cost(0.06, 400), "speech": Cost(0.05, 170)}
FILMS = "JusperLee/TIGER-DnR"


@pytest.fixture
def at_half_speed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A machine that takes twice the time of the table's; the models that it has run."""
    run: list[str] = []

    def measured(model: str | Path, threads: int | None = None) -> float:
        run.append(str(model))
        return 2 * TABLE[str(model)].cpu_seconds if str(model) in TABLE else 0.5

    monkeypatch.setattr(cost, "costs", lambda: TABLE)
    monkeypatch.setattr(cost, "measured", measured)
    return run


def named(*wanted: str) -> list[names.ListedModel]:
    return [model for model in names.entries() if model.name in wanted]


def test_every_separator_of_package_and_catalogue_has_a_cost() -> None:
    published = [entry.name for entry in catalogue().published.values() if len(entry.stems) > 1]
    packaged = [model.name for model in names.entries() if model.where == "packaged" and len(model.stems) > 1]
    without = {name for name in (*packaged, *published) if name not in costs()}
    assert without <= {"speech-live"}  # it is live
    assert all(found.cpu_seconds > 0 and found.megabytes > 50 for found in costs().values())


def test_one_measurement_gives_the_times_of_all(at_half_speed: list[str]) -> None:
    found = estimates(named("spleeter:2stems", "music-4"), seconds=100.0, channels=2)
    assert [(one.model.name, one.seconds, one.megabytes) for one in found] == [
        ("music-4", pytest.approx(4.0), 300), ("spleeter:2stems", pytest.approx(12.0), 400),
    ]  # fmt: skip
    assert at_half_speed == ["music-4"]


def test_a_model_of_films_takes_each_channel(at_half_speed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "costs", lambda: TABLE | {FILMS: Cost(3.0, 900)})
    (found,) = estimates(named(FILMS), seconds=10.0, channels=2)
    assert found.seconds == pytest.approx(2 * 10 * 2 * 3.0)


@pytest.mark.parametrize(("name", "channels", "times"), [("music-4", 1, 1), ("music-4", 6, 3), ("speech", 2, 2)])
def test_songs_take_channels_in_pairs_and_voices_each(at_half_speed, name: str, channels: int, times: int) -> None:
    (found,) = estimates(named(name), seconds=10.0, channels=channels)
    assert found.seconds == pytest.approx(times * 10 * 2 * TABLE[name].cpu_seconds)


def test_a_model_without_a_cost_is_run_itself(at_half_speed: list[str], tmp_path: Path) -> None:
    mine = dataclasses.replace(named("music-4")[0], name="mine", folder=tmp_path)
    (found,) = estimates([mine], seconds=60.0, channels=2)
    assert (found.seconds, found.megabytes, found.is_measured) == (pytest.approx(30.0), None, True)
    assert at_half_speed == [str(tmp_path)]


def test_songs_and_voices_have_different_candidates() -> None:
    songs = {model.name for model in candidates(names.entries(), is_music=True)}
    voices = {model.name for model in candidates(names.entries(), is_music=False)}
    assert {"music-4", "spleeter:5stems"} <= songs
    assert {"speech", "speechbrain/sepformer-libri2mix"} <= voices
    assert not songs & voices
    assert not {"denoise", "speech-live", "digits"} & (songs | voices)


def test_a_model_is_measured_over_its_window(tmp_path: Path) -> None:
    spec = roformer_spec()
    write_model(tmp_path / "model", spec)
    assert 0 < measured(tmp_path / "model") < 1000
