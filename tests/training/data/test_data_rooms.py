"""A room adds to a voice, later; it does not shift it."""

import dataclasses
import sys

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("pyroomacoustics")

from unbraid.corpora.rooms import draw_room, heard, responses
from unbraid.errors import RuntimeUnavailable
from unbraid.training.data.mixing import Mixing, mix

RATE = 8000
ROOM = Mixing(
    crop_seconds=1.0, speed=(1.0, 1.0), level_db=(0.0, 0.0), spread_db=0.0, room_probability=1.0,
    reverberation_seconds=(0.4, 0.4),
)  # fmt: skip


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return generator(seed).normal(0, 0.1, samples).astype(np.float32)


def correlation(mixture: np.ndarray, target: np.ndarray, lags: range) -> np.ndarray:
    """How much of the target is in the mixture so many samples later: 1 where it is there as it is."""
    size = 2 * len(mixture)
    found = np.fft.irfft(np.fft.rfft(mixture, size) * np.fft.rfft(target, size).conj(), size)
    return found[list(lags)] / np.sum(target**2)


@pytest.mark.parametrize("seed", range(6))
def test_targets_are_aligned_with_the_mixture(seed: int) -> None:
    voices = [noise(8000, 10), noise(8000, 11)]
    dry_room = dataclasses.replace(ROOM, reverberation_seconds=(0.15, 0.15))
    mixture, targets = mix(voices, dry_room, RATE, generator(seed))
    for target in targets:
        lags = range(-1000, 1000)
        found = correlation(mixture, target, lags)
        assert lags[int(np.argmax(np.abs(found)))] == 0
        assert found[1000] == pytest.approx(1, abs=0.25)  # reflections that come at once add to it
        assert np.abs(found[:990]).max() < 0.1  # nothing is heard before its target


@pytest.mark.parametrize("seed", range(4))
def test_reflections_come_behind_the_direct_path(seed: int) -> None:
    room = draw_room(2, 0.4, generator(seed))
    for place, response in zip(room.voices, responses(room, RATE), strict=True):
        reflections = response.whole.copy()
        reflections[: len(response.direct)] -= response.direct
        reflections = np.diff(reflections)  # a high-pass of zero phase at 10 Hz rings before its time
        mirrors = [mirrored(place, room, axis, wall) for axis in range(3) for wall in (0, 1)]
        nearest = min(float(np.linalg.norm(mirror - room.microphone)) for mirror in mirrors)
        first = 40 + int(nearest / 343 * RATE)
        assert np.sum(reflections[: first - 5] ** 2) < 0.02 * np.sum(reflections**2)
        assert np.sum(reflections**2) > 0.05
        assert np.sum(response.direct**2) == pytest.approx(1, rel=1e-3)


def mirrored(place: np.ndarray, room, axis: int, wall: int) -> np.ndarray:
    out = place.copy()
    out[axis] = 2 * wall * room.size[axis] - out[axis]
    return out


def test_the_delay_that_all_voices_have_is_taken_out() -> None:
    for seed in range(5):
        room = draw_room(3, 0.3, generator(seed))
        fronts = [int(np.argmax(np.abs(r.direct))) - r.delay for r in responses(room, RATE)]
        distances = np.linalg.norm(room.voices - room.microphone, axis=1)
        assert min(fronts) in (0, 1)
        np.testing.assert_allclose(fronts, (distances - distances.min()) / 343 * RATE, atol=1.5)


def test_a_room_keeps_the_level_of_its_targets() -> None:
    _, targets = mix([noise(8000, 1), noise(8000, 2)], ROOM, RATE, generator())
    np.testing.assert_allclose(np.sqrt(np.mean(targets**2, 1)), 0.05, rtol=0.1)


def test_targets_may_be_what_is_heard() -> None:
    voices = [noise(4000, 1), noise(4000, 2)]
    dry, direct = mix(voices, ROOM, RATE, generator(5))
    wet, reverberant = mix(voices, dataclasses.replace(ROOM, reverberant_targets=True), RATE, generator(5))
    np.testing.assert_array_equal(dry, wet)
    np.testing.assert_allclose(wet, reverberant.sum(0), atol=1e-6)
    residual = np.mean((dry - direct.sum(0)) ** 2) / np.mean(dry**2)
    assert 0.05 < residual < 1


def test_a_voice_rings_on() -> None:
    click = np.zeros(8000, np.float32)
    click[100] = 1
    (response,) = responses(draw_room(1, 0.5, generator(1)), RATE)
    for path, ends in ((response.direct, True), (response.whole, False)):
        energy = np.sum(heard(click, path, response.delay)[500:] ** 2)
        assert (energy < 1e-3) == ends
    assert len(heard(click, response.whole, response.delay)) == len(click)


def test_longer_reverberation_is_longer() -> None:
    def late(seconds: float) -> float:
        (response,) = responses(draw_room(1, seconds, generator(3)), RATE)
        return float(np.sum(response.whole[800:] ** 2))

    assert late(0.2) < 0.5 * late(0.4)


def test_places_are_in_the_room_and_apart() -> None:
    for seed in range(50):
        room = draw_room(3, 0.3, generator(seed))
        everyone = np.vstack([room.voices, room.microphone])
        assert np.all(everyone >= 0.5)
        assert np.all(everyone <= room.size - 0.5)
        distances = np.linalg.norm(room.voices - room.microphone, axis=1)
        assert np.all((distances >= 0.5) & (distances <= 2.0))
        assert len(np.unique(room.voices, axis=0)) == 3


def test_the_same_generator_the_same_room() -> None:
    voices = [noise(4000, 1), noise(4000, 2)]
    first, again, other = (mix(voices, ROOM, RATE, generator(seed))[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


def test_without_pyroomacoustics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyroomacoustics", None)
    with pytest.raises(RuntimeUnavailable) as caught:
        mix([noise(400)], ROOM, RATE, generator())
    assert str(caught.value) == (
        "Simulated rooms need pyroomacoustics: `pip install pyroomacoustics`, or do without rooms."
    )
