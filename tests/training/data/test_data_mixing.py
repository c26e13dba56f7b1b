"""The arithmetic of mixing: levels, speed, noise, places; all of it from the generator."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

from unbraid.corpora.levels import cropped, looped, with_noise
from unbraid.training.data.mixing import Mixing, at_level, change_speed, mix, placed

RATE = 8000
PLAIN = Mixing(crop_seconds=0.5, speed=(1.0, 1.0), level_db=(0.0, 0.0), spread_db=0.0)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return generator(seed).normal(0, 0.1, samples).astype(np.float32)


def level(audio: np.ndarray) -> np.ndarray:
    """RMS in dB over 0.05."""
    return 10 * np.log10(np.mean(np.square(audio, dtype=np.float64), -1)) - 20 * np.log10(0.05)


def peak_hertz(audio: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)), 1 << 17))
    return float(np.argmax(spectrum) * RATE / (1 << 17))


def test_the_mixture_is_the_sum_of_the_targets() -> None:
    mixture, targets = mix([noise(9000), noise(9000, 1), noise(9000, 2)], Mixing(), RATE, generator())
    assert mixture.shape == (32000,)
    assert targets.shape == (3, 32000)
    assert mixture.dtype == targets.dtype == np.float32
    np.testing.assert_allclose(mixture, targets.sum(0), atol=1e-6)


def test_levels() -> None:
    voices = [3 * noise(9000), 0.1 * noise(9000, 1)]
    _, targets = mix(voices, PLAIN, RATE, generator())
    np.testing.assert_allclose(level(targets), 0, atol=1e-3)
    _, targets = mix(voices, dataclasses.replace(PLAIN, level_db=(-14.0, -14.0)), RATE, generator())
    np.testing.assert_allclose(level(targets), -14, atol=1e-3)


@given(st.integers(0, 1000))
def test_levels_stay_in_their_range(seed: int) -> None:
    mixing = dataclasses.replace(PLAIN, level_db=(-30.0, 5.0), spread_db=2.0)
    _, targets = mix([noise(4000), noise(4000, 1)], mixing, RATE, generator(seed))
    found = level(targets)
    assert np.all(found >= -32.01)
    assert np.all(found <= 7.01)
    assert abs(found[0] - found[1]) <= 4.01


@pytest.mark.parametrize("speed", [0.95, 1.0, 1.05, 1.31])
def test_speed_changes_pitch_and_length_alone(speed: float) -> None:
    tone = (0.3 * np.sin(2 * np.pi * 440 * np.arange(16000) / RATE)).astype(np.float32)
    found = change_speed(tone, speed)
    assert len(found) == pytest.approx(16000 / speed, abs=1)
    assert peak_hertz(found) == pytest.approx(440 * speed, abs=0.1)
    assert np.sqrt(np.mean(found[500:-500] ** 2)) == pytest.approx(0.3 / np.sqrt(2), rel=1e-3)


def test_enough_is_asked_for_at_any_speed() -> None:
    mixing = Mixing(crop_seconds=0.5, speed=(0.8, 1.2))
    for seed in range(20):
        _, targets = mix([noise(mixing.voice_samples(RATE))] * 2, mixing, RATE, generator(seed))
        assert np.all(np.abs(targets[:, [0, 1, -2, -1]]).max(1) > 0)


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 100))
def test_crops_and_places(length: int, samples: int, seed: int) -> None:
    voice = np.arange(1, length + 1, dtype=np.float32)
    crop = cropped(voice, samples, generator(seed))
    assert len(crop) == min(length, samples)
    assert np.all(np.diff(crop) == 1)
    found = placed(crop, samples, generator(seed))
    assert len(found) == samples
    np.testing.assert_array_equal(found[found > 0], crop)


def test_places_are_everywhere() -> None:
    starts = {int(np.argmax(placed(np.ones(8, np.float32), 10, generator(seed)))) for seed in range(50)}
    assert starts == {0, 1, 2}


def test_a_pause_is_a_silent_target() -> None:
    pause = np.full(9000, 5e-4, np.float32)
    assert not at_level(pause, 0).any()
    assert not at_level(np.zeros(0, np.float32), 0).any()
    _, targets = mix([noise(9000), pause], PLAIN, RATE, generator())
    assert targets[0].any()
    assert not targets[1].any()


def test_voices_speak_as_often_as_they_are_meant_to() -> None:
    mixing = dataclasses.replace(PLAIN, crop_seconds=0.01, voice_shares=(1.0, 6.0, 3.0))
    random, voices = generator(), [noise(900, seed) for seed in range(3)]
    counts = np.bincount([mix(voices, mixing, RATE, random)[1].any(1).sum() for _ in range(2000)], minlength=4)
    np.testing.assert_allclose(counts / 2000, [0, 0.1, 0.6, 0.3], atol=0.03)


@pytest.mark.parametrize(
    ("values", "sources", "expected"),
    [
        ({}, 2, False),
        ({"one_voice_probability": 0.1}, 2, True),
        ({"one_voice_probability": 0.1}, 1, False),
        ({"voice_shares": (0.0, 1.0)}, 2, False),
        ({"voice_shares": (0.0, 1.0)}, 3, True),
        ({"voice_shares": (0.1, 0.0, 0.9)}, 3, True),
    ],
)
def test_it_is_known_whether_fewer_voices_come(values: dict[str, Any], sources: int, expected: bool) -> None:
    assert Mixing(**values).has_fewer(sources) is expected


def test_shares_of_nothing_never_come() -> None:
    mixing = dataclasses.replace(PLAIN, crop_seconds=0.01, voice_shares=(0.0, 1.0))
    random, voices = generator(), [noise(900, seed) for seed in range(3)]
    assert all(mix(voices, mixing, RATE, random)[1].any(1).tolist() == [True, True, False] for _ in range(50))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"voice_shares": (0.0, 0.0)}, r"voice_shares must be 0 or more each, and not all 0, got \[0.0, 0.0\]."),
        ({"voice_shares": (-1.0, 2.0)}, r"voice_shares must be 0 or more each, and not all 0, got \[-1.0, 2.0\]."),
        (
            {"voice_shares": (1.0,), "one_voice_probability": 0.1},
            "voice_shares says how many voices speak; leave one_voice_probability out.",
        ),
    ],
)
def test_shares_that_mean_nothing_are_refused(values: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        Mixing(**values)


def test_one_voice_leaves_the_other_targets_silent() -> None:
    mixing = dataclasses.replace(PLAIN, one_voice_probability=1.0)
    mixture, targets = mix([noise(9000), noise(9000, 1), noise(9000, 2)], mixing, RATE, generator())
    np.testing.assert_array_equal(mixture, targets[0])
    assert not targets[1:].any()


def test_how_often() -> None:
    mixing = dataclasses.replace(PLAIN, crop_seconds=0.01, one_voice_probability=0.25)
    voices = [noise(100), noise(100, 1)]
    alone = sum(not mix(voices, mixing, RATE, generator(seed))[1][1].any() for seed in range(1000))
    assert 200 < alone < 300  # 250 ± 14


def test_late_starts() -> None:
    mixing = dataclasses.replace(PLAIN, latest_start=0.5)
    begins = []
    for seed in range(100):
        _, targets = mix([noise(9000), noise(9000, 1)], mixing, RATE, generator(seed))
        begins += [int(np.argmax(row != 0)) for row in targets]
        assert np.all(targets[:, -1] != 0)
    assert max(begins) <= 2000
    assert max(begins) > 1500
    assert min(begins) < 500


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 12.0])
def test_noise_is_where_it_should_be(snr_db: float) -> None:
    mixing = dataclasses.replace(PLAIN, noise_snr_db=(snr_db, snr_db))
    mixture, targets = mix([noise(9000), noise(9000, 1)], mixing, RATE, generator(), noise(700, 3))
    voices = targets.sum(0)
    assert level(voices) - level(mixture - voices) == pytest.approx(snr_db, abs=0.01)


def test_silence_and_noise() -> None:
    silence, some = np.zeros(100, np.float32), noise(100)
    assert not with_noise(silence, some, 3).any()
    np.testing.assert_array_equal(with_noise(some, silence, 3), some)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 50))
def test_a_short_noise_goes_round(length: int, samples: int, seed: int) -> None:
    found = looped(np.arange(length, dtype=np.float32), samples, generator(seed))
    assert found.shape == (samples,)
    assert np.all(np.diff(found) % length == 1 % length)


def test_the_generator_decides_it_all() -> None:
    voices, mixing = [noise(9000), noise(9000, 1)], Mixing(crop_seconds=0.5, one_voice_probability=0.5)
    first, again, other = (mix(voices, mixing, RATE, generator(seed), noise(900, 2)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert np.abs(first[0] - other[0]).max() > 0.01


def test_inputs_are_not_changed() -> None:
    voices = [noise(4000), noise(4000, 1)]
    mix(voices, PLAIN, RATE, generator(), hiss := noise(4000, 2))
    np.testing.assert_array_equal([*voices, hiss], [noise(4000), noise(4000, 1), noise(4000, 2)])


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"room_probability": 1.5}, "room_probability must be at most 1, got 1.5."),
        ({"speed": (1.05, 0.95)}, "speed must be a low end and a high end, got 1.05, 0.95."),
        ({"speed": (0.1, 1.0)}, "speed must be at least 0.5, got 0.1."),
        ({"crop_seconds": 0.0}, "crop_seconds must be above 0, got 0.0."),
        ({"reverberation_seconds": (0.0, 0.5)}, "reverberation_seconds must be above 0, got 0.0."),
        ({"spread_db": -1.0}, "spread_db must be at least 0, got -1.0."),
        ({"level_db": (0.0, float("nan"))}, "level_db must be a finite number, got nan."),
    ],
)
def test_refusals(values: dict, error: str) -> None:
    with pytest.raises(ValueError) as caught:
        Mixing(**values)
    assert str(caught.value) == error
